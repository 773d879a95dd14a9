"""`mab status --watch`: the status again whenever something moved. A store that is away is told of and waited for."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multiagent_bridge.cli import output
from multiagent_bridge.cli.following import FIRST_PAUSE
from multiagent_bridge.cli.running import Running, look
from multiagent_bridge.cli.status.page import page
from multiagent_bridge.cli.status.screen import Screen, drawable
from multiagent_bridge.cli.status.seen import Away, seen, stored
from multiagent_bridge.errors import TooFast, Unavailable
from multiagent_bridge.services.overview import Latest
from multiagent_bridge.services.ringing import JOURNAL

if TYPE_CHECKING:
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.ports import Clock
    from multiagent_bridge.services.hub import Hub

REFRESH_SECONDS = 5.0
"""How often it looks although nobody rang: sessions fall silent without a word. Also the longest pause between two tries."""

SETTLE_SECONDS = 0.25
"""The shortest time between two looks, however much is written."""

GREETING_SECONDS = 1.0
"""So long a hub may take to answer: whoever leaves waits no longer than that."""

PIPED = 200
"""Conversations that are shown where there is no terminal whose rows would say how many."""

ROWS_EACH = 3
"""A conversation takes as many rows or more: it has two sessions at least."""

COUNTED = frozenset({"conversation.create", "conversation.import", "conversation.erase"})
"""Acts after which there are more conversations, or fewer."""

_GONE = "it is gone, or another was put in its place"


@dataclass(frozen=True, slots=True)
class Station:
    """Where a watch looks. `stored` tells one store from another that took its place, None while there is none."""

    settings: Settings
    opened: Callable[[], AbstractAsyncContextManager[Hub]]
    caller: Caller
    clock: Clock
    stored: Callable[[], object]
    greeted: Callable[[], Awaitable[Running]]
    """The hub of this machine, as it answers now. Raises OSError."""


class Watch:
    """Tells `show` of every change, until it is cancelled. `room` is how many conversations are shown at most."""

    def __init__(self, station: Station, show: Callable[[dict[str, Any]], None], room: Callable[[], int]) -> None:
        self._station = station
        self._show = show
        self._room = room
        self._hub = Running("none")
        self._greeted = float("-inf")
        self._latest = Latest((), (), 0)
        self._at = station.clock.now()
        self._total: int | None = None
        self.looks = 0
        """How often the store was looked at."""
        self._away: Away | None = None
        self._told: dict[str, Any] | None = None

    async def run(self) -> None:
        """Go on until cancelled. Raises what no waiting mends (Tampered, Invalid)."""
        pause = FIRST_PAUSE
        while True:
            looks = self.looks
            try:
                await self._follow()
            except (Unavailable, TooFast) as error:
                pause = FIRST_PAUSE if self.looks != looks else min(pause * 2, REFRESH_SECONDS)
                self._tell(error)
            await asyncio.sleep(min(pause, REFRESH_SECONDS))

    async def _follow(self) -> None:
        """Look at the store until it cannot be used, or another took its place; return while there never was one."""
        await self._greet()
        there = self._station.stored()
        if there is None and not self.looks:
            self._tell()
            return
        if there is None:
            raise Unavailable(_GONE)
        async with self._station.opened() as hub, hub.bell.listen(JOURNAL) as ear:
            self._total = None
            while True:
                if self._station.stored() != there:
                    raise Unavailable(_GONE)
                until = time.monotonic() + REFRESH_SECONDS
                await self._look(hub)
                # whatever is written rings the bell, heartbeats as well: only a longer journal is news
                while (left := until - time.monotonic()) > 0:
                    await ear.wait(left)
                    await asyncio.sleep(SETTLE_SECONDS)
                    if (await hub.journal.head()).size != self._latest.size:
                        break
                await self._greet()

    async def _look(self, hub: Hub) -> None:
        latest = await hub.overview.latest(self._station.caller, max(1, self._room()))
        if self._total is None or self._recounted(latest):
            self._total = await hub.conversations.count(self._station.caller)
        self._latest, self._at = latest, self._station.clock.now()
        self.looks += 1
        self._tell()

    def _recounted(self, latest: Latest) -> bool:
        """Whether there may be more conversations than at the last look, or fewer."""
        fresh = [entry for entry in latest.entries if entry.seq > self._latest.size]
        unseen = latest.size - self._latest.size != len(fresh)
        return unseen or any(entry.action in COUNTED and entry.outcome == "done" for entry in fresh)

    async def _greet(self) -> None:
        if time.monotonic() - self._greeted >= REFRESH_SECONDS:
            try:
                self._hub = await self._station.greeted()
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise Unavailable(f"the state directory cannot be looked at: {reason}", "mab doctor") from error
            self._greeted = time.monotonic()

    def _tell(self, error: Unavailable | TooFast | None = None) -> None:
        """Show how everything stands, or that the store is away because of `error`, if it is not shown already."""
        if error is None:
            self._away = None
        else:
            since = self._station.clock.now() if self._away is None else self._away.since
            self._away = Away(since, error.sentence, error.hint)
        rows, newest = self._latest.rows, _last(self._latest.entries)
        more = max(0, (self._total or 0) - len(rows))
        told = seen(self._station.settings, self._hub, rows, newest, self._at, more, self._away)
        if told != self._told:
            self._told = told
            self._show(told)


def _last(entries: Sequence[Entry]) -> Entry | None:
    return entries[-1] if entries else None


class Drawn:
    """A watch on a terminal: the last look, drawn anew for the terminal's size."""

    def __init__(self, screen: Screen, shared: bool) -> None:
        self._screen = screen
        self._shared = shared
        self._told: dict[str, Any] | None = None

    def show(self, told: dict[str, Any]) -> None:
        self._told = told
        self.redraw()

    def redraw(self) -> None:
        if self._told is not None:
            columns, rows = self._screen.size()
            # in the last column some terminals erase what stands there
            self._screen.draw(page(self._told, self._shared).fitted(columns - 1, rows))

    def room(self) -> int:
        return self._screen.size()[1] // ROWS_EACH + 1

    def resized(self) -> None:
        self._screen.forget()
        self.redraw()

    def suspended(self) -> None:
        self._screen.suspend(self.redraw)


