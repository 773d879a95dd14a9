"""Alarms: what a watchdog finds, as an entry, as mail to those it concerns, and as an alert for its sinks."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.errors import Fact
from multiagent_bridge.guard import text
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Alert, Moved, Silence
from multiagent_bridge.services.handovers import Handover
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.rounds import Round, seat
from multiagent_bridge.services.topics import inbox

VERBS = {"silent": "warn", "escalated": "escalate", "recovered": "recover", "reassigned": "reassign"}

NAMED = 10
"""Tasks that a sentence names; the entry and list_tasks have them all."""


class Alarms:
    def __init__(self, journal: Journal, notices: Notices) -> None:
        self._journal = journal
        self._notices = notices

    async def raised(
        self, this: Round, kind: str, silence: Silence, session: Session, handover: Handover | None = None
    ) -> None:
        """Write one alert down and tell the orchestrator (session `a`) and the tasks' creators, in the round's transaction."""
        moved = handover.moved if handover else []
        held = sum(not one.to for one in moved)
        began = silence.began_at if silence.began_at <= this.now else this.since
        lasted = max(0, this.now - began)
        facts: dict[str, Fact] = {
            "seconds": lasted // SECOND,
            "status": session.status,
            "unread": session.unread,
            "given": len(moved) - held,
            "held": held,
        }
        ticket = this.ticket(seat(session))
        entry = await self._journal.record(
            this.tx, ticket, this.now, f"silence.{VERBS[kind]}", f"session {session.id}", facts
        )
        await self._posted(this, kind, session, lasted // SECOND, silence.handed, handover or Handover())
        alert = Alert(
            id=entry.seq,
            at=this.now,
            kind=kind,
            conversation_id=session.conversation_id,
            session_id=session.id,
            role=session.role,
            status=session.status,
            silent=lasted,
            unread=session.unread,
            moved=tuple(moved),
        )
        this.alerts.append(alert)

    async def _posted(
        self, this: Round, kind: str, session: Session, seconds: int, handed: int, handover: Handover
    ) -> None:
        room = await this.room(session.conversation_id)
        if room is None:
            return
        readers = [s.id for s in _readers(room.sessions, session, handover)]
        words = _sentence(kind, session, seconds, handover.moved)
        ticket = this.ticket(seat(session))
        await self._notices.post(this.tx, ticket, this.now, room.conversation, words, readers)
        if kind == "recovered" and handed:
            yours = f"you were not heard from for {seconds} s: {_tasks(handed)} of yours went to others; see list_tasks"
            await self._notices.post(this.tx, ticket, this.now, room.conversation, yours, [session.id])
            readers.append(session.id)
        this.topics.update(inbox(room.conversation.id, reader) for reader in readers)


def _readers(sessions: Sequence[Session], silent: Session, handover: Handover) -> Sequence[Session]:
    """The orchestrator and whoever made the tasks; when that is only the silent one itself, everybody else."""
    others = [s for s in sessions if s.id != silent.id and not s.revoked]
    return [s for s in others if s.id == sessions[0].id or s.id in handover.creators] or others


def _sentence(kind: str, session: Session, seconds: int, moved: Sequence[Moved]) -> str:
    who = f"session {session.id} ({text.named(session.role)})"
    begun = {
        "silent": f"{who} has been silent for {seconds} s (status {session.status}, unread {session.unread})",
        "escalated": f"{who} is still silent, for {seconds} s now: somebody should look",
        "recovered": f"{who} is back after {seconds} s",
        "reassigned": f"what {who} left when it fell silent moves on",
    }[kind]
    named = [_fate(one) for one in moved[:NAMED]]
    more = [f"and {len(moved) - NAMED} more: list_tasks"] if len(moved) > NAMED else []
    return "; ".join([begun, *named, *more])


def _fate(one: Moved) -> str:
    which = f"task {one.task_id} ({one.priority})"
    return f"{which} was given to session {one.to}" if one.to else f"{which} is held: nobody is left who could take it"


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
