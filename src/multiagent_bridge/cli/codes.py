"""`mab yolo code`: the code that approves commands on the dashboard, shown where no page and no cookie can read it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.cli.approvals import REFRESH_SECONDS, scope_of, show, what
from multiagent_bridge.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.approvals import Proposal
    from multiagent_bridge.services.hub import Hub


def code(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="These together; each that waits when left out.")
    ] = None,
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
    watch: Annotated[bool, typer.Option("--watch", help="Each as it comes, too, until Ctrl-C.")] = False,
) -> None:
    """Show commands whole, with the code to type on the dashboard's page that shows the same."""
    person.required("showing codes")
    if ids:
        if watch:
            raise Invalid("--watch and ids do not go together", "leave one of them out")
        scope = scope_of(ids, words, minutes, runs)
        tell(owner.run(lambda hub, me: hub.approvals.propose(me, ids, scope)))
        return
    if (words, minutes, runs) != (None, None, None):
        raise Invalid("what is approved in advance follows one command", "name its ID")
    asyncio.run(_each(watch))


def tell(proposal: Proposal) -> None:
    """What a code approves, and below it the code: nobody gets at it without having passed the rest."""
    show(proposal)
    output.line(
        f"Type the code {proposal.code} where the page shows the same, digest included, to approve {what(proposal)}.",
        "bold",
    )


async def follow(hub: Hub, me: Caller, watch: bool = True) -> int:
    """Tell each command that waits, with `watch` also each that will, until cancelled. Returns how many were told."""
    from multiagent_bridge.services.topics import APPROVALS

    told: set[str] = set()
    async with hub.bell.listen(APPROVALS) as ear:
        while True:
            for request in await hub.approvals.waiting(me):
                if request.command.id not in told:
                    told.add(request.command.id)
                    await _one(hub, me, request.command.id)
            if not watch:
                return len(told)
            await ear.wait(REFRESH_SECONDS)


async def _one(hub: Hub, me: Caller, command_id: str) -> None:
    try:
        proposal = await hub.approvals.propose(me, [command_id])
    except (Conflict, NotFound):
        # decided since the list was read
        return
    tell(proposal)


async def _each(watch: bool) -> None:
    async with owner.hub() as hub:
        if watch:
            output.say("codes appear here as commands are asked for, until Ctrl-C")
        if not await follow(hub, owner.owner(), watch):
            output.say("nothing waits for you")
