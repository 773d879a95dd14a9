"""Archives as somebody else may have made them: changed at will, chained and signed anew under another key."""

from __future__ import annotations

import json
from typing import Any

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.model.archives import signed
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.journal import FIELDS, Draft, Head, append, iso_to_microseconds

THEIRS = MasterKeys(bytes([7]) * 32)


def signed_anew(archive: Any, keys: MasterKeys = THEIRS) -> Any:
    """The same words under the key of somebody else."""
    head, entries = Head.EMPTY, []
    for fields in archive["journal"]:
        said = {name: value for name, value in fields.items() if name in FIELDS - {"v", "seq", "prev"}}
        entry, head = append(head, Draft(**said | {"at": iso_to_microseconds(said["at"])}))
        entries.append(json.loads(entry.line))
    note = sign(Checkpoint(keys.signer, head.size, head.root()), keys.signer, keys.public_key, keys.sign)
    made = archive | {"journal": entries, "checkpoint": note, "verifier_key": keys.verifier_key}
    return made | {"signature": signed(made, keys.sign)}
