"""What becomes of mail whose answer did not arrive, and of calls when the hub stops or a credential ends."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.web.wire import _unsent

from .http_yard import ALICE, BOB, Yard, fields, posted, request, yard

pytestmark = pytest.mark.anyio

LONG = "x" * 40_000
NEWER = "bob-renewed-" + "c" * 40


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "tls" if request.param == "tls" else None


async def until(condition: Callable[[], Any], what: str) -> None:
    with anyio.move_on_after(90) as scope:
        while not condition():
            await anyio.sleep(0.01)
    assert not scope.cancelled_caught, f"not within 90 s: {what}"


def legacy(tool: str, token: str, session: str = "", **arguments: Any) -> bytes:
    """A call of the older era, without a session unless one is named, as bytes on the wire."""
    body, _ = posted(tool, **arguments)
    body["params"].pop("_meta")
    content = json.dumps(body).encode()
    head = ["POST /mcp HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Content-Type: application/json"]
    head += ["Accept: application/json, text/event-stream", f"Content-Length: {len(content)}"]
    head += [f"Mcp-Session-Id: {session}"] if session else []
    return "\r\n".join([*head, "", ""]).encode() + content


@asynccontextmanager
async def wire(here: Yard, small: bool = False) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that reads only what it is told to."""
    plain = socket.socket()
    if small:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", here.port))
    verified = here.verified()
    context = {"ssl": verified, "server_hostname": "localhost"} if isinstance(verified, ssl.SSLContext) else {}
    reader, writer = await asyncio.open_connection(sock=plain, limit=1_024 if small else 1 << 20, **context)  # type: ignore[arg-type]
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def unread(here: Yard, token: str = BOB) -> list[str]:
    async with here.client(token) as client:
        return [message["message"] for message in (await fields(client, "check_messages"))["messages"]]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("make", [request, legacy])
async def test_a_client_that_dies_while_it_waits_leaves_its_mail_unread(
    make: Callable[..., bytes], end: str, tls: Path | None
) -> None:
    async with yard(tls) as here:
        await here.pair()
        async with wire(here) as (_, writer):
            writer.write(make("check_messages", token=BOB, wait_seconds=50))
            await until(lambda: any(e.busy for e in here.endpoint._exchanges), "bob waits")
            if end == "reset":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            await until(lambda: not here.endpoint.waiting, "the hub has noticed")
        async with here.client(ALICE) as alice:
            await fields(alice, "send_to_partner", message="are you there")
        assert await unread(here) == ["are you there"]


async def test_a_request_that_dies_in_a_session_that_lives_on_leaves_its_mail_unread() -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    async with yard() as here, here.http(BOB) as http:
        await here.pair()
        both = {"accept": "application/json, text/event-stream"}
        session = (await http.post("/mcp", json=opening, headers=both)).headers["mcp-session-id"]
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post("/mcp", json=ready, headers=both | {"mcp-session-id": session})
        async with wire(here) as (_, writer):
            writer.write(legacy("check_messages", BOB, session, wait_seconds=50))
            await until(lambda: any(e.busy for e in here.endpoint._exchanges), "bob waits")
            writer.transport.abort()
            await until(lambda: not here.endpoint.waiting, "the hub has noticed")
        async with here.client(ALICE) as alice:
            await fields(alice, "send_to_partner", message="for whoever comes")
        # the session is still there, and what it waited for was not taken by nobody
        again = await http.post(
            "/mcp",
            content=legacy("check_messages", BOB).partition(b"\r\n\r\n")[2],
            headers=both | {"mcp-session-id": session, "content-type": "application/json"},
        )
        assert "for whoever comes" in again.text


