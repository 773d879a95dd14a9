"""Sessions: the participants of a conversation."""

from __future__ import annotations

from dataclasses import dataclass

STATUSES = ("working", "waiting", "blocked", "complete")
UNKNOWN = "unknown"
"""The status of a session that was never seen (SPEC section 2)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One participant. `generation` counts token rotations; `sealed_note` is the status note, encrypted.

    `unread` is the number of messages delivered to it that nobody has read as it; the store keeps it in step.
    """

    conversation_id: str
    id: str
    role: str
    generation: int = 1
    revoked: bool = False
    status: str = UNKNOWN
    sealed_note: bytes = b""
    last_heartbeat: int | None = None
    unread: int = 0

    def alive(self, now: int, within: int) -> bool:
        """Whether a heartbeat came within `within` microseconds before `now`; a clock set back does not bury anyone."""
        return self.last_heartbeat is not None and now - self.last_heartbeat <= within


def session_name(index: int) -> str:
    """The id of the session at `index` from 0: `a` .. `z`, `aa`, `ab`, ... (SPEC section 1)."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("a") + letter) + name
    return name
