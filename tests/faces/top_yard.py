"""`mab top` in a screen of its own, over a hub in memory or a real one, driven by Textual's pilot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot

from multiagent_bridge.cli.top.app import Top
from multiagent_bridge.cli.top.feed import Feed, Station
from multiagent_bridge.cli.top.widgets import Lines, Pane, Sheet
from multiagent_bridge.ports import Clock
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.hubs import OWNER

SECONDS = 90.0
"""Longest wait for anything that must come."""


@dataclass
class Watched:
    """A person before `mab top`: what they see, and the keys they press."""

    app: Top
    pilot: Pilot[None]

    @property
    def screen(self) -> list[str]:
        """Every row of the screen as it is drawn."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.screen)

    def pane(self, name: str) -> list[tuple[str, ...]]:
        """The cells of the rows of a pane, in sight or not."""
        return [row.cells for row in self.app.screen_stack[0].query_one(f"#{name}", Pane).rows]

    def line(self, name: str) -> str:
        """What a bar below the panes says, or one of the dialog."""
        return self.app.screen.query_one(f"#{name}", Lines).text

    @property
    def said(self) -> str:
        return self.app.screen_stack[0].query_one("#said", Lines).text

    @property
    def sheet(self) -> str:
        """The text of the dialog that is open."""
        return self.app.screen.query_one(Sheet).text

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, words: str) -> None:
        names = {" ": "space", "-": "minus", "_": "underscore", "/": "slash"}
        await self.pilot.press(*(names.get(letter, letter) for letter in words))

    async def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait for the condition to hold and return its value; fail showing the screen."""
        try:
            async with asyncio.timeout(SECONDS):
                while not (found := condition()):
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {SECONDS} s: {what}\n{self.text}") from None
        await self.pilot.pause()
        return found

    async def dialog(self, kind: type) -> None:
        await self.until(lambda: isinstance(self.app.screen, kind) and self.app.screen.is_mounted, kind.__name__)

    async def focus(self, name: str) -> None:
        """Go to a pane by its keys."""
        letter = {"approvals": "a", "agents": "s", "conversations": "c", "journal": "j"}[name]
        await self.press("g", letter)
        await self.until(lambda: self.app.focused is not None and self.app.focused.id == name, f"at {name}")


async def running() -> str:
    return "hub: running, process 1, version 1, 2 connected"


def station(hub: Hub, clock: Clock, stored: Callable[[], object] = lambda: 1) -> Station:
    """A store that this process holds."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Hub]:
        yield hub

    return Station(opened, OWNER, clock, stored, running)


@asynccontextmanager
async def watching(place: Station, columns: int = 80, lines: int = 24) -> AsyncIterator[Watched]:
    """Until the block ends. Raises what made the program end by itself."""
    feed = Feed(place)
    app = Top(feed, place.clock)
    async with app.run_test(size=(columns, lines)) as pilot:
        here = Watched(app, pilot)
        await here.until(lambda: feed.settled.is_set() or app.failed or feed.seen.away, "the first look")
        yield here
    if app.failed is not None:
        raise app.failed
