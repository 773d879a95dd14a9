"""One transaction of a watchdog's check, as its parts share it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from multiagent_bridge.guard.liveness import Rules, candidates
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Alert, Silence
from multiagent_bridge.model.tasks import HELD, Task
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Ticket

Seat = tuple[str, str]
"""Conversation and session."""

Ahead = Mapping[tuple[str, str], tuple[object, int]]
"""What was dated in the future at the last check, by conversation and session or task, and when it was first seen so."""


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

    def seen(self, place: tuple[str, str], stamp: object, before: Ahead) -> int:
        """When what stands there from the future was first seen to stand there; asked again at the next check."""
        was, first = before.get(place, (None, 0))
        self.ahead[place] = stamp, (first if was == stamp else self.steady)
        return self.now - (self.steady - self.ahead[place][1])

    async def duty_since(self, task: Task) -> int | None:
        """Since when its assignee could work on it; None while it waits for another task."""
        needed = [await self.tx.tasks.get(task.conversation_id, other) for other in task.depends_on]
        if task.state not in HELD and not all(other is not None and other.state == "complete" for other in needed):
            return None
        return max([task.updated_at, *(other.updated_at for other in needed if other is not None)])

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

    def roomy(self, room: Room) -> bool:
        """Whether anybody in it could be given one more task."""
        return any(room.loads.get(session.id, 0) < self.rules.capacity for session in room.able)

    def _silent_in(self, conversation_id: str) -> Collection[str]:
        return {session for conversation, session in self.silent if conversation == conversation_id}


def seat(session: Session) -> Seat:
    return session.conversation_id, session.id
