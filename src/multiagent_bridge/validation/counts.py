"""What a range of a journal adds up to: said by a report, and found again by whoever reads the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.services.reports import quantiles


def vouched(note: str) -> dict[str, object]:
    """Size and root of a signed note, and the note itself."""
    checkpoint = Checkpoint.parse(note)
    return {"size": checkpoint.size, "root": checkpoint.root.hex(), "note": note}


def counted(entries: Iterable[Entry]) -> dict[str, object]:
    """What a range of the journal adds up to; a reader of the exported journal comes to the same figures."""
    acts: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    sends: list[int] = []
    number = 0
    for entry in entries:
        number += 1
        if entry.outcome == "refused":
            refusals[entry.code] += 1
            continue
        acts[entry.action] += 1
        if entry.action == "message.send":
            sends.append(entry.latency_us)
    return {
        "entries": number,
        "acts": dict(sorted(acts.items())),
        "refusals": dict(sorted(refusals.items())),
        "send_latency_us": quantiles(sends),
    }
