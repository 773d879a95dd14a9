"""Clients of the HTTP face that take their time, or come in numbers."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.attacks.test_http import POST, get, served
from tests.faces.http_yard import ALICE, BOB, Yard, fields, posted, yard

pytestmark = pytest.mark.anyio


async def test_one_key_cannot_take_the_sessions_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.SESSIONS_EACH", 3)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with yard() as here, here.http() as alice, here.http(BOB) as bob:
        both = {"accept": "application/json, text/event-stream"}

        async def opened(http: Any) -> dict[str, str]:
            answer = await http.post("/mcp", json=opening, headers=both)
            return both | {"mcp-session-id": answer.headers["mcp-session-id"]}

        his = await opened(bob)
        hers = [await opened(alice) for _ in range(3)]
        # the first is in use, so the second is the one to go
        assert (await alice.post("/mcp", json=ping, headers=hers[0])).status_code == 200
        hers.append(await opened(alice))
        with anyio.fail_after(60):
            while (await alice.post("/mcp", json=ping, headers=hers[1])).status_code != 404:
                await anyio.sleep(0.01)
        for left in (hers[0], hers[2], hers[3]):
            assert (await alice.post("/mcp", json=ping, headers=left)).status_code == 200
        assert (await bob.post("/mcp", json=ping, headers=his)).status_code == 200


async def test_refusals_over_ever_new_connections_of_one_key_go_at_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.CROWD", 2)
    monkeypatch.setattr("multiagent_bridge.mcp.connection.REFUSALS", 2)
    # however slow the machine is, no time empties the bucket meanwhile
    monkeypatch.setattr("multiagent_bridge.mcp.connection.REFUSAL_SECONDS", 3600.0)
    async with yard() as here, here.http() as alice, here.client(BOB) as bob:
        body, lines = posted("no_such_tool")

        async def refused(number: int) -> None:
            answer = await alice.post("/mcp", json=body, headers=lines | {"mab-connection": f"{number:032x}"})
            assert answer.json()["result"]["isError"]

        for number in range(5):
            await refused(number)
        async with anyio.create_task_group() as group:
            group.start_soon(refused, 5)
            with anyio.fail_after(60):
                while not here.endpoint._paces["key_alice"].turn.locked():
                    await anyio.sleep(0.01)
            assert not (await bob.call_tool("list_conversations", {})).is_error
            group.cancel_scope.cancel()
        entries = await here.world.hub.journal.newest(50)
        assert sum(entry.action == "tool.call" for entry in entries) == 5


async def test_one_key_cannot_take_the_connections_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.AT_ONCE", 3)
    async with yard() as here, here.http() as alice, here.http(BOB) as bob:
        await here.pair()
        body, lines = posted("check_messages", wait_seconds=50)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: alice.post("/mcp", json=body, headers=lines))
            with anyio.fail_after(60):
                while here.endpoint.waiting < 3:
                    await anyio.sleep(0.01)
            refused = await alice.post("/mcp", json=body, headers=lines)
            assert (refused.status_code, refused.json()["error"]) == (429, "too_fast")
            quick, lines = posted("list_conversations")
            assert (await bob.post("/mcp", json=quick, headers=lines)).status_code == 200
            group.cancel_scope.cancel()
        with anyio.fail_after(60):
            while here.endpoint.waiting:
                await anyio.sleep(0.01)
        assert (await alice.post("/mcp", json=quick, headers=lines)).status_code == 200


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The deadlines of slow clients, a twentieth of what they are; undone before somebody is to be served in time."""
    for name, seconds in (("HEADER", 0.5), ("BODY", 0.6), ("IDLE", 0.8), ("LINGER", 0.2), ("WRITE", 0.5)):
        monkeypatch.setattr(f"multiagent_bridge.web.wire.{name}_SECONDS", seconds)
    return monkeypatch


