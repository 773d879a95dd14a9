"""Tasks as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multiagent_bridge.model.tasks import Task


def values(task: Task) -> Mapping[str, Any]:
    """Its columns by name."""
    return {
        "id": task.id,
        "conversation_id": task.conversation_id,
        "creator": task.creator,
        "assignee": task.assignee,
        "state": task.state,
        "priority": task.priority,
        "fence": task.fence,
        "lease_seconds": task.lease_seconds,
        "lease_expires_at": task.lease_expires_at,
        "depends_on": " ".join(task.depends_on),
        "body": task.body,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


def task(row: Sequence[Any]) -> Task:
    """The task of a row in the order of the columns."""
    return Task(*(*row[:9], tuple(row[9].split()), *row[10:]))
