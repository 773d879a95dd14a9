"""Dependents: the tasks that wait for another, and who is told when that one is complete, or has failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multiagent_bridge.guard import tasks as guard
from multiagent_bridge.model.tasks import OPEN, Task
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Standing
from multiagent_bridge.services.notices import Notices

NAMED = 10
"""Tasks that a sentence names; list_tasks has them all."""


class Dependents:
    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def told(self, me: Standing, ended: Task) -> Sequence[str]:
        """Tell whom the end of a task concerns, in the transaction that ends it. Returns whose inboxes are to be rung.

        Complete: the assignee of each task that is ready now; everybody, where it is for whoever accepts it. Failed: the
        assignee and the creator of each task that waits for it, for it cannot become ready any more.
        """
        waiting = await _waiting(me.tx, ended)
        if ended.state == "complete":
            ready = [task for task in waiting if guard.ready(task, await states(me.tx, task))]
            return await self._ready(me, ready)
        return await self._stuck(me, ended, waiting)

    async def _ready(self, me: Standing, tasks: Sequence[Task]) -> Sequence[str]:
        there = [session.id for session in me.sessions if not session.revoked]
        told: list[str] = []
        mine = {one: [task for task in tasks if task.assignee == one] for one in there}
        for reader, found in mine.items():
            if found:
                text = f"{_named(found)} for you: {_over(found)}. list_tasks shows what is ready"
                told += await self._posted(me, text, [reader], "task_assignment")
        if free := [task for task in tasks if not task.assignee]:
            text = f"{_named(free)} for whoever accepts {'it' if len(free) == 1 else 'them'}: {_over(free)}"
            told += await self._posted(me, text, there, "task_assignment")
        return told

    async def _stuck(self, me: Standing, failed: Task, tasks: Sequence[Task]) -> Sequence[str]:
        told: list[str] = []
        for reader in [session.id for session in me.sessions if not session.revoked]:
            found = [task for task in tasks if reader in (task.assignee, task.creator)]
            if found:
                text = (
                    f"task {failed.id} has failed (session {me.session.id}): {_listed(found)} cannot start any more. "
                    "Whoever made it can end it with update_task, action fail, and assign it anew without that dependency"
                )
                told += await self._posted(me, text, [reader], "blocked")
        return told

    async def _posted(self, me: Standing, text: str, readers: Sequence[str], action_type: str) -> Sequence[str]:
        await self._notices.post(me.tx, me.ticket, me.now, me.conversation, text, readers, action_type)
        return readers


async def states(tx: Tx, task: Task) -> Mapping[str, str]:
    """The state of each task that this one depends on."""
    found = {}
    for needed in task.depends_on:
        other = await tx.tasks.get(task.conversation_id, needed)
        if other is not None:
            found[needed] = other.state
    return found


async def _waiting(tx: Tx, ended: Task) -> Sequence[Task]:
    """The unfinished tasks that depend on this one, oldest first."""
    unfinished = await tx.tasks.count(ended.conversation_id, OPEN)
    found = await tx.tasks.list(ended.conversation_id, unfinished)
    return [task for task in found if ended.id in task.depends_on]


def _named(tasks: Sequence[Task]) -> str:
    return f"{_listed(tasks)} {'is' if len(tasks) == 1 else 'are'} ready"


def _over(tasks: Sequence[Task]) -> str:
    return f"what {'it' if len(tasks) == 1 else 'they'} waited for is complete"


def _listed(tasks: Sequence[Task]) -> str:
    named = ", ".join(f"{task.id} ({task.priority})" for task in tasks[:NAMED])
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return f"{'task' if len(tasks) == 1 else 'tasks'} {named}{more}"
