"""What goes with BEGIN and COMMIT in one round trip: the lock of the journal's head, and the batch's entries.

A text of several statements takes no values: they stand in it, as digits alone, decimal and hexadecimal, in which nothing
could end a literal. Statements that were prepared once keep it from being planned each time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.ledger import Unstored
from multiagent_bridge.adapters.postgres.queries import named

_SQL = named("journal")
_HEAD = re.compile(r"[0-9a-f ]{66,}")
"""What `Head.to_text` writes: nothing in it could end a literal."""

PREPARED = "; ".join(f"PREPARE {name} AS {_SQL[name].text}" for name in ("lock_known", "append_spelled"))
"""Once a connection, before what follows."""

LOCKED = "SELECT 1"
"""What `beginning` is answered where the head was still the known one; then it is locked."""


def beginning(head: str | None) -> str:
    """BEGIN, and the lock of the head where it is known."""
    if head is None or not _HEAD.fullmatch(head):
        return "BEGIN"
    return f"BEGIN; EXECUTE lock_known('{head}')"


def ending(entries: Unstored) -> str:
    """The entries and the head that they lead to, and COMMIT. Raises ValueError for a head that is none."""
    if not _HEAD.fullmatch(entries["head"]):
        raise ValueError("not the text of a head")
    numbers = ",".join(format(seq, "d") for seq in entries["seqs"])
    texts = f"'{_spelled(entries['conversations'])}', '{_spelled(entries['lines'])}'"
    return f"EXECUTE append_spelled('{{{numbers}}}', {texts}, '{entries['head']}'); COMMIT"


def _spelled(texts: Sequence[str]) -> str:
    """An array's literal whose elements are texts in hexadecimal digits."""
    return "{" + ",".join(f'"{text.encode().hex()}"' for text in texts) + "}"
