"""Wake-ups: what a client's hooks are told about waiting mail, and what they did about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EVENTS = ("start", "prompt", "stop", "wake")
"""A session of the client began; its person typed; its agent wants to stop; its agent is idle and a waker waits for mail."""

AUTOMATIC = ("stop", "wake")
"""Events that may set an agent going without a person."""


@dataclass(frozen=True, slots=True)
class Past:
    """One entry of the journal about wake-ups. `kind` is `wake`, `pause` or `reset`; `through` a message id, 0 if none."""

    at: int
    kind: str
    session: str = ""
    through: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Unread mail of one session, by ids alone: no word that an agent wrote."""

    conversation_id: str
    session_id: str
    unread: int
    senders: Sequence[str]

    def fields(self) -> dict[str, object]:
        return {
            "conversation_id": self.conversation_id,
            "session_id": self.session_id,
            "unread": self.unread,
            "from": list(self.senders),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one event. `wake`: the mail for whose sake the agent goes on; `paused`: conversations whose wake-ups
    the hop guard holds back.
    """

    waiting: Sequence[Waiting] = ()
    wake: Sequence[Waiting] = ()
    paused: Sequence[str] = ()

    def fields(self) -> dict[str, object]:
        return {
            "waiting": [one.fields() for one in self.waiting],
            "wake": [one.fields() for one in self.wake],
            "paused": list(self.paused),
        }
