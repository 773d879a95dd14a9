"""A hook's question over the hub's socket: one line back, for a waker as soon as there is mail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.mcp import wakeups
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import TestHub, agent

pytestmark = pytest.mark.anyio
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def asked(world: TestHub, path: Path, event: object) -> AsyncIterator[tuple[Streams, asyncio.Future[object]]]:
    """A hook named bob that asked about `event`: its streams, and what became of serving it."""
    served: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await wakeups.answer(world.hub, agent("bob", alias=True), {"event": event}, reader, writer)
            served.set_result(None)
        except Exception as fault:
            served.set_exception(fault)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path / "hook.sock")
    reader, writer = await asyncio.open_unix_connection(path / "hook.sock")
    try:
        async with asyncio.timeout(90):
            yield (reader, writer), served
    finally:
        writer.close()
        server.close()


async def mail(world: TestHub) -> Callable[[str], Any]:
    """Alice and bob in one conversation; a way for alice to say something."""
    alice = agent("alice", alias=True)
    made = await world.hub.conversations.create(alice, "backend", "frontend", [])
    await world.hub.conversations.join(agent("bob", alias=True), NO_CREDENTIALS, made.invites[1])
    return lambda text: world.hub.messages.send(alice, NO_CREDENTIALS, text)


@pytest.mark.parametrize(("event", "woken"), [("start", 0), ("prompt", 0), ("stop", 1), ("wake", 1)])
async def test_one_question_one_line(world: TestHub, tmp_path: Path, event: str, woken: int) -> None:
    send = await mail(world)
    await send("hello")
    async with asked(world, tmp_path, event) as ((reader, _), served):
        told = json.loads(await reader.readline())
        assert await reader.read() == b""
        await served
    assert (told["ok"], told["mab"]) == (True, 1)
    assert [one["unread"] for one in told["hook"]["waiting"]] == [1]
    assert len(told["hook"]["wake"]) == woken


async def test_a_waker_is_answered_when_mail_comes(world: TestHub, tmp_path: Path) -> None:
    send = await mail(world)
    async with asked(world, tmp_path, "wake") as ((reader, _), served):
        line = asyncio.ensure_future(reader.readline())
        await asyncio.sleep(0)
        assert not line.done()
        await send("hello")
        assert json.loads(await line)["hook"]["wake"]
        await served


async def test_a_waker_that_leaves_takes_its_wait_with_it(world: TestHub, tmp_path: Path) -> None:
    await mail(world)
    async with asked(world, tmp_path, "wake") as ((_, writer), served):
        writer.close()
        await served


async def test_an_event_that_is_none_is_refused(world: TestHub, tmp_path: Path) -> None:
    async with asked(world, tmp_path, ["stop"]) as (_, served):
        with pytest.raises(Invalid):
            await served
