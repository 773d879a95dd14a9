"""Silences: sessions that nobody hears from though they have work, the tasks they leave, and the watch that finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.sessions import Session

STEPS: Mapping[str, tuple[str, ...]] = {"warned": ("escalated",), "escalated": ()}
"""From each state of a silence to those that may follow. A silence ends by being removed."""

KINDS = ("silent", "escalated", "recovered", "reassigned")
"""What an alert may be about. `reassigned`: tasks of a silence reported before, or of a session that was revoked or never seen,
were given to somebody.
"""


@dataclass(frozen=True, slots=True)
class Silence:
    """One session that fell silent. Instants are microseconds since 1970, UTC.

    `heartbeat` is the last one it gave: another one is its recovery, whatever the clocks say. It counts as silent from
    `began_at` on. `handed` counts the tasks that were taken from it meanwhile.
    """

    conversation_id: str
    session_id: str
    state: str
    heartbeat: int
    began_at: int
    warned_at: int
    handed: int = 0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A task taken from the silent session `session_id` that nobody could take; it waits under `fence`."""

    conversation_id: str
    task_id: str
    fence: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Where the last check stood. `at`, `boot` and `boottime` are those of the machine that made it; there may be several.

    Nobody is judged by what lies before `since`: then a clock was set, the machine started or slept, or the store could not
    be used. `steps` counts how often that happened.
    """

    at: int
    boot: str
    boottime: int
    since: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Quiet:
    """A session whose heartbeat is old, and what waits for it: its oldest unread message and its unfinished tasks."""

    session: Session
    unread_since: int | None
    tasks: int
    tasks_since: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A task of the silent, as an alert names it. `to` is a session, or empty: held until somebody can take it."""

    task_id: str
    priority: str
    fence: int
    to: str

    def fields(self) -> dict[str, object]:
        return {"task_id": self.task_id, "priority": self.priority, "fence": self.fence, "to": self.to or None}


@dataclass(frozen=True, slots=True)
class Alert:
    """What a watchdog has to say: ids, a redacted role, durations, never what anybody wrote.

    `id` is the sequence number of its entry in the journal: the same alert delivered twice carries it twice.
    """

    id: int
    at: int
    kind: str
    conversation_id: str
    session_id: str
    role: str
    status: str
    silent: int
    unread: int
    moved: Sequence[Moved] = ()

    def fields(self) -> dict[str, object]:
        """The alert as every sink hands it on."""
        return {
            "id": self.id,
            "at": microseconds_to_iso(self.at),
            "kind": self.kind,
            "conversation_id": self.conversation_id,
            "session_id": self.session_id,
            "role": self.role,
            "status": self.status,
            "silent_seconds": max(0, self.silent) // SECOND,
            "unread": self.unread,
            "tasks": [one.fields() for one in self.moved],
        }
