"""Commands of the guard: yolo enable, disable, status; the rest of the group stands in files of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.cli.approvals import approve, deny, list_all
from multiagent_bridge.cli.codes import code
from multiagent_bridge.cli.conversations import Conv, Json
from multiagent_bridge.cli.explain import explain
from multiagent_bridge.cli.rollback import cleanup, rollback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.workspaces import Snapshot
    from multiagent_bridge.services.enablings import Standings
    from multiagent_bridge.services.hub import Hub

SNAPSHOTS = 10
"""Shown by status; `mab yolo rollback` lists them all."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Commands that a person approves: enable, approve, deny, roll back, explain.", no_args_is_help=True
    )
    group.callback()(_group)
    group.command()(enable)
    group.command()(disable)
    group.command()(status)
    group.command("list")(list_all)
    for command in (approve, code, deny, rollback, cleanup, explain):
        group.command()(command)
    app.add_typer(group, name="yolo")


def _group() -> None:
    """Commands that a person approves: enable, approve, deny, roll back, explain."""


def enable(
    conversation: Conv,
    mode: Annotated[str, typer.Option("--mode", metavar="MODE", help="safe, restricted or yolo.")],
    workspace: Annotated[
        str, typer.Option("--workspace", metavar="DIR", help="The one folder that commands may work in.")
    ],
    network: Annotated[bool, typer.Option("--network", help="Let commands reach the network.")] = False,
    sandbox: Annotated[
        str,
        typer.Option("--sandbox", metavar="NAME", help="This sandbox and no other; the best that works when left out."),
    ] = "",
    timeout: Annotated[
        int | None, typer.Option("--timeout", metavar="S", min=1, help="Seconds a command may take.")
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option(
            "--minutes", metavar="M", min=1, help="End it after so many; with the conversation when left out."
        ),
    ] = None,
) -> None:
    """Let the agents of a conversation ask for commands: shows what that means, wants a phrase and a code typed."""
    from multiagent_bridge.model.yolo import PHRASE

    person.required("enabling commands")
    folder = str(Path(workspace).absolute())
    offer = owner.run(
        lambda hub, me: hub.yolo.offer(me, conversation, mode, folder, sandbox, network, timeout, minutes)
    )
    for line in offer.lines:
        person.show(line, *_warning(line))
    phrase = person.answer(f"Type {PHRASE} to go on.")
    # the code is for who has typed the phrase; without it the service refuses, and writes that down
    code = person.answer(f"Type the code {offer.code} to enable exactly this.") if phrase == PHRASE else ""
    enabled = owner.run(lambda hub, me: hub.yolo.enable(me, offer.enabling.id, phrase, code))
    output.line(f"enabled: mode {enabled.mode}. Requests: mab yolo list. To end it: mab yolo disable {conversation}")


def disable(conversation: Conv, as_json: Json = False) -> None:
    """No more commands: ends the mode and what was approved in advance; what waits will not run."""
    ended = owner.run(lambda hub, me: hub.yolo.disable(me, conversation))
    if as_json:
        output.data({"conversation_id": conversation, "requests_ended": ended})
    else:
        output.say(f"disabled; requests ended: {ended}")


def status(
    conversation: Annotated[str | None, typer.Argument(metavar="CONV", help="Only this conversation.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is enabled, what agents wish for, what was approved in advance, and the newest snapshots."""

    async def looked(hub: Hub, me: Caller) -> tuple[Sequence[Standings], Sequence[Snapshot]]:
        return await hub.yolo.status(me, conversation), await hub.snapshots.list(me)

    standings, snapshots = owner.run(looked)
    if conversation:
        mine = [one.enabling.workspace for one in standings if one.enabling]
        snapshots = [snapshot for snapshot in snapshots if snapshot.workspace in mine]
    if as_json:
        from multiagent_bridge.cli.rollback import fields

        shown = {
            "conversations": [one.fields() for one in standings],
            "snapshots": [fields(snapshot) for snapshot in snapshots[:SNAPSHOTS]],
        }
        output.data(shown)
        return
    for one in standings:
        _print(one.fields())
    if not standings:
        output.say("nothing was ever enabled or asked for; mab yolo enable CONV --mode MODE --workspace DIR")
    if snapshots:
        from multiagent_bridge.cli.rollback import table

        output.line("newest snapshots (mab yolo rollback SNAPSHOT):")
        table(snapshots[:SNAPSHOTS])


def _print(standing: dict[str, Any]) -> None:
    name = standing["conversation_id"]
    if standing["mode"] is None:
        output.line(f"{name}: commands are not enabled")
    else:
        output.line(f"{name}: mode {standing['mode']} until {standing['until']}", "bold")
        output.line(f"  workspace  {_plain(standing['workspace'])}")
        output.line(f"  sandbox    {standing['sandbox']}, at most {standing['seconds']} s a command")
        output.line(f"  network    {'YES' if standing['network'] else 'no'}", *(["red"] if standing["network"] else []))
    for wish in standing["wishes"]:
        words = f"  wish {wish['request_id']}: session {wish['session_id']} asks for mode {wish['mode']}"
        for lead, word in (("in", wish["workspace"]), ("with sandbox", wish["sandbox"])):
            words += f" {lead} {_plain(word)}" if word else ""
        person.show(f"{words}, {wish['asked_at']}", "yellow")
    for grant in standing["grants"]:
        person.show(f"  grant {grant['grant_id']} of session {grant['session_id'] or 'any'}: {grant['scope']}")


def _plain(text: str) -> str:
    """What an agent or a file system named, so that nothing in it can pass for another letter or for ours."""
    from multiagent_bridge.guard.output import visible

    return visible(text)


def _warning(line: str) -> tuple[str, ...]:
    """The style of a line that must not be overlooked."""
    return ("red",) if line.lstrip().startswith(("LACKS", "network       YES")) else ()