@pytest.mark.parametrize("make", [request, legacy])
async def test_an_answer_that_is_cut_off_in_the_middle_leaves_its_mail_unread(
    make: Callable[..., bytes], tls: Path | None
) -> None:
    async with yard(tls) as here:
        for listening in here.face.listener._sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        await here.pair()
        async with here.client(ALICE) as alice:
            for _ in range(2):
                await fields(alice, "send_to_partner", message=LONG)
        async with wire(here, small=True) as (_, writer):
            transport: Any = writer.transport
            lowest = transport._ssl_protocol._transport if tls else transport
            lowest.pause_reading()
            writer.write(make("check_messages", token=BOB))
            # the answer has begun to go out, and most of it finds no room
            await until(lambda: any(_unsent(w.transport) for w in here.face.listener.wires), "it is stuck")
            assert here.endpoint.waiting == 1
            writer.transport.abort()
        await until(lambda: not here.endpoint.waiting and not here.endpoint._settling, "the hub has noticed")
        assert await unread(here) == [LONG, LONG]


@pytest.mark.parametrize("make", [request, legacy])
async def test_a_slow_reader_has_read_its_mail_once_the_last_byte_is_out(
    make: Callable[..., bytes], tls: Path | None
) -> None:
    async with yard(tls) as here:
        for listening in here.face.listener._sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        await here.pair()
        async with here.client(ALICE) as alice:
            for _ in range(2):
                await fields(alice, "send_to_partner", message=LONG)
        async with wire(here, small=True) as (reader, writer):
            transport: Any = writer.transport
            lowest = transport._ssl_protocol._transport if tls else transport
            lowest.pause_reading()
            writer.write(make("check_messages", token=BOB))
            await until(lambda: any(_unsent(w.transport) for w in here.face.listener.wires), "it is stuck")
            lowest.resume_reading()
            got = b""
            with anyio.fail_after(90):
                while got.count(b"unread") < 2:
                    more = await reader.read(65_536)
                    assert more, "the answer was cut off"
                    got += more
            await until(lambda: not here.endpoint.waiting and not here.endpoint._settling, "it is settled")
        assert await unread(here) == []


@pytest.mark.parametrize("make", [request, legacy])
async def test_an_answer_that_went_out_whole_is_read_though_its_reader_died_right_after(
    make: Callable[..., bytes], tls: Path | None
) -> None:
    async with yard(tls) as here:
        await here.pair()
        async with here.client(ALICE) as alice:
            await fields(alice, "send_to_partner", message="one")
        async with wire(here) as (reader, writer):
            writer.write(make("check_messages", token=BOB))
            await reader.readuntil(b'"unread"')
            writer.transport.abort()
        await until(lambda: not here.endpoint.waiting and not here.endpoint._settling, "it is settled")
        assert await unread(here) == []


async def test_two_readers_of_one_identity_never_get_the_same_message(era: str) -> None:
    async with yard() as here:
        await here.pair(era)
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as one, here.client(BOB, era) as other:
            got: list[str] = []

            async def read(client: Any) -> None:
                for _ in range(20):
                    found = await fields(client, "check_messages", limit=1)
                    got.extend(message["message"] for message in found["messages"])

            for number in range(15):
                await fields(alice, "send_to_partner", message=str(number))
            async with anyio.create_task_group() as group:
                group.start_soon(read, one)
                if era == "auto":
                    group.start_soon(read, other)
        assert sorted(got, key=int) == [str(number) for number in range(15)]


async def test_a_hub_that_stops_answers_those_who_wait_and_finishes_what_has_begun(era: str) -> None:
    answers: list[Any] = []
    async with yard() as here:
        await here.pair(era)
        async with here.client(BOB, era) as bob:

            async def wait() -> None:
                answers.append(await bob.call_tool("check_messages", {"wait_seconds": 50}))

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    await until(lambda: any(e.busy for e in here.endpoint._exchanges), "bob waits")
                    here.face.door.leaving = True
                    await here.endpoint.leave()
            (answer,) = answers
            assert answer.is_error
            assert (
                answer.content[0].text
                == "unavailable: the hub is stopping (call again in a few seconds: nothing was lost)"
            )
        async with here.http() as http:
            refused = await http.get("/healthz")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    with pytest.raises(httpx2.ConnectError):
        async with httpx2.AsyncClient(trust_env=False) as http:
            await http.get(f"{here.face.url}/healthz")


