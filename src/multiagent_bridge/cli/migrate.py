"""Moving a whole store: mab migrate SRC DST."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid

if TYPE_CHECKING:
    from multiagent_bridge.adapters.transfer.moving import Moved
    from multiagent_bridge.config import Settings

Url = "sqlite:///PATH or postgresql://USER@HOST/DATABASE"


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    source: Annotated[str, typer.Argument(metavar="SRC", help=f"Store to move: {Url}.")],
    target: Annotated[str, typer.Argument(metavar="DST", help=f"Empty store to move it into: {Url}.")],
    as_json: Json = False,
) -> None:
    """Move a whole store, journal included, into an empty one, and verify it there."""
    from multiagent_bridge import config
    from multiagent_bridge.cli import running

    given, wanted = config.load(store=source), config.load(store=target)
    with running.none_runs(given.home):
        moved = asyncio.run(_moved(given, wanted))
    facts = {"rows": sum(moved.rows.values()), "entries": moved.head.size, "head": moved.head.last, "verified": True}
    if as_json:
        output.data(facts | {"tables": dict(moved.rows)})
        return
    output.facts({table: count for table, count in moved.rows.items() if count} | facts)
    output.say("the source is as it was: set the new store before you start a hub again, or writes go to the old one")


async def _moved(given: Settings, wanted: Settings) -> Moved:
    from multiagent_bridge import wiring
    from multiagent_bridge.adapters.names import keep_names
    from multiagent_bridge.adapters.state import prepared
    from multiagent_bridge.adapters.transfer.moving import move

    home = prepared(given.home)
    if wiring.same_store(given, wanted, home):
        raise Invalid("source and target are the same store", "name an empty store as the target")
    async with AsyncExitStack() as stack:
        # the hub that verifies it would make a file that is not there
        await wiring.place_of(given, home, stack, made=False)
    await _verify(given)
    async with AsyncExitStack() as stack:
        source = await wiring.place_of(given, home, stack, made=False)
        moved = await move(source, await wiring.place_of(wanted, home, stack, made=True))
    # at once: it has moved, whatever comes of the second look at it
    if not wiring.is_postgres(given.store_url) and wiring.is_postgres(wanted.store_url):
        keep_names(home)
    await _verify(wanted)
    return moved


async def _verify(settings: Settings) -> None:
    """Every entry, link, checkpoint and signature. Raises Tampered for the first that is wrong."""
    from multiagent_bridge import wiring

    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(settings, stack)
        await hub.journal.verify()
