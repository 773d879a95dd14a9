"""Calls over HTTP: both eras, with and without sessions, JSON and events, plain and TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from .http_yard import ALICE, BOB, fields, posted, yard

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "tls" if request.param == "tls" else None


async def test_two_agents_talk_in_both_eras(era: str, tls: Path | None) -> None:
    async with yard(tls) as here, here.client(ALICE, era) as alice, here.client(BOB, era) as bob:
        assert alice.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]
        made = await fields(alice, "create_conversation", my_role="backend", partner_role="frontend")
        await fields(bob, "join_conversation", invite=made["sessions"][1]["invite"])
        await fields(alice, "send_to_partner", message="hello")
        (message,) = (await fields(bob, "check_messages"))["messages"]
        assert message["message"] == "hello"
        assert (await fields(bob, "check_messages"))["messages"] == []


async def test_an_agent_finds_its_conversation_again_on_its_next_connection(era: str) -> None:
    async with yard() as here:
        conversation = await here.pair(era)
        for token, session in ((ALICE, "a"), (BOB, "b")):
            async with here.client(token, era) as again:
                (place,) = (await fields(again, "list_conversations"))["conversations"]
                assert (place["conversation_id"], place["session_id"]) == (conversation, session)


async def test_a_wait_ends_with_the_message_while_the_same_agent_calls_on(era: str) -> None:
    async with yard() as here:
        await here.pair(era)
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as bob:
            found: list[Any] = []

            async def wait() -> None:
                found.append(await fields(bob, "check_messages", wait_seconds=50))

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    while not here.endpoint.waiting:
                        await anyio.sleep(0.01)
                    await fields(bob, "update_my_status", status="waiting")
                    await fields(bob, "send_to_partner", message="I wait")
                    await fields(alice, "send_to_partner", message="at last")
            assert [message["message"] for message in found[0]["messages"]] == ["at last"]


async def test_a_long_wait_tells_how_it_goes(era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.services.messages.TICK_SECONDS", 0.05)
    async with yard() as here:
        await here.pair(era)
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as bob:
            heard, said = anyio.Event(), []

            async def progress(so_far: float, total: float | None, text: str | None) -> None:
                said.append(text)
                if len(said) == 3:
                    heard.set()

            async def wait() -> None:
                await bob.call_tool("check_messages", {"wait_seconds": 50}, progress_callback=progress)

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    await heard.wait()
                    await fields(alice, "send_to_partner", message="enough")
            assert set(said) == {"waiting for mail"}


async def test_a_client_of_the_older_era_without_sessions_is_served() -> None:
    async with yard() as here, here.http() as http:
        for accept in ("application/json, text/event-stream", "application/json"):
            body, _ = posted("create_conversation", my_role="backend", partner_role="frontend")
            body["params"].pop("_meta")
            answer = await http.post("/mcp", json=body, headers={"accept": accept})
            assert answer.status_code == 200
            assert "mcp-session-id" not in answer.headers
            assert answer.headers["content-type"].startswith(
                "application/json" if accept == "application/json" else "text/event-stream"
            )
            assert "session_b_token" in answer.text


async def test_a_client_that_reads_no_events_is_answered_in_json() -> None:
    async with yard() as here, here.http() as http:
        body, lines = posted("create_conversation", my_role="backend", partner_role="frontend")
        answer = await http.post("/mcp", json=body, headers=lines | {"accept": "application/json"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["result"]["structuredContent"]["session_id"] == "a"


async def test_a_session_is_good_for_nobody_but_who_opened_it() -> None:
    async with yard() as here, here.http() as alice, here.http(BOB) as bob:
        hello = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        }
        both = {"accept": "application/json, text/event-stream"}
        opened = await alice.post("/mcp", json=hello, headers=both)
        mine = both | {"mcp-session-id": opened.headers["mcp-session-id"]}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert (await alice.post("/mcp", json=ping, headers=mine)).status_code == 200
        assert (await bob.post("/mcp", json=ping, headers=mine)).status_code == 404
        assert (await bob.delete("/mcp", headers=mine)).status_code == 404
        assert (await alice.delete("/mcp", headers=mine)).status_code == 200
        assert (await alice.post("/mcp", json=ping, headers=mine)).status_code == 404


async def test_sessions_that_have_ended_take_nobodys_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiagent_bridge.mcp.http.SESSIONS_EACH", 2)
    async with yard() as here, here.http() as http:
        info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info}
        both = {"accept": "application/json, text/event-stream"}

        async def opened() -> dict[str, str]:
            return both | {
                "mcp-session-id": (await http.post("/mcp", json=hello, headers=both)).headers["mcp-session-id"]
            }

        # it only listens, as one that waits to be told of mail does
        first = await opened()
        async with http.stream("GET", "/mcp", headers=first) as listening:
            assert listening.status_code == 200
            for _ in range(4):
                assert (await http.delete("/mcp", headers=await opened())).status_code == 200
            ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
            assert (await http.post("/mcp", json=ping, headers=first)).status_code == 200


async def test_commands_are_open_to_bearers_only_where_the_hubs_own_environment_opens_the_gate(era: str) -> None:
    for gate in (False, True):
        async with yard(gate=gate) as here, here.client(ALICE, era) as alice:
            names = {tool.name for tool in (await alice.list_tools()).tools}
            assert ("execute_command" in names) is gate


async def test_the_probes_need_no_credential_and_tell_nothing() -> None:
    async with yard() as here, here.http(None) as nobody:
        for path in ("/healthz", "/readyz"):
            answer = await nobody.get(path)
            assert (answer.status_code, answer.text) == (200, "ok\n")
            assert "server" not in answer.headers


async def test_who_has_no_credential_learns_where_to_get_one() -> None:
    async with yard() as here, here.http(None) as nobody, here.http("wrong") as wrong:
        assert (await nobody.post("/mcp")).headers["www-authenticate"] == "Bearer"
        assert (await nobody.get("/.well-known/oauth-protected-resource")).status_code == 404
        here.table.metadata = {"authorization_servers": ["https://issuer.example"]}
        where = f"{here.face.url}/.well-known/oauth-protected-resource/mcp"
        answer = await nobody.post("/mcp")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, f'Bearer resource_metadata="{where}"')
        answer = await wrong.post("/mcp")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", resource_metadata="{where}"'
        found = (await nobody.get(where)).json()
        assert found == {"resource": here.url, "authorization_servers": ["https://issuer.example"]}
