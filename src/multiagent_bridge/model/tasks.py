"""Tasks: work that one session hands to another, and the legal steps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PRIORITIES = ("P0", "P1", "P2", "P3")
DEFAULT_PRIORITY = "P2"

STEPS: Mapping[str, tuple[str, ...]] = {
    "open": ("accepted", "failed", "released", "reassigned"),
    "accepted": ("in_progress", "complete", "failed", "released", "reassigned"),
    "in_progress": ("accepted", "complete", "failed", "released", "reassigned"),
    "released": ("accepted", "failed", "reassigned"),
    "reassigned": ("accepted", "failed", "released"),
    "complete": (),
    "failed": (),
}
"""From each state to the states that may follow. `reassigned`: given to another session, which has not accepted it yet."""

OPEN = tuple(state for state, after in STEPS.items() if after)
HELD = ("accepted", "in_progress")
"""Somebody works on it, under a lease."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `body` is encrypted JSON: title, description, result, and the notes of its progress, newest last.

    `fence` grows at each hand-over, so that who once held the task cannot finish what was given away. `assignee` is a session
    id, or empty: whoever accepts it. `lease_expires_at` is None while nobody holds it; a heartbeat of the assignee
    extends it by `lease_seconds` (see `alive_until`). `depends_on` are ids of the same conversation, made before it.
    Microseconds, UTC.
    """

    id: str
    conversation_id: str
    creator: str
    assignee: str
    state: str
    priority: str
    fence: int
    lease_seconds: int
    lease_expires_at: int | None
    depends_on: tuple[str, ...]
    body: bytes
    created_at: int
    updated_at: int

    def alive_until(self, last_heartbeat: int | None) -> int:
        """Until when its holder counts as at work: the lease, or as long again after a later heartbeat."""
        lease = self.lease_expires_at or 0
        return max(lease, (last_heartbeat or 0) + self.lease_seconds * 1_000_000)
