"""What `mab top` knows at one moment, as plain data. Everything here is bounded, however much the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiagent_bridge.model.conversations import Conversation
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.model.sessions import Session
    from multiagent_bridge.services.approvals import Request

HELD = 200
"""Conversations that are held: those in which something happened last."""

TAIL = 500
"""Entries of the journal that are held: the newest."""

ENDED = 5
"""Approvals that wait no longer, and are still told of."""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest message of a conversation: who wrote, to whom, when."""

    sender: str
    to: str
    at: int


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation with its sessions. `at` is when something last happened in it, 0 when that is not known."""

    conversation: Conversation
    sessions: Sequence[Session]
    at: int = 0
    last: Last | None = None

    @property
    def unread(self) -> int:
        return sum(session.unread for session in self.sessions if not session.revoked)


@dataclass(frozen=True, slots=True)
class Ended:
    """An approval that waits no longer, why, and when that was seen."""

    command_id: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at everything. Instants are microseconds since the epoch, UTC; `alive` is how long a heartbeat counts."""

    talks: Sequence[Talk] = ()
    """Newest activity first."""
    requests: Sequence[Request] = ()
    """Oldest first."""
    ended: Sequence[Ended] = ()
    wishes: int = 0
    """Agents that ask for a mode."""
    entries: Sequence[Entry] = ()
    """Oldest first."""
    size: int = 0
    """Entries of the whole journal."""
    quieter: bool = False
    """Whether there are conversations that are not held."""
    hub: str = ""
    """What there is to say of the hub of this machine."""
    away: str = ""
    """Why the store cannot be looked at now; empty while it can."""
    alive: int = 120_000_000


def state_of(session: Session, now: int, alive: int) -> str:
    """One word for how an agent stands: revoked, unseen, silent, or what it says of itself while it is heard of."""
    if session.revoked:
        return "revoked"
    if session.last_heartbeat is None:
        return "unseen"
    return session.status if session.alive(now, alive) or session.status == "complete" else "silent"


def span(microseconds: int) -> str:
    """A length of time in its largest unit, such as `5 min`."""
    seconds = max(0, microseconds) // 1_000_000
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
