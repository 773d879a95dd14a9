"""What the hub says by itself over HTTP: subscriptions of both eras behind the real door."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from .http_yard import ALICE, BOB, fields, yard

pytestmark = pytest.mark.anyio


async def test_a_client_of_2026_hears_of_mail_on_the_stream_it_asked_for_until_its_key_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.STILL_SECONDS", 0.05)
    monkeypatch.setattr("multiagent_bridge.mcp.http.EVERYBODY_SECONDS", 0.0)
    async with yard() as here:
        uri = f"mab://inbox/{await here.pair()}/b"
        with anyio.fail_after(90):
            async with here.client(ALICE) as alice, here.client(BOB) as bob:
                async with bob.listen(resource_subscriptions=[uri]) as inbox:
                    await fields(alice, "send_to_partner", message="hello")
                    assert getattr(await anext(inbox), "uri", "") == uri
                    here.table.known.pop(BOB)
                    while any(exchange.identity.name == "bob" for exchange in here.endpoint._exchanges):
                        await anyio.sleep(0.01)


async def test_a_client_of_2025_hears_of_mail_on_the_stream_of_its_session() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            told.put_nowait(message.params.uri)

    async with yard() as here:
        uri = f"mab://inbox/{await here.pair()}/b"
        with anyio.fail_after(90):
            async with here.http(BOB) as http, here.client(ALICE) as alice:
                streams = streamable_http_client(here.url, http_client=http)
                async with Client(streams, mode="legacy", message_handler=hear) as bob:
                    await fields(bob, "list_conversations")
                    with warnings.catch_warnings():
                        # the SDK deprecates what only old clients do
                        warnings.simplefilter("ignore")
                        await bob.subscribe_resource(uri)
                    await fields(alice, "send_to_partner", message="hello")
                    assert await told.get() == uri
