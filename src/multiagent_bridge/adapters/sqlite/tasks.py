"""Tasks in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.rows import tasks as rows
from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.tasks import Task

_SQL = named("tasks")


class Tasks:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, task: Task) -> None:
        self._run.do(_SQL["add"], rows.values(task))

    async def get(self, conversation_id: str, task_id: str) -> Task | None:
        row = self._run.row(_SQL["get"], {"conversation_id": conversation_id, "id": task_id})
        return rows.task(row) if row else None

    async def count(self, conversation_id: str, states: Sequence[str]) -> int:
        row = self._run.row(_SQL["count"], {"conversation_id": conversation_id, "states": json.dumps(list(states))})
        return row[0] if row else 0

    async def list(self, conversation_id: str, limit: int) -> Sequence[Task]:
        found = self._run.rows(_SQL["list"], {"conversation_id": conversation_id, "limit": max(limit, 0)})
        return [rows.task(row) for row in found]

    async def held(self, conversation_id: str, assignee: str) -> Sequence[Task]:
        found = self._run.rows(_SQL["held"], {"conversation_id": conversation_id, "assignee": assignee})
        return [rows.task(row) for row in found]

    async def change(self, task: Task, was: str, fence: int) -> bool:
        steps.task_steps(task, was)
        return bool(self._run.change(_SQL["change"], {**rows.values(task), "was": was, "held": fence}))
