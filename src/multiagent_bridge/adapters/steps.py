"""Legal steps as every store enforces them: what breaks one is a programming error, whatever the row holds by then."""

from __future__ import annotations

from collections.abc import Mapping

from multiagent_bridge.model import commands, silences, tasks, yolo
from multiagent_bridge.model.commands import Command
from multiagent_bridge.model.silences import Silence
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.model.yolo import Enabling

Steps = Mapping[str, tuple[str, ...]]


def command_begins(command: Command) -> None:
    """Raises RuntimeError unless nobody has decided it yet, or a grant has approved it in advance."""
    if command.state == "approved" and command.approval is not None and command.approval.grant_id:
        return
    _begins("command", commands.STEPS, command.state)


def command_steps(command: Command, was: str) -> None:
    """Raises RuntimeError unless `was` may become `command.state` by `change`; only `start` makes one running."""
    if command.state == "running":
        raise RuntimeError("only start makes a command running")
    _steps("command", commands.STEPS, was, command.state)
    if command.state == "approved" and command.approval is None:
        raise RuntimeError("a command cannot be approved without an approval")


def command_same(found: Command | None, command: Command) -> None:
    """Raises RuntimeError when `command` asks for something else than the stored one: what was approved is what was asked."""
    if found is not None and _asked(found) != _asked(command):
        raise RuntimeError("what a command asks for never changes")


def enabling_begins(enabling: Enabling) -> None:
    """Raises RuntimeError unless it is a wish or an offer."""
    _begins("enabling", yolo.STEPS, enabling.state)


def enabling_steps(enabling: Enabling, was: str) -> None:
    """Raises RuntimeError unless `was` may become `enabling.state`."""
    _steps("enabling", yolo.STEPS, was, enabling.state)


def enabling_same(found: Enabling | None, enabling: Enabling) -> None:
    """Raises RuntimeError when the stored one is of another conversation."""
    if found is not None and found.conversation_id != enabling.conversation_id:
        raise RuntimeError("an enabling stays in its conversation")


def task_steps(task: Task, was: str) -> None:
    """Raises RuntimeError unless `was` may become `task.state`, or an unfinished task stays as it is."""
    if task.state != was or not tasks.STEPS[was]:
        _steps("task", tasks.STEPS, was, task.state)


def silence_begins(silence: Silence) -> None:
    """Raises RuntimeError unless it is a first warning."""
    _begins("silence", silences.STEPS, silence.state)


def silence_steps(silence: Silence, was: Silence) -> None:
    """Raises RuntimeError unless it stays in its state or moves to one that may follow, for the same session."""
    if (silence.conversation_id, silence.session_id) != (was.conversation_id, was.session_id):
        raise RuntimeError("a silence stays with its session")
    if silence.state != was.state:
        _steps("silence", silences.STEPS, was.state, silence.state)


def _asked(command: Command) -> tuple[str, str, str, bytes, int]:
    return command.conversation_id, command.session_id, command.digest, command.order, command.requested_at


def _begins(noun: str, steps: Steps, state: str) -> None:
    if state not in steps or any(state in after for after in steps.values()):
        raise RuntimeError(f"no {noun} begins as {state}")


def _steps(noun: str, steps: Steps, was: str, state: str) -> None:
    if state not in steps.get(was, ()):
        raise RuntimeError(f"no {noun} goes from {was} to {state}")
