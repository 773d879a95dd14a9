"""Stranded tasks: those of a session that was revoked, or that nobody has ever seen; they move on like those of the silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import Fact
from multiagent_bridge.guard import liveness as guard
from multiagent_bridge.guard import text
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Alert, Moved
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.services.handovers import Handover, Handovers
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.rounds import Ahead, Room, Round, seat
from multiagent_bridge.services.topics import inbox

MOST = 200
"""Sessions whose tasks are moved in one transaction: others who write do not wait for a thousand."""

LOOKED_BACK = 200
"""Entries of a conversation in which an invite is looked for."""

INVITING = ("invite.create", "token.rotate")

NAMED = 10
"""Tasks that a sentence names; the entry and list_tasks have them all."""


@dataclass(frozen=True, slots=True)
class Left:
    """One session that does not come for its tasks, and the earliest instant from which it was waited for."""

    session: Session
    tasks: Sequence[Task]
    since: int


class Stranded:
    def __init__(self, journal: Journal, notices: Notices, handovers: Handovers) -> None:
        self._journal = journal
        self._notices = notices
        self._handovers = handovers

    async def moved(self, this: Round, before: Ahead) -> None:
        """Move what is stranded, and say so once. `before`: since when what lies in the future was seen, `Round.ahead`."""
        for left in await self._found(this, before):
            handover = await self._handovers.of_left(this, left.session, left.tasks)
            if handover.moved:
                await self.told(this, left.session, handover, max(0, this.now - left.since))

    async def told(self, this: Round, left: Session, handover: Handover, waited: int = 0) -> None:
        """Write down that tasks moved on, tell the orchestrator (session `a`) and their creators, and raise an alert."""
        room = await this.room(left.conversation_id)
        if room is None:
            return
        held = sum(not one.to for one in handover.moved)
        facts: dict[str, Fact] = {
            "why": "revoked" if left.revoked else "unseen",
            "seconds": waited // SECOND,
            "given": len(handover.moved) - held,
            "held": held,
        }
        ticket = this.ticket(seat(left))
        entry = await self._journal.record(this.tx, ticket, this.now, "silence.reassign", f"session {left.id}", facts)
        readers = _readers(room, left, handover)
        await self._notices.post(this.tx, ticket, this.now, room.conversation, _sentence(left, handover), readers)
        this.topics.update(inbox(room.conversation.id, reader) for reader in readers)
        alert = Alert(
            id=entry.seq,
            at=this.now,
            kind="reassigned",
            conversation_id=left.conversation_id,
            session_id=left.id,
            role=left.role,
            status=left.status,
            silent=waited,
            unread=left.unread,
            moved=tuple(handover.moved),
        )
        this.alerts.append(alert)

    async def _found(self, this: Round, before: Ahead) -> Sequence[Left]:
        found: list[Left] = []
        for conversation in await this.tx.conversations.list():
            if conversation.expired(this.now):
                continue
            for session in await this.tx.sessions.of(conversation.id):
                if not session.revoked and session.last_heartbeat is not None:
                    continue
                left = await _left(this, session, before)
                if left.tasks and len(found) == MOST:
                    this.more = True
                    return found
                if left.tasks:
                    found.append(left)
        return found


async def _left(this: Round, session: Session, before: Ahead) -> Left:
    """What of the session's tasks is to move: of the revoked all, of the unseen what it could have begun a threshold ago."""
    tasks = await this.tx.tasks.held(*seat(session))
    if session.revoked or not tasks:
        return Left(session, tasks, this.now)
    room = await this.room(session.conversation_id)
    # where nobody has room nothing would move, and a round that stopped short for it would be made again without end
    duties = [(task, await this.duty_since(task)) for task in tasks] if room and this.roomy(room) else []
    waited = [(task, _waited(this, task, at, before)) for task, at in duties if at is not None]
    due = [(task, since) for task, since in waited if this.now - since >= this.rules.threshold]
    if due and this.now - await _invited(this, session) < this.rules.threshold:
        due = []
    return Left(session, [task for task, _ in due], min((since for _, since in due), default=this.now))


def _waited(this: Round, task: Task, given: int, before: Ahead) -> int:
    ahead = given > this.now
    seen = this.seen((task.conversation_id, task.id), given, before) if ahead else this.now
    return guard.waited_since(given, this.now, this.since, seen)


async def _invited(this: Round, session: Session) -> int:
    """When it was last given an invite or a new token, as far as the journal's newest entries tell: it may be on its way."""
    entries = await this.tx.journal.newest(LOOKED_BACK, session.conversation_id)
    found = [e.at for e in entries if e.action in INVITING and e.target == session.id and e.outcome == "done"]
    return min(max(found, default=0), this.now)


def _readers(room: Room, left: Session, handover: Handover) -> Sequence[str]:
    others = [s for s in room.sessions if s.id != left.id and not s.revoked]
    told = [s for s in others if s.id == room.sessions[0].id or s.id in handover.creators]
    return [s.id for s in told or others]


def _sentence(left: Session, handover: Handover) -> str:
    who = f"session {left.id} ({text.named(left.role)}) {guard.absence(left)}"
    more = len(handover.moved) - NAMED
    fates = [_fate(one) for one in handover.moved[:NAMED]]
    return "; ".join([who, *fates, *([f"and {more} more: list_tasks"] if more > 0 else [])])


def _fate(one: Moved) -> str:
    which = f"task {one.task_id} ({one.priority})"
    return f"{which} was given to session {one.to}" if one.to else f"{which} is held: nobody is left who could take it"
