"""`mab keepalive`: heartbeats for a session whose client sleeps, and a line for each mail that came meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid, NotFound
from multiagent_bridge.model.callers import Caller, Credentials

if TYPE_CHECKING:
    from multiagent_bridge.cli.following import Patience
    from multiagent_bridge.ports import Ear
    from multiagent_bridge.services.hub import Hub
    from multiagent_bridge.services.watches import Followed

INTERVAL = 30.0


def register(app: typer.Typer) -> None:
    app.command()(keepalive)


def keepalive(
    conversation: Annotated[
        str | None, typer.Option("--conversation", "-c", metavar="CONV", help="Left out: the only one there is.")
    ] = None,
    session: Annotated[str, typer.Option("--session", "-s", help="The session to keep alive.")] = "a",
    token_file: Annotated[
        Path | None, typer.Option(help="File (0600) with the session's token; else MAB_TOKEN, else as the owner.")
    ] = None,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two heartbeats.")] = INTERVAL,
    as_json: Json = False,
) -> None:
    """Keep a session alive while its client sleeps, and print a line for each new mail. Marks nothing read. Until Ctrl-C."""
    token = _token(token_file)
    me = Caller(agent="", name="keepalive", peer=owner.owner().peer) if token else owner.owner()
    if token and not conversation:
        raise Invalid("a token is one of a conversation", "mab keepalive --conversation CONV --session SESSION")
    asyncio.run(_kept(me, Credentials(conversation, session, token), interval, as_json))


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the environment; None for the owner. Raises Unavailable, NotFound."""
    if file is None:
        return os.environ.get("MAB_TOKEN") or None
    from multiagent_bridge.adapters.state import read_secret

    content = read_secret(file.absolute())
    if content is None:
        raise NotFound(f"there is no token file {file}", "mab tokens CONV shows the tokens")
    return content.decode("ascii", "replace").strip()


async def _kept(me: Caller, given: Credentials, interval: float, as_json: bool) -> None:
    from multiagent_bridge.cli.following import Patience, leaving
    from multiagent_bridge.services.topics import inbox

    leave = leaving()
    async with owner.hub() as hub:
        if given.conversation_id is None:
            given = Credentials(await _only(hub), given.session_id)
        place = inbox(given.conversation_id or "", given.session_id or "")
        async with hub.bell.listen(place) as ear:
            cursor = (await hub.journal.head()).size
            # who may not do this hears so at once; what is locked only later is waited for
            first = await hub.watches.follow(me, given, cursor)
            if first.unread:
                _say({"event": "waiting", "unread": first.unread}, f"unread: {first.unread}", as_json)
            await _beating(hub, me, given, first.cursor, interval, ear, Patience(leave), leave, as_json)


async def _beating(
    hub: Hub, me: Caller, given: Credentials, cursor: int, interval: float, ear: Ear, patience: Patience,
    leave: asyncio.Event, as_json: bool,
) -> None:  # fmt: skip
    """Heartbeats and lines until the process is to end. Raises Refused, NotAllowed, NotFound when the session's time is over."""
    from multiagent_bridge.cli.following import Telling, rung

    due, telling = time.monotonic(), Telling(hub, me, given, patience)
    while not leave.is_set():
        if time.monotonic() >= due:
            await patience.tried(lambda: hub.status.heartbeat(me, given))
            due = time.monotonic() + interval
        await rung((ear,), leave, await telling.due(due - time.monotonic()))
        found = await patience.tried(lambda after=cursor: hub.watches.follow(me, given, after))  # type: ignore[misc]
        if found is None:
            break
        cursor = found.cursor
        _told(found, as_json)
        telling.add(found.events)
    await telling.end()


def _told(found: Followed, as_json: bool) -> None:
    """Print a line for each new mail."""
    for event in found.events:
        if event.event == "mail":
            line = {"unread": found.unread, **event.fields()}
            role = f" ({event.role})" if event.role else ""
            _say(line, f"unread: {found.unread}; message {event.target} from {event.sender}{role}", as_json)


async def _only(hub: Hub) -> str:
    """The one conversation there is. Raises Invalid."""
    now = owner.owner()
    living = [place.conversation for place in (await hub.conversations.list(now)).places]
    clock = time.time_ns() // 1000
    found = [conversation.id for conversation in living if not conversation.expired(clock)]
    if len(found) != 1:
        raise Invalid(f"{len(found)} conversations are open", "mab keepalive --conversation CONV --session SESSION")
    return found[0]


def _say(fields: dict[str, object], line: str, as_json: bool) -> None:
    if as_json:
        output.json_line(fields)
    else:
        output.line(line)
