"""The MCP SDK's own client over stdio, in both protocol eras: one conversation of three, from invite to acknowledgement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import anyio
import pytest
from mcp import Client

from tests.clients.bridge import Bridge, text

Mode = Literal["auto", "legacy"]
MODES: tuple[Mode, ...] = ("auto", "legacy")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
Call = Callable[..., Awaitable[dict[str, Any]]]


@asynccontextmanager
async def connected(bridge: Bridge, mode: Mode, *names: str) -> AsyncIterator[list[Call]]:
    """One client an agent name; each is a function that calls a tool and returns its structured result."""

    def caller(client: Client) -> Call:
        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, text(result)
            return dict(result.structured_content or {})

        return call

    with anyio.fail_after(120):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Client(bridge.parameters(name), mode=mode)) for name in names]
            assert {client.protocol_version for client in clients} == {VERSIONS[mode]}
            yield [caller(client) for client in clients]


@pytest.mark.parametrize("mode", MODES)
def test_three_agents_talk_and_each_reads_every_message_once(mode: Mode, bridge: Bridge) -> None:
    async def talk() -> None:
        async with connected(bridge, mode, "lead", "left", "right") as (lead, left, right):
            opened = await lead(
                "create_conversation", my_role="planner", partner_role="builder", more_roles=["reviewer"]
            )
            for call, session in ((left, 1), (right, 2)):
                await call("join_conversation", invite=opened["sessions"][session]["invite"])
            sent = await lead("send_to_partner", message="to all", idempotency_key="k")
            again = await lead("send_to_partner", message="to all", idempotency_key="k")
            assert (sent["message_id"], sent["to"]) == (again["message_id"], ["b", "c"])
            await left("send_to_partner", message="to the reviewer alone", to=["reviewer"])

            assert [m["message"] for m in (await left("check_messages"))["messages"]] == ["to all"]
            assert [m["message"] for m in (await right("check_messages"))["messages"]] == [
                "to all",
                "to the reviewer alone",
            ]
            for call in (lead, left, right):
                assert await call("check_messages") == {"messages": [], "unread": 0}
            read_again = await right("check_messages", history=True)
            assert [m["from"] for m in read_again["messages"]] == ["a", "b"]

    anyio.run(talk)


def test_waiting_readers_of_both_eras_are_shown_progress_and_woken_from_another_process(bridge: Bridge) -> None:
    async def wait_and_send() -> None:
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(Client(bridge.parameters(mode), mode=mode)) for mode in MODES]
            (writer,) = await stack.enter_async_context(connected(bridge, "auto", "writer"))
            opened = await writer("create_conversation", my_role="writer", partner_role="new", more_roles=["old"])
            for reader, session in zip(readers, opened["sessions"][1:], strict=True):
                await reader.call_tool("join_conversation", {"invite": session["invite"]})
            beats = [anyio.Event() for _ in readers]
            woken: list[Any] = []

            async def wait(reader: Client, beat: anyio.Event) -> None:
                async def shown(progress: float, total: float | None, message: str | None) -> None:
                    beat.set()

                arguments = {"wait_seconds": 40}
                woken.append(await reader.call_tool("check_messages", arguments, progress_callback=shown))

            with anyio.fail_after(120):
                async with anyio.create_task_group() as group:
                    for reader, beat in zip(readers, beats, strict=True):
                        group.start_soon(wait, reader, beat)
                    for beat in beats:
                        await beat.wait()  # progress shows that the call waits in the hub
                    await writer("send_to_partner", message="wake up")
            assert [[m["message"] for m in answer.structured_content["messages"]] for answer in woken] == [
                ["wake up"]
            ] * 2

    anyio.run(wait_and_send)


def test_agents_of_both_eras_share_one_hub_and_one_conversation(bridge: Bridge) -> None:
    async def talk() -> None:
        async with connected(bridge, "auto", "new") as (new,), connected(bridge, "legacy", "old") as (old,):
            opened = await new("create_conversation", my_role="modern", partner_role="legacy")
            await old("join_conversation", invite=opened["sessions"][1]["invite"])
            for sender, reader, words in ((new, old, "from the new"), (old, new, "from the old")):
                await sender("send_to_partner", message=words)
                (letter,) = (await reader("check_messages", auto_ack=False))["messages"]
                assert letter["message"] == words
                assert (await reader("check_messages", ack_through=letter["id"]))["messages"] == []

    anyio.run(talk)


@pytest.mark.parametrize("mode", MODES)
def test_a_restarted_agent_finds_its_conversation_and_mail_by_its_name(mode: Mode, bridge: Bridge) -> None:
    async def before() -> str:
        async with connected(bridge, mode, "steady", "other") as (steady, other):
            opened = await steady("create_conversation", my_role="steady", partner_role="other")
            await other("join_conversation", invite=opened["sessions"][1]["invite"])
            await other("send_to_partner", message="kept while you were away")
            return str(opened["conversation_id"])

    async def after(conversation: str) -> None:
        async with connected(bridge, mode, "steady") as (steady,):
            (place,) = (await steady("list_conversations"))["conversations"]
            assert (place["conversation_id"], place["session_id"], place["unread"]) == (conversation, "a", 1)
            (letter,) = (await steady("check_messages"))["messages"]
            assert letter["message"] == "kept while you were away"

    conversation = anyio.run(before)
    bridge.stop()
    anyio.run(after, conversation)
