"""`mab mcp --connect URL`: a client of standard streams as an agent of a hub elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from multiagent_bridge.cli import connect, connect_pump
from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Unavailable

from .http_yard import ALICE, BOB, MODERN, Yard, fields, yard

pytestmark = pytest.mark.anyio

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
PROGRAM = "import sys; from multiagent_bridge.cli.app import run; sys.exit(run(['mcp', *sys.argv[1:]]))"


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_client_of_standard_streams_is_an_agent_of_a_hub_elsewhere(
    era: str, encrypted: bool, tmp_path: Path
) -> None:
    async with yard(tmp_path / "tls" if encrypted else None) as here, here.client(BOB, era) as bob:
        words = ["-c", PROGRAM, "--connect", here.face.url, "--as", "far"]
        words += ["--ca", str(here.certificate)] if encrypted else []
        env = {"MAB_HOME": str(tmp_path), "MAB_API_KEY": ALICE, "HOME": str(tmp_path)}
        server = StdioServerParameters(command=sys.executable, args=words, env=env)
        with anyio.fail_after(150):
            async with Client(stdio_client(server), mode=era) as alice:  # type: ignore[arg-type]
                made = await fields(alice, "create_conversation", my_role="backend", partner_role="frontend")
                await fields(bob, "join_conversation", invite=made["sessions"][1]["invite"])
                await fields(alice, "send_to_partner", message="from afar")
                (message,) = (await fields(bob, "check_messages"))["messages"]
                assert message["message"] == "from afar"
                heard: list[float] = []

                async def progress(so_far: float, total: float | None, said: str | None) -> None:
                    heard.append(so_far)

                found: list[Any] = []

                async def wait() -> None:
                    found.append(
                        await alice.call_tool("check_messages", {"wait_seconds": 50}, progress_callback=progress)
                    )

                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    while not here.endpoint.waiting:
                        await anyio.sleep(0.01)
                    await fields(bob, "send_to_partner", message="and back")
                assert found[0].structured_content["messages"][0]["message"] == "and back"


class Lines:
    """A client that only writes and reads lines, around a pump in this process."""

    def __init__(self, url: str, key: str = ALICE, name: str = "") -> None:
        self.out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reader = asyncio.StreamReader()
        self.pump = connect_pump.RemotePump(connect_pump.Remote(url, key, name), self.reader, self)  # type: ignore[arg-type]

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.out.put_nowait(json.loads(line))

    async def drain(self) -> None:
        pass

    def ask(self, number: int, tool: str, **arguments: Any) -> None:
        params = {"name": tool, "arguments": arguments, "_meta": MODERN}
        self.tell({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})

    def tell(self, message: dict[str, Any]) -> None:
        self.reader.feed_data(json.dumps(message).encode() + b"\n")

    async def answer(self) -> dict[str, Any]:
        """The next message that is no notification."""
        with anyio.fail_after(90):
            while "method" in (message := await self.out.get()):
                pass
            return message

    async def call(self, number: int, tool: str, **arguments: Any) -> dict[str, Any]:
        self.ask(number, tool, **arguments)
        answer = await self.answer()
        assert answer["id"] == number
        return answer["result"]  # type: ignore[no-any-return]


@asynccontextmanager
async def lines(url: str, key: str = ALICE, name: str = "") -> AsyncIterator[Lines]:
    found = Lines(url, key, name)
    running = asyncio.create_task(found.pump.run())
    try:
        yield found
    finally:
        found.reader.feed_eof()
        with anyio.fail_after(90):
            await running


def text(result: dict[str, Any]) -> str:
    assert result["isError"]
    return str(result["content"][0]["text"])


async def waiting(here: Yard) -> None:
    with anyio.fail_after(90):
        while not any(exchange.busy for exchange in here.endpoint._exchanges):
            await anyio.sleep(0.01)


async def test_a_call_whose_connection_breaks_is_answered_with_whether_to_repeat_it_and_the_next_one_works() -> None:
    async with yard() as here:
        await here.pair()
        async with lines(here.url, BOB) as bob, here.client(ALICE) as alice:
            bob.ask(1, "check_messages", wait_seconds=50)
            await waiting(here)
            for wire in here.face.listener.wires:
                wire.abort()
            lost = text((await bob.answer())["result"])
            assert lost.startswith("unavailable: the connection to the hub was lost during this call")
            assert "repeat the call: nothing was lost" in lost
            await fields(alice, "send_to_partner", message="after it")
            result = await bob.call(2, "check_messages")
            assert [message["message"] for message in result["structuredContent"]["messages"]] == ["after it"]


async def test_a_hub_that_is_away_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with yard() as first:
        await first.pair()
        port, world = first.port, first.world
        bob = Lines(first.url, BOB)
        running = asyncio.create_task(bob.pump.run())
        assert not (await bob.call(1, "list_conversations"))["isError"]
    bob.ask(2, "list_conversations")
    async with yard(listen=f"127.0.0.1:{port}", world=world):
        assert not (await bob.answer())["result"]["isError"]
    monkeypatch.setattr(connect_pump, "PATIENCE_SECONDS", 0.5)
    said = text(await bob.call(3, "list_conversations"))
    assert said.startswith("unavailable: the hub at http://127.0.0.1:")
    assert said.endswith("(nothing was done; try again later)")
    bob.reader.feed_eof()
    await running


async def test_a_session_that_the_hub_forgot_is_opened_again_without_the_client_noticing() -> None:
    async with yard() as first:
        port, world = first.port, first.world
        alice = Lines(first.url)
        running = asyncio.create_task(alice.pump.run())
        alice.tell({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        assert (await alice.answer())["result"]["protocolVersion"] == "2025-11-25"
        alice.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
        roles = {"my_role": "backend", "partner_role": "frontend"}
        alice.tell(_old(1, "create_conversation", roles))
        assert not (await alice.answer())["result"]["isError"]
    async with yard(listen=f"127.0.0.1:{port}", world=world):
        alice.tell(_old(2, "list_conversations", {}))
        answer = await alice.answer()
        assert answer["id"] == 2
        assert len(answer["result"]["structuredContent"]["conversations"]) == 1
        alice.reader.feed_eof()
        with anyio.fail_after(90):
            await running
    assert all("method" in alice.out.get_nowait() for _ in range(alice.out.qsize()))


async def test_a_client_that_only_follows_a_resource_hears_of_it_again_after_the_hub_began_anew() -> None:
    async with yard() as first:
        port, world = first.port, first.world
        conversation = await first.pair()
        uri = f"mab://inbox/{conversation}/b"
        bob = Lines(first.url, BOB)
        running = asyncio.create_task(bob.pump.run())
        bob.tell({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        await bob.answer()
        bob.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
        bob.tell(_old(1, "list_conversations", {}))
        assert len((await bob.answer())["result"]["structuredContent"]["conversations"]) == 1
        bob.tell({"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": uri}})
        assert "result" in await bob.answer()
        # it may have moved before the stream was there: then its client is told to look
        await anyio.wait_all_tasks_blocked()
        while not bob.out.empty():
            bob.out.get_nowait()
    async with yard(listen=f"127.0.0.1:{port}", world=world) as second:
        for words in ("", "for who only listens"):
            if words:
                async with second.client(ALICE) as alice:
                    await fields(alice, "send_to_partner", message=words)
            with anyio.fail_after(90):
                notice = await bob.out.get()
            assert (notice["method"], notice["params"]) == ("notifications/resources/updated", {"uri": uri})
        followed = [one for one in await world.hub.journal.newest(50) if one.action == "session.follow"]
        assert [one.outcome for one in followed] == ["done", "done"]
        bob.reader.feed_eof()
        with anyio.fail_after(90):
            await running


def _old(number: int, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


async def test_a_cancelled_call_gets_no_answer_and_leaves_its_mail_unread() -> None:
    async with yard() as here:
        await here.pair()
        async with lines(here.url, BOB) as bob, here.client(ALICE) as alice:
            bob.ask(1, "check_messages", wait_seconds=50)
            await waiting(here)
            bob.tell({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
            with anyio.fail_after(90):
                while any(exchange.identity.name == "bob" for exchange in here.endpoint._exchanges):
                    await anyio.sleep(0.01)
            await fields(alice, "send_to_partner", message="for later")
            result = await bob.call(2, "check_messages")
            assert [message["message"] for message in result["structuredContent"]["messages"]] == ["for later"]


async def test_a_client_that_closes_its_end_leaves_its_mail_unread() -> None:
    async with yard() as here:
        await here.pair()
        async with lines(here.url, BOB) as bob:
            bob.ask(1, "check_messages", wait_seconds=50)
            await waiting(here)
        async with here.client(ALICE) as alice, lines(here.url, BOB) as again:
            await fields(alice, "send_to_partner", message="for later")
            result = await again.call(1, "check_messages")
            assert [message["message"] for message in result["structuredContent"]["messages"]] == ["for later"]


async def test_a_key_that_opens_nothing_is_said_in_the_clients_own_protocol() -> None:
    async with yard() as here, lines(here.url, "wrong") as nobody:
        said = text(await nobody.call(1, "list_conversations"))
        assert said == "not_allowed: that credential is not known here (ask for one)"
        nobody.tell({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": MODERN}})
        assert (await nobody.answer())["error"]["message"] == said


async def test_every_line_that_is_no_message_is_answered() -> None:
    async with yard() as here, lines(here.url) as alice:
        for line in (b"{", b"[]", b'"x"', b"\xff"):
            alice.reader.feed_data(line + b"\n")
            assert (await alice.answer())["error"]["code"] in (-32700, -32600)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "tools/call", "params": {"name": "x", "arguments": {"x": "\ud800"}}}, "lone surrogate"),
        ({"method": "tools/call", "params": {"name": "x", "arguments": {"x": float("nan")}}}, "no NaN"),
        ({"method": "tööls/call", "params": {"_meta": MODERN}}, "error"),
        ({"method": "tools/call", "params": {"name": "a\nb", "arguments": {}, "_meta": MODERN}}, "error"),
        ({"method": "tools/list", "params": {"_meta": MODERN | {connect_pump.VERSION_META: "é"}}}, "tools"),
    ],
    ids=["surrogate", "nan", "method", "name", "version"],
)
async def test_a_message_that_http_cannot_carry_is_answered_under_its_id_and_the_next_one_works(
    wrong: dict[str, Any], said: str
) -> None:
    async with yard() as here, lines(here.url) as alice:
        # nobody waits for an answer to this one
        alice.tell({"jsonrpc": "2.0", "method": "notifications/x", "params": {"x": "\ud800"}})
        alice.tell({"jsonrpc": "2.0", "id": 1, **wrong})
        answer = await alice.answer()
        assert answer["id"] == 1
        assert said in json.dumps(answer)
        assert not (await alice.call(2, "list_conversations"))["isError"]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://hub.example", Invalid),
        ("http://127.0.0.1.hub.example", Invalid),
        ("http://localhost@hub.example", Invalid),
        ("https://user:word@hub.example", Invalid),
        ("https://hub.example/mcp?token=x", Invalid),
        ("https://hub.example/mcp#x", Invalid),
        ("http://127.0.0.1\\@hub.example", Invalid),
        ("ftp://hub.example", Invalid),
        ("hub.example", Invalid),
        ("https://hub.example:port", Invalid),
    ],
)
def test_an_address_that_would_give_the_key_away_is_refused(
    url: str, error: type[BridgeError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAB_API_KEY", ALICE)
    with pytest.raises(error):
        connect.remote(url, None, None, None, None, tmp_path)


def test_the_key_comes_from_a_private_file_or_the_environment_which_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:1"
    monkeypatch.delenv("MAB_API_KEY", raising=False)
    with pytest.raises(NotAllowed):
        connect.remote(url, None, None, None, None, tmp_path)
    kept = tmp_path / "api.key"
    kept.touch(0o600)
    kept.write_text("from-the-file\n")
    assert connect.remote(url, None, None, None, None, tmp_path).key == "from-the-file"
    monkeypatch.setenv("MAB_API_KEY", "from-the-environment")
    found = connect.remote(url, None, None, None, None, tmp_path)
    assert found.key == "from-the-environment"
    assert "from-the-environment" not in repr(found)
    assert "MAB_API_KEY" not in __import__("os").environ
    kept.chmod(0o644)
    with pytest.raises(Unavailable):
        connect.remote(url, None, kept, None, None, tmp_path)
    with pytest.raises(Unavailable):
        connect.remote(url, None, tmp_path / "nothing", None, None, tmp_path)


async def test_a_hub_whose_certificate_nobody_vouches_for_gets_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # no wait mends it: it is answered at once, however long others are waited for
    monkeypatch.setattr(connect_pump, "PATIENCE_SECONDS", 3600.0)
    monkeypatch.setenv("MAB_API_KEY", ALICE)
    async with yard(tmp_path / "tls") as here:
        remote = connect.remote(here.url, None, None, None, None, tmp_path)
        found = Lines(here.url)
        found.pump = connect_pump.RemotePump(remote, found.reader, found)  # type: ignore[arg-type]
        running = asyncio.create_task(found.pump.run())
        said = text(await found.call(1, "list_conversations"))
        assert "is not believed" in said
        assert "--ca FILE" in said
        found.reader.feed_eof()
        await running
        assert here.table.asked == []


@pytest.mark.parametrize("words", [("--standalone",), ("--connect", "http://127.0.0.1:9")], ids=lambda words: words[0])
def test_files_as_standard_streams_are_refused_in_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Through the program itself, so that the words reach the command that they are for."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MAB_HOME": str(tmp_path / "state"),
        "MAB_API_KEY": "mab_key_x",
    }
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "multiagent_bridge", "mcp", *words],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, env=env, timeout=90,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("mab: error: invalid: standard input or output is a file\n")