async def test_a_hub_that_stops_under_load_loses_no_call_and_doubles_none(tls: Path | None) -> None:
    acknowledged: list[int] = []
    untaken: list[int] = []
    unclear: list[BaseException] = []

    async def sender(here: Yard, begin: int) -> None:
        async with here.http() as http:
            for number in range(begin, begin + 10_000):
                body, lines = posted("send_to_partner", number, message=f"number {number}")
                try:
                    answer = await http.post("/mcp", json=body, headers=lines)
                except httpx2.ConnectError:
                    untaken.append(number)
                    return
                except httpx2.HTTPError as error:
                    unclear.append(error)
                    return
                if answer.status_code != 200:
                    assert answer.status_code == 503
                    untaken.append(number)
                    return
                result = answer.json()["result"]
                (untaken if result.get("isError") else acknowledged).append(number)

    async with anyio.create_task_group() as group:
        async with yard(tls) as here:
            await here.pair()
            for number in range(6):
                group.start_soon(sender, here, number * 10_000)
            await until(lambda: len(acknowledged) > 30, "they send")
    assert unclear == []
    assert untaken
    entries = [entry for entry in await here.world.hub.journal.newest(100_000) if entry.action == "message.send"]
    assert len([entry for entry in entries if entry.outcome == "done"]) == len(acknowledged)


async def test_a_credential_that_ends_ends_the_waits_and_streams_of_its_owner(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.STILL_SECONDS", 0.05)
    # the table of this test writes no entry
    monkeypatch.setattr("multiagent_bridge.mcp.http.EVERYBODY_SECONDS", 0.0)
    async with yard() as here:
        await here.pair(era)
        answers: list[Any] = []
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as bob:

            async def wait() -> None:
                answers.append(await bob.call_tool("check_messages", {"wait_seconds": 50}))

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    await until(lambda: any(e.busy for e in here.endpoint._exchanges), "bob waits")
                    here.table.known.pop(BOB)
            assert answers[0].content[0].text.startswith("not_allowed: this credential is no longer valid")
            await fields(alice, "send_to_partner", message="nobody is there")
            await until(lambda: all(e.identity.name == "alice" for e in here.endpoint._exchanges), "his streams ended")
        entries = await here.world.hub.journal.newest(50)
        assert any(entry.action == "http.wait" and entry.code == "not_allowed" for entry in entries)


async def test_a_token_that_ends_leaves_the_waits_of_its_successor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.STILL_SECONDS", 0.05)
    async with yard() as here:
        await here.pair()
        later = replace(here.table.known[BOB], expires_at=1 << 60)
        # one person, whose client had a new token from the issuer before the old one ended
        here.table.known[NEWER] = later
        answers: list[Any] = []

        async def wait(token: str, number: int) -> None:
            async with here.http(token) as http:
                body, lines = posted("check_messages", number, wait_seconds=50)
                answers.append((await http.post("/mcp", json=body, headers=lines)).json()["result"])

        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                here.table.known[BOB] = replace(later, expires_at=int(time.time() * SECOND))
                group.start_soon(wait, BOB, 1)
                await until(lambda: sum(e.busy for e in here.endpoint._exchanges) == 1, "the old token waits")
                group.start_soon(wait, NEWER, 2)
                await until(lambda: sum(e.busy for e in here.endpoint._exchanges) == 2, "the new token waits")
                here.table.known.pop(BOB)
                await until(lambda: bool(answers), "the old token has ended")
                assert answers[0]["content"][0]["text"].startswith("not_allowed: this credential is no longer valid")
                assert [exchange.identity for exchange in here.endpoint._exchanges if exchange.busy] == [later]
                async with here.client(ALICE) as alice:
                    await fields(alice, "send_to_partner", message="for the new token")
        assert [one["message"] for one in answers[1]["structuredContent"]["messages"]] == ["for the new token"]
