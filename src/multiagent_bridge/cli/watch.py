"""`mab watch`: a line within milliseconds of mail, a step of a task or a command; never what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import BridgeError, Invalid
from multiagent_bridge.model.callers import Credentials

if TYPE_CHECKING:
    from multiagent_bridge.adapters.alerts.command import Command
    from multiagent_bridge.adapters.alerts.delivery import Delivery, Notice
    from multiagent_bridge.model.events import Event

TICK_SECONDS = 5.0
"""How often it looks without having heard anything: then it sees that a session was revoked or its time is over."""

WIDTH = 4
"""Programs of `--exec` that run at once."""


def register(app: typer.Typer) -> None:
    app.command()(watch)


def watch(
    conversation: Annotated[str | None, typer.Argument(metavar="CONV", help="Only this conversation.")] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "-s", help="Only what is for this session; its senders see it as notified."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="CMD", help="Run this for each line; the notice is its standard input."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a line as soon as mail comes, a task moves or a command goes on. Ids and roles, never what was said."""
    from multiagent_bridge.adapters.alerts.command import Command

    if session is not None and conversation is None:
        raise Invalid("a session is watched in its conversation", "mab watch CONV --session SESSION")
    asyncio.run(_watched(conversation, session, Command.of(command) if command is not None else None, as_json))


async def _watched(conversation: str | None, session: str | None, command: Command | None, as_json: bool) -> None:
    from multiagent_bridge.adapters.alerts.delivery import Delivery
    from multiagent_bridge.cli.following import Patience, Telling, leaving, rung
    from multiagent_bridge.cli.watchdog import not_delivered
    from multiagent_bridge.services.ringing import JOURNAL
    from multiagent_bridge.services.topics import inbox, tasks_topic

    me, given, leave = owner.owner(), Credentials(conversation, session), leaving()
    patience = Patience(leave)
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(owner.hub())

        async def failed(name: str, notice: Notice, error: BridgeError) -> None:
            await not_delivered(hub, me, output.say, name, notice, error)

        # a session hears its own bells alone: a hundred watchers are not woken by every write of anybody
        topics = [inbox(conversation, session), tasks_topic(conversation)] if session and conversation else [JOURNAL]
        ears = [await stack.enter_async_context(hub.bell.listen(topic)) for topic in topics]
        delivery = await stack.enter_async_context(Delivery([command] if command else [], failed, WIDTH))
        begun = await hub.watches.follow(me, given, (await hub.journal.head()).size)
        await hub.journal.note(me, "journal.watch", conversation or "", {"session": session or ""}, conversation or "")
        cursor = begun.cursor
        if begun.unread:
            _waiting(begun.unread, as_json)
        telling = Telling(hub, me, given, patience)
        while not leave.is_set():
            found = await patience.tried(lambda after=cursor: hub.watches.follow(me, given, after))  # type: ignore[misc]
            if found is None:
                break
            cursor = found.cursor
            _shown(found.events, delivery, as_json)
            telling.add(found.events)
            await rung(ears, leave, await telling.due(TICK_SECONDS))
        await telling.end()


def _shown(events: Sequence[Event], delivery: Delivery, as_json: bool) -> None:
    from multiagent_bridge.cli.following import words

    for event in events:
        if as_json:
            output.json_line(event.fields())
        else:
            output.line(words(event))
        delivery.hand(event.fields())


def _waiting(unread: int, as_json: bool) -> None:
    """What waited before the watch began."""
    if as_json:
        output.json_line({"event": "waiting", "unread": unread})
    else:
        output.line(f"unread: {unread}")
