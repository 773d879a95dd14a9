"""The same subscriptions where each request comes by itself: over HTTP, behind a bearer token."""

from __future__ import annotations

import asyncio
import secrets
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
import pytest
import uvicorn
from mcp import Client, MCPError

from multiagent_bridge.mcp.server import build
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from tests.clients.conformance_app import mounted, with_token
from tests.services.teams import PLENTY

pytestmark = pytest.mark.anyio


@dataclass
class Served:
    world: TestHub
    url: str


@asynccontextmanager
async def serving(stateless: bool = False) -> AsyncIterator[Served]:
    world, token = memory_hub(PLENTY), secrets.token_hex(32)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        app = with_token(mounted(build(world.hub), url, token, stateless), token)
        web = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        running = asyncio.create_task(web.serve(sockets=[listening]))
        try:
            with anyio.fail_after(60):
                while not web.started:
                    await asyncio.sleep(0.01)
            yield Served(world, url)
        finally:
            web.should_exit = True
            with anyio.fail_after(60):
                await running


@pytest.fixture
async def served(anyio_backend: str) -> AsyncIterator[Served]:
    async with serving() as here:
        yield here


@asynccontextmanager
async def joined(served: Served, mode: str, hear: Any = None) -> AsyncIterator[tuple[Client, str]]:
    """A client that is session b of a conversation, and the URI of its inbox."""
    made = await served.world.hub.conversations.create(agent("alice"), "backend", "frontend", [])
    async with Client(served.url, mode=mode, message_handler=hear) as client:  # type: ignore[arg-type]
        assert not (await client.call_tool("join_conversation", {"invite": made.invites[1]})).is_error
        yield client, f"mab://inbox/{made.conversation.id}/b"


async def subscribed(client: Client, uri: str) -> None:
    with warnings.catch_warnings():
        # the SDK deprecates what only old clients do
        warnings.simplefilter("ignore")
        await client.subscribe_resource(uri)


async def send(served: Served) -> None:
    await served.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "hello")


async def states(served: Served, uri: str) -> list[str]:
    found = await served.world.hub.messages.list(OWNER, uri.split("/")[3], 0, 10)
    return [stands.state for _, each in found for stands in each]


async def test_a_client_of_2026_is_told_on_the_stream_it_asked_for(served: Served) -> None:
    with anyio.fail_after(90):
        async with joined(served, "auto") as (client, uri):
            assert (await client.list_resources()).resources[0].uri == uri
            async with client.listen(resource_subscriptions=[uri]) as inbox:
                await send(served)
                assert getattr(await anext(inbox), "uri", "") == uri
                while await states(served, uri) != ["notified"]:
                    await asyncio.sleep(0.01)
                await served.world.hub.conversations.rotate(OWNER, uri.split("/")[3], "b")
                await send(served)
                assert [getattr(event, "uri", "") async for event in inbox] == [uri]


async def test_a_client_of_2025_is_told_and_its_mail_does_not_count_as_notified_for_it(served: Served) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            told.put_nowait(message.params.uri)

    with anyio.fail_after(90):
        async with joined(served, "legacy", hear) as (client, uri):
            await subscribed(client, uri)
            await send(served)
            assert await told.get() == uri
            assert await states(served, uri) == ["stored"]


async def test_subscriptions_end_with_the_session_that_made_them(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the SDK itself would give up on them after five seconds
    monkeypatch.setattr("mcp.server.runner._EXIT_STACK_CLOSE_TIMEOUT", 3600.0)
    with anyio.fail_after(90):
        async with joined(served, "legacy") as (client, uri):
            await subscribed(client, uri)
            bell: Any = served.world.hub.bell
            assert bell.listening
    with anyio.fail_after(60):
        while bell.listening:
            await asyncio.sleep(0.01)


async def test_a_client_of_2025_without_a_session_is_told_that_it_needs_one(anyio_backend: str) -> None:
    with anyio.fail_after(90):
        async with serving(stateless=True) as here, joined(here, "legacy") as (client, uri):
            with pytest.raises(MCPError) as error:
                await subscribed(client, uri)
            assert error.value.message == "refused: a subscription needs a session (keep the Mcp-Session-Id header)"