async def drip(here: Yard, begin: bytes, seconds: float) -> None:
    """Send a byte now and then until the other end lets go. Raises TimeoutError when it does not in so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(begin)
    ended = asyncio.create_task(reader.read(-1))
    try:
        async with asyncio.timeout(seconds):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait([ended], timeout=0.02)
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        writer.transport.abort()


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", id="header"),
        pytest.param(POST + b"Content-Length: 100000\r\n\r\n", id="body"),
        pytest.param(POST.replace(ALICE.encode(), b"wrong") + b"Content-Length: 100000\r\n\r\n", id="stranger"),
        pytest.param(get("/healthz").replace(b"Connection: close\r\n", b"") + b"GET /", id="second"),
    ],
)
async def test_a_client_that_never_comes_to_an_end_is_let_go_however_it_drips(
    begin: bytes, hurried: pytest.MonkeyPatch
) -> None:
    async with yard() as here:
        await drip(here, begin, 60.0)
        with anyio.fail_after(60):
            while here.face.listener.connections:
                await anyio.sleep(0.01)
        hurried.undo()
        await served(here)


async def test_a_client_that_never_reads_its_answers_is_let_go(hurried: pytest.MonkeyPatch) -> None:
    async with yard() as here:
        for listening in here.face.listener._sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        with socket.socket() as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            greedy.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(greedy, ("127.0.0.1", here.port))
            # answers enough to fill every buffer on the way
            ahead = get("/healthz").replace(b"Connection: close\r\n", b"")
            asking = asyncio.create_task(loop.sock_sendall(greedy, ahead * 20_000))
            with anyio.fail_after(90):
                while not here.face.listener.connections:
                    await anyio.sleep(0.01)
                while here.face.listener.connections:
                    await anyio.sleep(0.05)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        hurried.undo()
        await served(here)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_thousand_half_open_connections_stop_nobody(encrypted: bool, tmp_path: Path) -> None:
    async with yard(tmp_path / "tls" if encrypted else None, connections=800) as here:
        await here.pair()
        held: list[socket.socket] = []
        loop = asyncio.get_running_loop()
        try:
            for number in range(1_000):
                made = socket.socket()
                made.setblocking(False)
                held.append(made)
                await loop.sock_connect(made, ("127.0.0.1", here.port))
                # half of them say something, which is no request yet
                if number % 2:
                    made.send(b"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" if not encrypted else b"\x16\x03\x01\x02\x00")
            with anyio.fail_after(90):
                async with here.client(ALICE) as alice, here.client(BOB) as bob:
                    await fields(alice, "send_to_partner", message="through all of them")
                    (message,) = (await fields(bob, "check_messages"))["messages"]
            assert message["message"] == "through all of them"
            assert here.face.listener.connections <= 800 // 4 + 8
        finally:
            for made in held:
                made.close()


async def test_those_who_wait_for_mail_are_not_those_who_make_way() -> None:
    async with yard(connections=32) as here:
        await here.pair()
        async with here.client(ALICE) as alice, here.client(BOB) as bob:
            found: list[Any] = []

            async def wait() -> None:
                found.append(await fields(bob, "check_messages", wait_seconds=50))

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    while not here.endpoint.waiting:
                        await anyio.sleep(0.01)
                    for _ in range(100):
                        _, writer = await asyncio.open_connection("127.0.0.1", here.port)
                        group.start_soon(_dropped, writer)
                    await fields(alice, "send_to_partner", message="still there")
            assert found[0]["messages"][0]["message"] == "still there"


async def _dropped(writer: asyncio.StreamWriter) -> None:
    await anyio.sleep(0.2)
    writer.transport.abort()


async def test_a_handshake_that_never_ends_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.web.listener.HANDSHAKE_SECONDS", 0.3)
    async with yard(tmp_path / "tls") as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        # the beginning of a hello of 512 bytes
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        with anyio.fail_after(60):
            await reader.read(-1)
            while here.face.listener.connections:
                await anyio.sleep(0.01)
        writer.close()
        await served(here)
