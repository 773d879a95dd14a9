"""One transaction of a watchdog's check, as its parts share it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from multiagent_bridge.guard.liveness import Rules, candidates
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Alert, Silence
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Ticket

Seat = tuple[str, str]
"""Conversation and session."""


@dataclass(slots=True)
class Room:
    """One conversation: who is in it, who may be given tasks, and how many unfinished ones each of those has."""

    conversation: Conversation
    sessions: list[Session]
    able: dict[Session, bool]
    loads: dict[str, int]


@dataclass(slots=True)
class Round:
    """`now` and `steady` are one instant by two clocks; nobody is judged by what lies before `since`.

    `silent` are the silences that stand; `alerts` and `topics` are for after the commit.
    """

    tx: Tx
    caller: Caller
    started: int
    now: int
    steady: int
    rules: Rules
    since: int = 0
    silent: dict[Seat, Silence] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    ahead: dict[Seat, tuple[object, int]] = field(default_factory=dict)
    more: bool = False
    _rooms: dict[str, Room | None] = field(default_factory=dict)

    def ticket(self, seat: Seat = ("", "")) -> Ticket:
        return Ticket(self.caller, "watchdog.check", self.started, *seat)

    async def room(self, conversation_id: str) -> Room | None:
        """The conversation, None once it has expired. To be asked for when everybody silent is known."""
        if conversation_id not in self._rooms:
            self._rooms[conversation_id] = await self._opened(conversation_id)
        return self._rooms[conversation_id]

    async def _opened(self, conversation_id: str) -> Room | None:
        conversation = await self.tx.conversations.get(conversation_id)
        if conversation is None or conversation.expired(self.now):
            return None
        sessions = list(await self.tx.sessions.of(conversation_id))
        able = dict(candidates(sessions, self._silent_in(conversation_id), self.now, self.rules.threshold))
        loads = {session.id: len(await self.tx.tasks.held(conversation_id, session.id)) for session in able}
        return Room(conversation, sessions, able, loads)

    def _silent_in(self, conversation_id: str) -> Collection[str]:
        return {session for conversation, session in self.silent if conversation == conversation_id}


def seat(session: Session) -> Seat:
    return session.conversation_id, session.id
