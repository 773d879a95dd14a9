"""A watched status over a store in memory that goes away and comes back when a test says so, in this process or its own.

As a program it draws on its terminal and obeys `away`, `back`, `new` and `end`, a word a line of standard input.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.cli.running import Running
from multiagent_bridge.cli.status import watch
from multiagent_bridge.cli.status.watch import Station, Watch
from multiagent_bridge.config import Settings
from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

T = TypeVar("T")

SECONDS = 60.0
"""Longest wait for anything that must come."""

DOWN = Unavailable("the database server does not answer", "start it")


class FailingStore(MemoryStore):
    """Raises `failing` instead of working, while there is one."""

    failing: BridgeError | None = None

    async def read(self, work: Callable[[Tx], Awaitable[T]], **how: Any) -> T:
        if self.failing is not None:
            raise self.failing
        return await super().read(work, **how)

    async def write(self, work: Callable[[Tx], Awaitable[T]], **how: Any) -> T:
        if self.failing is not None:
            raise self.failing
        return await super().write(work, **how)


class Stage:
    """The store, the hub over it, and what a watch of it has shown."""

    def __init__(self) -> None:
        self.store = FailingStore()
        self.world = memory_hub(store=self.store)
        self.there: object = 1
        self.at_hub = Running("none")
        self.opened = self.made = 0
        self.greeting: OSError | None = None
        self.shown: list[dict[str, Any]] = []
        self.room = 8
        self.ended: Callable[[], bool] = lambda: False
        self.watch = Watch(self.station(), self.shown.append, lambda: self.room)

    def station(self) -> Station:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Hub]:
            if self.store.failing is not None:
                raise self.store.failing
            self.opened += 1
            yield self.world.hub

        async def greeted() -> Running:
            if self.greeting is not None:
                raise self.greeting
            return self.at_hub

        return Station(Settings(), opened, OWNER, self.world.clock, lambda: self.there, greeted)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Until the block ends, which sees the first look. Raises what ended the watch by itself."""
        watching = asyncio.create_task(self.watch.run())
        self.ended = watching.done
        try:
            await self.until(lambda: self.shown or self.ended())
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        if not watching.cancelled():
            watching.result()

    @property
    def last(self) -> dict[str, Any]:
        return self.shown[-1]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.001)

    async def looks(self, more: int) -> None:
        """So many further looks at the store."""
        goal = self.watch.looks + more
        await self.until(lambda: self.watch.looks >= goal)

    async def created(self) -> str:
        self.made += 1
        made = await self.world.hub.conversations.create(agent(f"agent {self.made}"), "backend", "frontend")
        return made.conversation.id

    async def many(self, count: int) -> None:
        """So many conversations, made long ago: no entry tells of them."""
        now = self.world.clock.now()

        async def added(tx: Tx) -> None:
            for number in range(count):
                one = f"conv_{number:012x}"
                await tx.conversations.add(Conversation(one, now - count + number, now + 10**12, b""))
                for session in ("a", "b"):
                    await tx.sessions.add(Session(one, session, "backend"))

        await self.store.write(added)


def often() -> None:
    """Look all the time: what a test waits for comes at once."""
    watch.REFRESH_SECONDS, watch.SETTLE_SECONDS, watch.FIRST_PAUSE = 0.01, 0.0, 0.01


async def play() -> None:
    stage = Stage()
    await stage.created()
    following = asyncio.create_task(watch.follow(stage.station(), "--json" in sys.argv, shared=False))

    def obey() -> None:
        for word in os.read(0, 1024).decode().split():
            if word == "new":
                started.append(asyncio.create_task(stage.created()))
            elif word == "end":
                following.cancel()
            else:
                stage.store.failing = DOWN if word == "away" else None

    started: list[asyncio.Task[str]] = []
    asyncio.get_running_loop().add_reader(0, obey)
    await asyncio.wait([following])


if __name__ == "__main__":
    # so that Ctrl-C there is one here
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    often()
    try:
        asyncio.run(play())
    except KeyboardInterrupt:
        sys.exit(130)
