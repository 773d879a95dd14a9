"""Commands of tasks: task assign, task list, task update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Conv, Json
from multiagent_bridge.cli.messages import As, Token, caller_of, renewal, tell_renewal
from multiagent_bridge.model.callers import Credentials, Renewed

if TYPE_CHECKING:
    from multiagent_bridge.services.tasks import Shown


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Tasks: handed out, accepted under a lease, finished once.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(assign)
    group.command("list")(list_all)
    group.command()(update)
    app.add_typer(group, name="task")


def _group() -> None:
    """Tasks: handed out, accepted under a lease, finished once."""


def assign(
    conversation: Conv,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done, in one line.")],
    session: As = "a",
    description: Annotated[str | None, typer.Option("--description", help="Everything a worker must know.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="WHO", help="Session id or role; whoever accepts it when left out.")
    ] = None,
    priority: Annotated[str | None, typer.Option("--priority", help="P0 (first) to P3; P2 when left out.")] = None,
    lease: Annotated[int | None, typer.Option("--lease", metavar="S", help="Seconds a holder may be silent.")] = None,
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="TASK", help="A task that must be complete first.")
    ] = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Hand out a task as one session of a conversation."""
    given = Credentials(conversation, session, token or None, Renewed())
    done = owner.run(
        lambda hub, me: hub.tasks.assign(me, given, title, description, to, priority, lease, after or None),
        caller_of(token),
    )
    if as_json:
        output.data(done.fields() | renewal(given))
    else:
        output.line(done.task_id)
        tell_renewal(given)


def list_all(
    conversation: Conv,
    session: As = "a",
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those of the session.")] = False,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show the tasks of a conversation, what is ready and urgent first."""
    given = Credentials(conversation, session, token or None, Renewed())
    shown = owner.run(lambda hub, me: hub.tasks.list(me, given, state, mine), caller_of(token))
    if as_json:
        output.data({"tasks": [one.fields() for one in shown]} | renewal(given))
        return
    for one in shown:
        _say(one)
    if not shown:
        output.say("no tasks")
    tell_renewal(given)


def update(
    conversation: Conv,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="accept, progress, complete, fail or release.")],
    session: As = "a",
    progress: Annotated[str | None, typer.Option("--progress", help="How far it is.")] = None,
    result: Annotated[str | None, typer.Option("--result", help="What came of it.")] = None,
    fence: Annotated[int | None, typer.Option("--fence", help="The number that accept answered with.")] = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Take one step of a task as one session of a conversation."""
    given = Credentials(conversation, session, token or None, Renewed())
    done = owner.run(
        lambda hub, me: hub.tasks.update(me, given, task, action, progress, result, fence), caller_of(token)
    )
    if as_json:
        output.data(done.fields() | renewal(given))
    else:
        output.line(f"{done.task.id} {done.task.state}, fence {done.task.fence}")
        tell_renewal(given)


def _say(one: Shown) -> None:
    task = one.task
    waits = f", after {', '.join(task.depends_on)}" if task.depends_on else ""
    ready = ", ready" if one.ready else waits
    output.line(
        f"{task.id}  {task.priority}  {task.state}{ready}, with {task.assignee or 'nobody'}, fence {task.fence}"
    )
    output.block(one.title)
    for _, who, note in one.notes[-1:]:
        output.block(f"[{who}] {note}")
    if one.result:
        output.block(one.result)
