"""A client in memory that follows resources, in either protocol era."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp import Client, MCPError

from multiagent_bridge.mcp.connection import Connection, current
from multiagent_bridge.mcp.server import build
from multiagent_bridge.testing.hubs import agent
from tests.services.conftest import Pair


@dataclass
class Follower:
    """A client that follows resources; `told` is what it was told, in order."""

    era: str
    client: Client
    connection: Connection
    told: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    listening: list[asyncio.Task[None]] = field(default_factory=list)
    heard: Any = field(default_factory=anyio.Event)

    def hears(self, what: str) -> None:
        self.told.append(what)
        self.heard.set()
        self.heard = anyio.Event()

    async def follow(self, *uris: str) -> None:
        current.set(self.connection)
        if self.era == "legacy":
            for uri in uris:
                await self.subscribe(uri)
            return
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.listening.append(asyncio.create_task(self._listen(uris, opened)))
        await opened

    async def _listen(self, uris: tuple[str, ...], opened: asyncio.Future[None]) -> None:
        try:
            async with self.client.listen(resource_subscriptions=uris) as stream:
                opened.set_result(None)
                async for event in stream:
                    self.hears(getattr(event, "uri", type(event).__name__))
                self.ended.append("gracefully")
                self.hears("the end")
        except MCPError as error:
            opened.set_exception(error)

    async def leave(self) -> None:
        """Listen to nothing any more."""
        for task in self.listening:
            task.cancel()
        await asyncio.gather(*self.listening, return_exceptions=True)
        self.listening.clear()

    async def subscribe(self, uri: str, to: bool = True) -> None:
        """As the revisions of 2025 have it."""
        current.set(self.connection)
        with warnings.catch_warnings():
            # the SDK deprecates what only old clients do
            warnings.simplefilter("ignore")
            await (self.client.subscribe_resource if to else self.client.unsubscribe_resource)(uri)

    async def read(self, uri: str) -> dict[str, Any]:
        current.set(self.connection)
        found = await self.client.read_resource(uri, cache_mode="bypass")
        [content] = found.contents
        assert isinstance(content, types.TextResourceContents)
        assert (content.uri, content.mime_type) == (uri, "application/json")
        return json.loads(content.text)  # type: ignore[no-any-return]

    async def until(self, count: int) -> list[str]:
        with anyio.fail_after(60):
            while len(self.told) < count:
                await self.heard.wait()
        return self.told

    async def quiet(self) -> list[str]:
        """What it was told once everybody waits for something."""
        await anyio.wait_all_tasks_blocked()
        return self.told


@asynccontextmanager
async def following(pair: Pair, era: str, who: str = "bob") -> AsyncIterator[Follower]:
    connection = Connection(pair.hub, agent(who))
    current.set(connection)
    made: list[Follower] = []

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification) and era == "legacy":
            made[0].hears(message.params.uri)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        client = await stack.enter_async_context(
            Client(build(pair.hub), mode=era, message_handler=hear)  # type: ignore[arg-type]
        )
        made.append(Follower(era, client, connection))
        stack.push_async_callback(made[0].leave)
        yield made[0]


def uri(pair: Pair, kind: str = "inbox", session: str = "b") -> str:
    return f"mab://{kind}/{pair.made.conversation.id}/{session}"
