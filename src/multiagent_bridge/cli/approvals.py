"""Commands of approvals: yolo list, approve, deny. A person decides; no agent, argument or environment can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.approvals import Approved, Proposal, Request, Scope
    from multiagent_bridge.services.hub import Hub

REFRESH_SECONDS = 5.0
"""How often a watched list is looked at although nobody rang: requests lapse without a word."""

WISH = "yolo_"
"""How the ids begin under which agents ask for a mode."""

Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids that mab yolo list shows.")]


def list_all(
    conversation: Annotated[str | None, typer.Argument(metavar="CONV", help="Only this conversation.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those decided and done, too; newest first.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again whenever it changes, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """List the commands that wait for a person, each whole, with the seconds that are left."""
    if watch:
        asyncio.run(_watched(conversation, every, as_json))
        return
    _print(*owner.run(lambda hub, me: _looked(hub, me, conversation, every)), as_json)


async def _looked(hub: Hub, me: Caller, conversation: str | None, every: bool) -> tuple[Sequence[Request], int]:
    """The requests, and how many wishes for a mode wait beside them."""
    requests = await hub.approvals.waiting(me, conversation, every)
    return requests, sum(len(one.wishes) for one in await hub.yolo.status(me, conversation))


async def _watched(conversation: str | None, every: bool, as_json: bool) -> None:
    from multiagent_bridge.services.topics import APPROVALS

    before: object = None
    async with owner.hub() as hub, hub.bell.listen(APPROVALS) as ear:
        while True:
            requests, wishes = await _looked(hub, owner.owner(), conversation, every)
            now = [(request.command.id, request.command.state) for request in requests], wishes
            if now != before:
                before = now
                _again(requests, wishes, as_json)
            await ear.wait(REFRESH_SECONDS)


def _again(requests: Sequence[Request], wishes: int, as_json: bool) -> None:
    if as_json:
        output.json_line([request.fields() for request in requests])
        return
    output.clear()
    _print(requests, wishes, as_json=False)


def _print(requests: Sequence[Request], wishes: int, as_json: bool) -> None:
    if as_json:
        output.data([request.fields() for request in requests])
        return
    for request in requests:
        _show(request.lines)
    if wishes:
        output.say(f"agents wish for a mode ({wishes}): mab yolo status")
    elif not requests:
        output.say("nothing waits for you")


def _show(lines: Sequence[str]) -> None:
    """A request, its first line standing out, and what must not be overlooked in it."""
    for at, line in enumerate(lines):
        risky = line.startswith(("  LACKS ", "  advice ", "  network   YES"))
        person.show(line, *(("bold",) if at == 0 else ("red",) if risky else ()))


def show(proposal: Proposal) -> None:
    """All that the code of the proposal would approve."""
    for request in proposal.requests:
        _show(request.lines)
    if proposal.beyond:
        person.show(f"AND IN ADVANCE, without asking again: {proposal.beyond}", "red")


def what(proposal: Proposal) -> str:
    """What its code approves, in words for a sentence."""
    count = len(proposal.requests)
    exactly = "this command" if count == 1 else f"these {count} commands"
    return f"{exactly}{' and what is said of it' if proposal.beyond else ''}"


def approve(
    ids: Ids,
    words: Annotated[
        int | None,
        typer.Option("--words", metavar="N", help="In advance, too: commands that begin with its first N words."),
    ] = None,
    minutes: Annotated[
        int | None, typer.Option("--minutes", metavar="M", help="In advance for so long; 30 when left out.")
    ] = None,
    runs: Annotated[
        int | None, typer.Option("--runs", metavar="N", help="In advance so many times; 20 when left out.")
    ] = None,
    token: Annotated[
        bool, typer.Option("--token", help="Print the approval tokens, too; the agents that asked need none.")
    ] = False,
) -> None:
    """Show commands whole and approve exactly them, by typing back the one code shown for them."""
    person.required("approving commands")
    scope = scope_of(ids, words, minutes, runs)

    proposal = owner.run(lambda hub, me: hub.approvals.propose(me, ids, scope))
    show(proposal)
    typed = person.answer(f"Type the code {proposal.code} to approve {what(proposal)}.")
    for done in owner.run(lambda hub, me: hub.approvals.approve(me, ids, typed, scope)):
        _say(done, token)


def scope_of(ids: Sequence[str], words: int | None, minutes: int | None, runs: int | None) -> Scope | None:
    """What is approved beyond the command itself, if anything is."""
    from multiagent_bridge.services.approvals import Scope

    if words is None:
        if minutes is not None or runs is not None:
            raise Invalid("--minutes and --runs need --words", "--words 1 means: its first word, with any arguments")
        return None
    if len(ids) > 1:
        raise Invalid("only one command at a time is approved in advance", "leave out --words, or approve one ID")
    given = {"minutes": minutes, "runs": runs}
    return Scope(words, **{name: value for name, value in given.items() if value is not None})


def _say(done: Approved, token: bool) -> None:
    fields = done.fields()
    grant = f", in advance as {fields['grant_id']}" if fields["grant_id"] else ""
    output.line(f"approved  {fields['command_id']}  until {fields['expires_at']}{grant}", "green")
    if token:
        output.line(f"token     {fields['approval_token']}")


def deny(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What the agent is told.")] = "",
) -> None:
    """Say no to commands, or to an agent's wish for a mode."""
    wishes = [one for one in ids if one.startswith(WISH)]
    commands = [one for one in ids if not one.startswith(WISH)]

    async def denied(hub: Hub, me: Caller) -> int:
        count = await hub.approvals.deny(me, commands, reason) if commands else 0
        for wish in wishes:
            await hub.yolo.deny(me, wish, reason)
        return count + len(wishes)

    output.say(f"denied: {owner.run(denied)}")