class Blocks:
    """A watch that is piped somewhere: a block of lines a look, an empty line between two; or a JSON line a look."""

    def __init__(self, as_json: bool, shared: bool) -> None:
        self._as_json = as_json
        self._shared = shared
        self._first = True

    def show(self, told: dict[str, Any]) -> None:
        if self._as_json:
            output.json_line(told)
            return
        if not self._first:
            output.line("")
        self._first = False
        for text, style in page(told, self._shared).lines():
            output.line(text, *style)

    def room(self) -> int:
        return PIPED


async def run(as_json: bool) -> None:
    """Show it until the person leaves. Raises what ended it otherwise."""
    from multiagent_bridge import config, wiring

    settings = config.load()
    await follow(station(settings), as_json, wiring.store_file(settings) is None)


async def follow(place: Station, as_json: bool, shared: bool) -> None:
    """Show what is seen from there, on a terminal by drawing over it. Raises what ended it."""
    if as_json or not drawable():
        blocks = Blocks(as_json, shared)
        await _until_left(Watch(place, blocks.show, blocks.room), {})
        return
    with Screen() as screen:
        drawn = Drawn(screen, shared)
        turns = {signal.SIGWINCH: drawn.resized, signal.SIGTSTP: drawn.suspended}
        await _until_left(Watch(place, drawn.show, drawn.room), turns, signal.SIGHUP)


async def _until_left(watch: Watch, turns: Mapping[signal.Signals, Callable[[], None]], *ends: signal.Signals) -> None:
    """Watch until one of `ends`, SIGTERM or Ctrl-C, so that the terminal is given back; `turns` are signals meanwhile."""
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(watch.run())
    for number, turn in turns.items():
        loop.add_signal_handler(number, turn)
    for number in (signal.SIGTERM, *ends):
        loop.add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        # Ctrl-C cancels us, and the status says so
        if (here := asyncio.current_task()) is not None and here.cancelling():
            raise


def station(settings: Settings) -> Station:
    """By the settings of this place."""
    from multiagent_bridge.adapters.system import SystemClock
    from multiagent_bridge.cli import owner

    async def greeted() -> Running:
        return await asyncio.to_thread(look, settings.home, GREETING_SECONDS)

    return Station(settings, owner.hub, owner.owner(), SystemClock(), lambda: stored(settings), greeted)
