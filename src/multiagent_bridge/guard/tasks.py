"""What may be asked of tasks, and who may take which step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import Conflict, Invalid, Refused
from multiagent_bridge.guard import text
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.tasks import DEFAULT_PRIORITY, HELD, PRIORITIES, STEPS, Task

ACTIONS = ("accept", "progress", "complete", "fail", "release")
AFTER = {
    "accept": "accepted",
    "progress": "in_progress",
    "complete": "complete",
    "fail": "failed",
    "release": "released",
}
BIGGEST_FENCE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """The validated words of one `assign_task`, not yet redacted."""

    title: str
    description: str
    to: str | None
    priority: str
    lease_seconds: int
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """The validated words of one `update_task`, not yet redacted."""

    task_id: str
    action: str
    progress: str | None
    result: str | None
    fence: int | None


def assignment(
    limits: Limits,
    title: object,
    description: object,
    to: object,
    priority: object,
    lease_seconds: object,
    depends_on: object,
) -> Assignment:
    """The words of `assign_task`. Raises Invalid."""
    if isinstance(depends_on, str):
        depends_on = [depends_on]
    if depends_on is not None and not isinstance(depends_on, (list, tuple)):
        raise Invalid("depends_on must be a list", "pass a list of task ids")
    needs = tuple(dict.fromkeys(text.line("depends_on", one, 1, 40) for one in depends_on or ()))
    if len(needs) > limits.task_dependencies:
        raise Invalid(f"{len(needs)} dependencies are too many", f"at most {limits.task_dependencies}")
    return Assignment(
        text.line("title", title, 1, limits.title_characters),
        "" if description in (None, "") else text.body("description", description, limits.task_characters),
        None if to is None else text.line("to", to, 1, limits.role_max),
        DEFAULT_PRIORITY if priority is None else text.choice("priority", priority, PRIORITIES),
        limits.lease_seconds
        if lease_seconds is None
        else text.whole("lease_seconds", lease_seconds, 1, limits.lease_seconds_max),
        needs,
    )


def update(limits: Limits, task_id: object, action: object, progress: object, result: object, fence: object) -> Update:
    """The words of `update_task`. Raises Invalid."""
    what = text.choice("action", action, ACTIONS)
    note = None if progress in (None, "") else text.body("progress", progress, limits.task_characters)
    said = None if result in (None, "") else text.body("result", result, limits.task_characters)
    if said is not None and what not in ("complete", "fail"):
        raise Invalid("a result belongs to complete or fail", "say progress with progress")
    if what == "progress" and note is None:
        raise Invalid("progress is empty", "say how far it is, so that whoever takes over can go on")
    number = None if fence is None else text.whole("fence", fence, 1, BIGGEST_FENCE)
    return Update(text.line("task_id", task_id, 1, 40), what, note, said, number)


def chosen(name: str | None, sessions: Sequence[Session]) -> Session | None:
    """The one session that `name` (session id or role) names; None for nobody in particular. Raises Invalid."""
    if name is None:
        return None
    found = [s for s in sessions if s.id == name] or [s for s in sessions if s.role.casefold() == name.casefold()]
    if len(found) != 1:
        known = ", ".join(f"{s.id} ({text.named(s.role)})" for s in sessions)
        raise Invalid(f"{'no' if not found else 'more than one'} session is meant by to", f"use one of {known}")
    if found[0].revoked:
        raise Invalid("that session was revoked", "give it to another")
    return found[0]


def ready(task: Task, states: Mapping[str, str]) -> bool:
    """Whether everything that it depends on is complete."""
    return all(states.get(one) == "complete" for one in task.depends_on)


def allowed(task: Task, asked: Update, me: str, lapsed: bool, is_ready: bool) -> None:
    """Whether session `me` may take this step now; `lapsed`: its holder's lease is over and nobody heard from it.

    Raises Conflict (given to another, finished, not ready, an old fence), Refused (somebody else's).
    """
    if not STEPS[task.state]:
        raise Conflict(f"the task is {task.state} already", "list_tasks shows what is left")
    if asked.fence is not None and asked.fence != task.fence:
        raise Conflict(
            f"the task was handed over since fence {asked.fence}", "stop working on it: list_tasks shows who has it"
        )
    if asked.action == "accept":
        _acceptable(task, me, lapsed, is_ready)
        return
    owns = task.assignee == me
    if asked.action in ("fail", "release") and task.creator == me:
        return
    if not owns:
        raise Conflict(
            f"the task is with {f'session {task.assignee}' if task.assignee else 'nobody'}, not with you",
            "accept it first, if it is free",
        )
    if asked.action != "release" and task.state not in HELD:
        raise Conflict(f"the task is {task.state}: you have not accepted it", "update_task with action accept")


def _acceptable(task: Task, me: str, lapsed: bool, is_ready: bool) -> None:
    if task.state in HELD and task.assignee != me and not lapsed:
        raise Conflict(f"session {task.assignee} works on it", "take another: list_tasks")
    if task.state not in HELD and task.assignee not in ("", me):
        raise Refused(f"the task is for session {task.assignee}", "take another: list_tasks")
    if not is_ready:
        raise Conflict("what it depends on is not complete", "list_tasks shows what is ready")
