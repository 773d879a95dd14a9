"""`mab serve --http` as a process: keys made and revoked, signals, sockets of systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import TaskGroup
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.machines.agents import MAB, environment
from tests.machines.places import UNLIMITED, Place, made

pytestmark = [pytest.mark.machines, pytest.mark.anyio, pytest.mark.timeout(120)]


def url_of(hub: subprocess.Popen[bytes]) -> str:
    assert hub.stderr is not None
    line = hub.stderr.readline().decode().split()
    assert line[:2] == ["hub", "serves"], line
    return line[2]


def key(place: Place, name: str) -> dict[str, Any]:
    return json.loads(place.mab("key", "create", name, "--role", "agent", "--json").stdout)  # type: ignore[no-any-return]


@asynccontextmanager
async def client(url: str, secret: str, era: str = "auto") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era) as found:  # type: ignore[arg-type]
            yield found


async def fields(found: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await found.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content  # type: ignore[return-value]


async def waits(found: Client, answers: list[Any], group: TaskGroup, heard: Callable[[], Awaitable[str]]) -> None:
    """A long poll of that client, once the hub has let it in: its partner then hears from it. The answer goes to `answers`."""

    async def wait() -> None:
        answers.append(await found.call_tool("check_messages", {"wait_seconds": 50}))

    before = await heard()
    group.start_soon(wait)
    while await heard() == before:
        await anyio.sleep(0.01)


def heartbeat(status: Mapping[str, Any]) -> str:
    """When the only partner was heard from, of a status that was asked for."""
    (partner,) = status["partners"]
    return str(partner["last_heartbeat"])


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_agents_of_both_ways_talk_and_a_revoked_key_ends_its_wait(era: str) -> None:
    with made(**UNLIMITED) as place:
        url = url_of(place.serve("--http", "127.0.0.1:0"))
        far = key(place, "far")
        near = place.agent()
        conversation = near.good("create_conversation", my_role="backend", partner_role="frontend")
        async with client(url, far["key"], era) as remote:
            await fields(remote, "join_conversation", invite=conversation["sessions"][1]["invite"])
            near.good("send_to_partner", message="over there")
            (message,) = (await fields(remote, "check_messages"))["messages"]
            assert message["message"] == "over there"
            answers: list[Any] = []

            async def seen() -> str:
                return heartbeat(await anyio.to_thread.run_sync(lambda: near.good("check_partner_status")))

            with anyio.fail_after(120):
                async with anyio.create_task_group() as group:
                    await waits(remote, answers, group, seen)
                    await anyio.to_thread.run_sync(lambda: place.mab("key", "revoke", far["key_id"]))
            assert answers[0].is_error
            assert answers[0].content[0].text.startswith("not_allowed: ")
        with pytest.raises(BaseExceptionGroup):
            async with client(url, far["key"], era) as remote:
                await fields(remote, "list_conversations")
        place.verified()


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_hub_that_is_told_to_leave_answers_who_waits_and_loses_no_mail(era: str) -> None:
    with made(**UNLIMITED) as place:
        hub = place.serve("--http", "127.0.0.1:0")
        url = url_of(hub)
        alice, bob = key(place, "alice"), key(place, "bob")
        async with client(url, alice["key"], era) as one, client(url, bob["key"], era) as other:
            conversation = await fields(one, "create_conversation", my_role="backend", partner_role="frontend")
            await fields(other, "join_conversation", invite=conversation["sessions"][1]["invite"])
            answers: list[Any] = []

            async def seen() -> str:
                return heartbeat(await fields(one, "check_partner_status"))

            with anyio.fail_after(120):
                async with anyio.create_task_group() as group:
                    await waits(other, answers, group, seen)
                    hub.send_signal(signal.SIGTERM)
            assert "the hub is stopping" in answers[0].content[0].text
        assert hub.wait(60) == 0
        port = url.rpartition(":")[2].removesuffix("/mcp")
        url = url_of(place.serve("--http", f"127.0.0.1:{port}"))
        async with client(url, alice["key"], era) as one, client(url, bob["key"], era) as other:
            await fields(one, "send_to_partner", message="after the restart")
            (message,) = (await fields(other, "check_messages", wait_seconds=20))["messages"]
            assert message["message"] == "after the restart"
        place.verified()


def test_the_sockets_of_systemd_are_served() -> None:
    with made() as place, socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # what systemd does: descriptor 3, and the process id of whoever is to have it
        script = (
            "import os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            "os.execv(sys.argv[2], [sys.argv[2], 'serve', '--http', 'systemd'])"
        )
        hub = subprocess.Popen(
            [sys.executable, "-c", script, str(listening.fileno()), MAB],
            env=environment(place.home),
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
        )
        place.hubs.append(hub)
        assert hub.stderr is not None
        assert b"listens" in hub.stderr.readline()
        assert url_of(hub) == f"http://127.0.0.1:{port}/mcp"
        with httpx2.Client(trust_env=False) as http:
            assert http.get(f"http://127.0.0.1:{port}/healthz").text == "ok\n"


def test_a_hub_on_the_network_without_tls_does_not_start_and_says_why() -> None:
    with made() as place:
        refused = place.mab("serve", "--http", "0.0.0.0:0", status=2)
        assert "can be reached from other machines, and has no TLS" in refused.stderr
        refused = place.mab("serve", "--http", "systemd", status=2, LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        assert "systemd handed over no socket" in refused.stderr
        taken = socket.create_server(("127.0.0.1", 0))
        with taken:
            refused = place.mab("serve", "--http", f"127.0.0.1:{taken.getsockname()[1]}", status=9)
            assert "nothing can listen" in refused.stderr
