"""Tasks in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.tasks import Task


class Tasks(Protocol):
    async def add(self, task: Task) -> None:
        """Raises Conflict when the id is taken in its conversation."""

    async def get(self, conversation_id: str, task_id: str) -> Task | None: ...

    async def count(self, conversation_id: str, states: Sequence[str]) -> int: ...

    async def list(self, conversation_id: str, limit: int) -> Sequence[Task]:
        """At most `limit`: the unfinished ones first, then the newest of the finished, each oldest first."""
        ...

    async def held(self, conversation_id: str, assignee: str) -> Sequence[Task]:
        """The unfinished tasks of one session, oldest first."""
        ...

    async def change(self, task: Task, was: str, fence: int) -> bool:
        """Replace the row by `task` if it still stands in state `was` under `fence`: of many who race one gets True.

        Its fence never falls; creator, lease_seconds, depends_on and created_at never change. Raises RuntimeError for
        a step that is not
        in model.tasks.STEPS (the same state again is one).
        """
        ...
