"""Sealing anew: texts that an older data key sealed are brought under the newest, so that the older one can be destroyed.

The rules are in docs/guide/keys.md.
"""

from __future__ import annotations

from dataclasses import dataclass

UNDER_WAY, FINISHED = "under_way", "finished"

DESTROYED = "master_key.destroy"
"""The entry that says that no conversation has an older data key any more."""

PLACES = (
    "messages/body",
    "sessions/note",
    "tasks/body",
    "commands/order",
    "commands/reason",
    "commands/outcome",
    "grants/scope",
    "yolo/wish",
    "yolo/reason",
)
"""Every place of the store in which a text lies sealed: what a seal is bound to begins with one of these."""


@dataclass(frozen=True, slots=True)
class SealedText:
    """One text of a conversation as it lies in the store. `id` is that of its row."""

    conversation_id: str
    place: str
    id: int | str
    sealed: bytes

    @property
    def bound(self) -> str:
        """What its seal is bound to beside the conversation."""
        return f"{self.place}/{self.id}"


@dataclass(frozen=True, slots=True)
class Reseal:
    """One replacement of data keys. `began` is its entry in the journal; `texts` were sealed anew, `data_keys` destroyed."""

    began: int
    state: str
    texts: int = 0
    data_keys: int = 0
