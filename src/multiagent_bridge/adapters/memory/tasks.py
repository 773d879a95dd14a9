"""Tasks in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.tasks import OPEN, Task


class Tasks:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, task: Task) -> None:
        tables = self._tables.changing()
        if task.conversation_id not in tables.conversations:
            raise missing("conversation")
        if (task.conversation_id, task.id) in tables.tasks:
            raise Conflict("the task exists already", "use another id")
        tables.tasks[task.conversation_id, task.id] = task

    async def get(self, conversation_id: str, task_id: str) -> Task | None:
        return self._tables.looking().tasks.get((conversation_id, task_id))

    async def count(self, conversation_id: str, states: Sequence[str]) -> int:
        return sum(task.state in states for task in self._of(conversation_id))

    async def list(self, conversation_id: str, limit: int) -> Sequence[Task]:
        limit, tasks = max(limit, 0), self._of(conversation_id)
        unfinished = [task for task in tasks if task.state in OPEN][:limit]
        finished = [task for task in tasks if task.state not in OPEN]
        return [*unfinished, *finished[max(0, len(finished) - (limit - len(unfinished))) :]]

    async def held(self, conversation_id: str, assignee: str) -> Sequence[Task]:
        return [task for task in self._of(conversation_id) if task.assignee == assignee and task.state in OPEN]

    async def change(self, task: Task, was: str, fence: int) -> bool:
        table = self._tables.changing().tasks
        steps.task_steps(task, was)
        found = table.get((task.conversation_id, task.id))
        if found is None or (found.state, found.fence) != (was, fence) or task.fence < fence:
            return False
        fixed = {name: getattr(found, name) for name in ("creator", "lease_seconds", "depends_on", "created_at")}
        table[task.conversation_id, task.id] = replace(task, **fixed)
        return True

    def _of(self, conversation_id: str) -> Sequence[Task]:
        return [task for task in self._tables.looking().tasks.values() if task.conversation_id == conversation_id]
