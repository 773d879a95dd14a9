"""Handovers: the unfinished tasks of the silent, given to somebody who is there, or held until somebody is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.guard.liveness import absence, successor
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Moved, Orphan
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.services.rounds import Room, Round, Seat
from multiagent_bridge.services.tasks import Tasks
from multiagent_bridge.services.topics import inbox, tasks_topic


@dataclass(slots=True)
class Handover:
    """What became of the tasks of one silent session, and whose tasks they were."""

    moved: list[Moved] = field(default_factory=list)
    creators: set[str] = field(default_factory=set)


class Handovers:
    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def of(self, this: Round, silent: Session) -> Handover:
        """Take every unfinished task from `silent`, the urgent first; what nobody can take is an orphan."""
        return await self.of_left(this, silent, await this.tx.tasks.held(silent.conversation_id, silent.id))

    async def of_left(self, this: Round, silent: Session, tasks: Sequence[Task]) -> Handover:
        """The same for some of its tasks. What nobody can take stays with one that was never seen: it may still come."""
        done = Handover()
        room = await this.room(silent.conversation_id)
        if room is None:
            return done
        for task in sorted(tasks, key=lambda task: (task.priority, task.created_at)):
            to = _successor(this, room, silent.role, task)
            if to is None and not silent.revoked and silent.last_heartbeat is None:
                continue
            after = await self._given(this, room, task, to, silent)
            if after is None:
                continue
            if to is None:
                await this.tx.silences.orphan(Orphan(task.conversation_id, task.id, after.fence, silent.id))
            _note(done, after)
        return done

    async def of_orphans(self, this: Round) -> Mapping[Seat, Handover]:
        """Give out what was held, the urgent first, where somebody can take it now. By the session it was taken from."""
        found: dict[Seat, Handover] = {}
        for orphan, room, task in await self._waiting(this):
            if task is None or (task.state, task.fence) != ("released", orphan.fence):
                # somebody accepted it, or ended it
                await this.tx.silences.adopt(orphan)
                continue
            gone = Session(orphan.conversation_id, orphan.session_id, "")
            left = next((s for s in room.sessions if s.id == orphan.session_id), gone)
            to = _successor(this, room, left.role, task)
            if to is None or not await this.tx.silences.adopt(orphan):
                continue
            after = await self._given(this, room, task, to, left)
            if after is not None:
                _note(found.setdefault((orphan.conversation_id, orphan.session_id), Handover()), after)
        return found

    async def _waiting(self, this: Round) -> Sequence[tuple[Orphan, Room, Task | None]]:
        """The orphans of conversations in which there is anybody to ask, the urgent first."""
        found = []
        for orphan in await this.tx.silences.orphans():
            room = await this.room(orphan.conversation_id)
            if room is not None and room.able:
                found.append((orphan, room, await this.tx.tasks.get(orphan.conversation_id, orphan.task_id)))
        return sorted(found, key=lambda one: one[2].priority if one[2] else "")

    async def _given(self, this: Round, room: Room, task: Task, to: Session | None, left: Session) -> Task | None:
        mine = room.conversation.id
        why = f"session {left.id} {absence(left)}"
        after = await self._tasks.hand_over(
            this.tx, this.ticket((mine, left.id)), this.now, room.conversation, task, to, why
        )
        if after is not None:
            this.topics.add(tasks_topic(mine))
        if after is not None and to is not None:
            room.loads[to.id] = room.loads.get(to.id, 0) + 1
            this.topics.add(inbox(mine, to.id))
        return after


def _note(done: Handover, task: Task) -> None:
    done.moved.append(Moved(task.id, task.priority, task.fence, task.assignee))
    done.creators.add(task.creator)


def _successor(this: Round, room: Room, role: str, task: Task) -> Session | None:
    return successor(room.able, room.loads, this.rules.capacity, role, (room.sessions[0].id, task.creator))
