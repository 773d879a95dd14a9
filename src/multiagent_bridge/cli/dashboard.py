"""`mab dashboard`: a one-time link to the dashboard of the hub that serves HTTP, or of one served here and now."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid

if TYPE_CHECKING:
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.browsers import Browser, Made
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.hub import Hub

EVERY = "all"


def register(app: typer.Typer) -> None:
    app.command()(dashboard)


def dashboard(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the sign-in page, at a terminal with a desktop.")
    ] = True,
    list_all: Annotated[bool, typer.Option("--list", help="Show who is signed in.")] = False,
    sign_out: Annotated[
        str | None, typer.Option("--sign-out", metavar="ID", help="End the sign-in of a browser, or of all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a one-time link that signs a browser in to the dashboard; serve it here when no hub serves HTTP."""
    if list_all and sign_out is not None:
        raise Invalid("--list and --sign-out do not go together", "say one of them")
    if list_all:
        _list(as_json)
    elif sign_out is not None:
        _sign_out(sign_out)
    else:
        asyncio.run(_linked(browser, as_json))


async def _linked(browser: bool, as_json: bool) -> None:
    from multiagent_bridge import config, wiring
    from multiagent_bridge.adapters.state import prepared
    from multiagent_bridge.cli import places

    settings = config.load()
    home = prepared(settings.home)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(settings, stack)
        url = await places.place(home)
        served = None if url is not None else await _served(hub, settings, home, stack)
        made = await hub.browsers.link(owner.owner())
        _tell(url or served or "", made, browser, as_json)
        if served is None:
            return
        output.say(f"serving the dashboard at {served} until Ctrl-C; mab dashboard makes another link")
        await _until_left(hub)


async def _until_left(hub: Hub) -> None:
    """Wait for the end; at a terminal each command that waits is told meanwhile, with its code for the page."""
    from multiagent_bridge.cli import codes
    from multiagent_bridge.cli.following import leaving

    tasks: list[asyncio.Task[object]] = [asyncio.create_task(leaving().wait())]
    if sys.stdin.isatty() and sys.stdout.isatty():
        tasks.append(asyncio.create_task(codes.follow(hub, owner.owner())))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _served(hub: Hub, settings: Settings, home: Path, stack: AsyncExitStack) -> str:
    """Serve the dashboard alone on a free port of loopback, until `stack` unwinds. Returns its URL."""
    from starlette.responses import PlainTextResponse

    from multiagent_bridge import telemetry
    from multiagent_bridge.adapters.system import SystemClock
    from multiagent_bridge.cli import places
    from multiagent_bridge.web.dashboard import Dashboard
    from multiagent_bridge.web.face import HttpFace, Place

    telemetry.start(None, settings.hub.log_level, hub.redaction.text)
    nowhere = PlainTextResponse("no agents here: mab serve --http\n", 404)
    window = Dashboard(hub, SystemClock().now)
    where = Place("127.0.0.1:0")
    face = HttpFace(where, nowhere, hub.identities, hub.journal.refused, hub.journal.head, (), window)

    async def leave() -> None:
        """Nothing but the dashboard is held open."""

    await face.open(stack, leave)
    places.announce(stack, home / places.DASHBOARD, face, window.proof)
    return face.url


def _tell(url: str, made: Made, browser: bool, as_json: bool) -> None:
    from multiagent_bridge.model.instants import microseconds_to_iso

    # behind # nothing is sent, so that no log and no proxy has it
    link = f"{url}/sign-in#{made.code}"
    if as_json:
        output.json_line({"url": link, "code": made.code, "expires_at": microseconds_to_iso(made.expires_at)})
        return
    output.line(link)
    output.say("opens the dashboard once, within a minute; keep it to yourself")
    if browser and sys.stdout.isatty() and _desktop():
        # without the code: a command line can be read by everybody on this machine
        webbrowser.open(f"{url}/sign-in")
        output.say(f"code: {made.code}")


def _desktop() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _list(as_json: bool) -> None:
    found = owner.run(lambda hub, me: hub.browsers.list(me))
    if as_json:
        output.data([fields(one) for one in found])
        return
    rows = []
    for one in found:
        shown = fields(one)
        rows.append((one.id, one.name, " ".join(one.roles), *(str(shown[name]) for name in INSTANTS)))
    output.table(["browser", "name", "roles", "signed in", "last seen", "expires"], rows)
    if not rows:
        output.say("nobody is signed in")


def _sign_out(which: str) -> None:
    async def ended(hub: Hub, me: Caller) -> Sequence[Browser]:
        wanted = [one.id for one in await hub.browsers.list(me)] if which == EVERY else [which]
        return [await hub.browsers.revoke(me, one) for one in wanted]

    for one in owner.run(ended):
        output.say(f"{one.id} ({one.name}) is signed out")


INSTANTS = ("signed_in_at", "seen_at", "expires_at")


def fields(browser: Browser) -> dict[str, object]:
    """A browser as `--json` shows it: without what could open anything."""
    from multiagent_bridge.model.instants import microseconds_to_iso

    return {
        "browser_id": browser.id,
        "name": browser.name,
        "roles": list(browser.roles),
        "conversations": None if browser.conversations is None else list(browser.conversations),
        "key_id": browser.key or None,
        **{name: microseconds_to_iso(getattr(browser, name)) for name in INSTANTS},
    }
