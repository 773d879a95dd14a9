"""Subscriptions through real processes: the SDK's client, the shim or a standalone server, a hub that dies in between."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.subscriptions import SubscriptionLost

from tests.machines.agents import MAB, PATIENT, SECONDS, Agent, environment
from tests.machines.places import Place, running, until

pytestmark = pytest.mark.machines

SERVED = (("mcp",), ("mcp", "--standalone"))


@asynccontextmanager
async def client(place: Place, *words: str, mode: str = "auto", hear: Any = None) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=MAB, args=list(words), env=environment(place.home, **place.env))
    async with Client(stdio_client(server), mode=mode, message_handler=hear) as opened:  # type: ignore[arg-type]
        yield opened


async def call(opened: Client, tool: str, **words: Any) -> dict[str, Any]:
    result = await opened.call_tool(tool, words)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


def deliveries(place: Place, conversation: str) -> list[str]:
    shown = json.loads(place.mab("show", conversation, "--json").stdout)
    return [each["state"] for message in shown["messages"] for each in message["deliveries"]]


@pytest.mark.parametrize("words", SERVED, ids=["shim", "standalone"])
def test_the_sdks_client_of_2025_subscribes_is_told_and_reads(fast: Place, words: tuple[str, ...]) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            told.put_nowait(message.params.uri)

    async def follow() -> str:
        with anyio.fail_after(200):
            async with client(fast, *words) as alice, client(fast, *words, mode="legacy", hear=hear) as bob:
                assert bob.server_capabilities.resources is not None
                assert bob.server_capabilities.resources.subscribe
                made = await call(alice, "create_conversation", my_role="backend", partner_role="frontend")
                await call(bob, "join_conversation", invite=made["sessions"][1]["invite"])
                uri = (await bob.list_resources(cache_mode="bypass")).resources[0].uri
                with warnings.catch_warnings():
                    # the SDK deprecates what only old clients do
                    warnings.simplefilter("ignore")
                    await bob.subscribe_resource(uri)
                await call(alice, "send_to_partner", message="hello")
                assert await told.get() == uri
                read = (await bob.read_resource(uri)).contents[0]
                assert isinstance(read, types.TextResourceContents)
                assert json.loads(read.text)["from"] == [{"session_id": "a", "messages": 1}]
                return str(made["conversation_id"])

    conversation = asyncio.run(follow())
    assert deliveries(fast, conversation) == ["notified"]
    assert told.empty()
    fast.verified()


@pytest.mark.parametrize("words", SERVED, ids=["shim", "standalone"])
def test_the_sdks_client_of_2026_listens_is_told_and_reads(fast: Place, words: tuple[str, ...]) -> None:
    async def follow() -> str:
        with anyio.fail_after(200):
            async with client(fast, *words) as alice, client(fast, *words) as bob:
                assert bob.protocol_version == "2026-07-28"
                made = await call(alice, "create_conversation", my_role="backend", partner_role="frontend")
                async with bob.listen(resources_list_changed=True) as lists:
                    await call(bob, "join_conversation", invite=made["sessions"][1]["invite"])
                    assert type(await anext(lists)).__name__ == "ResourcesListChanged"
                uri = (await bob.list_resources()).resources[0].uri
                async with bob.listen(resource_subscriptions=[uri]) as inbox:
                    await call(alice, "send_to_partner", message="hello")
                    assert getattr(await anext(inbox), "uri", "") == uri
                read = (await bob.read_resource(uri)).contents[0]
                assert isinstance(read, types.TextResourceContents)
                assert json.loads(read.text)["unread"] == 1
                return str(made["conversation_id"])

    conversation = asyncio.run(follow())
    assert deliveries(fast, conversation) == ["notified"]
    fast.verified()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_listening_client_learns_that_the_hub_went_away_and_listens_again(fast: Place, end: signal.Signals) -> None:
    async def follow() -> None:
        with anyio.fail_after(200):
            async with client(fast, "mcp") as alice, client(fast, "mcp") as bob:
                made = await call(alice, "create_conversation", my_role="backend", partner_role="frontend")
                await call(bob, "join_conversation", invite=made["sessions"][1]["invite"])
                uri = f"mab://inbox/{made['conversation_id']}/b"
                async with bob.listen(resource_subscriptions=[uri]) as inbox:
                    fast._killed = True
                    os.kill(fast.hub, end)
                    with pytest.raises(SubscriptionLost) as lost:
                        await anext(inbox)
                    assert "listen again" in str(lost.value.__cause__)
                # its own shim may hear later that the hub is gone, and answers for that
                again = {"message": "sent in between", "idempotency_key": "k"}
                while (await alice.call_tool("send_to_partner", again)).is_error:
                    await asyncio.sleep(0.05)
                async with bob.listen(resource_subscriptions=[uri]) as inbox:
                    # nobody told of it yet, so that it is news
                    assert getattr(await anext(inbox), "uri", "") == uri

    asyncio.run(follow())


def updates(agent: Agent, seconds: float = SECONDS) -> str:
    """The resource of the next notification that one moved."""
    end = time.monotonic() + seconds
    while True:
        message = agent.unasked.get(timeout=max(0.01, end - time.monotonic()))
        if message["method"] == "notifications/resources/updated":
            return str(message["params"]["uri"])


def followed(place: Place, agent: Agent, conversation: str, kind: str = "inbox") -> str:
    uri = f"mab://{kind}/{conversation}/b"
    assert agent.request("resources/subscribe", {"uri": uri})["result"] == {}
    return uri


def test_a_subscription_of_2025_outlives_a_killed_hub_and_its_client_is_told_to_look(fast: Place) -> None:
    alice, bob, conversation = fast.pair("legacy")
    uris = [followed(fast, bob, conversation, kind) for kind in ("inbox", "status")]
    given_up = followed(fast, bob, conversation, "tasks")
    bob.request("resources/unsubscribe", {"uri": given_up})
    fast.kill_hub()
    assert sorted(updates(bob) for _ in uris) == sorted(uris), "it may have moved between two hubs"
    again = {"message": "under the next hub", "idempotency_key": "k"}
    until(lambda: not alice.call("send_to_partner", **again).failed, "its own shim has the next hub, too")
    assert updates(bob) == uris[0]
    alice.good("assign_task", title="nobody follows tasks any more")
    assert updates(bob) == uris[0]
    assert not [m for m in bob.said if "mab:replay" in json.dumps(m)]
    assert [m["message"] for m in bob.good("check_messages", limit=1)["messages"]] == ["under the next hub"]


def test_mail_that_came_while_no_hub_served_is_told_of_when_one_does(fast: Place) -> None:
    _, bob, conversation = fast.pair("legacy")
    uri = followed(fast, bob, conversation)
    os.kill(bob.process.pid, signal.SIGSTOP)
    fast.kill_hub()
    fast.mab("send", conversation, "from the terminal", "--session", "a")
    os.kill(bob.process.pid, signal.SIGCONT)
    assert updates(bob) == uri
    until(lambda: deliveries(fast, conversation) == ["notified"], "its sender sees that the client was told")


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
def test_a_subscription_that_was_ended_at_the_terminal_ends_with_a_notice_and_is_not_said_again(
    fast: Place, verb: str
) -> None:
    alice, bob, conversation = fast.pair("legacy")
    uri = followed(fast, bob, conversation)
    fast.mab(verb, conversation, "b")
    assert updates(bob) == uri
    error = bob.request("resources/read", {"uri": uri})["error"]
    assert (error["code"], error["message"].partition(":")[0]) == (-32002, "not_allowed")
    for _ in range(2):
        fast.kill_hub()
        for agent in (alice, bob):
            # both, or a shim for which two hubs in a row are gone has waited too long for one
            until(lambda a=agent: not a.call("list_conversations").failed, "the next hub serves")  # type: ignore[misc]
    # the first hub that refused it was the last one asked
    assert updates(bob) == uri
    with pytest.raises(queue.Empty):
        updates(bob, 0.3)


def test_a_client_that_listens_leaves_as_fast_as_any_other(place: Place) -> None:
    alice, bob = place.agent(), place.agent(command=PATIENT)
    opened = alice.good("create_conversation", my_role="backend", partner_role="frontend")
    bob.good("join_conversation", invite=opened["sessions"][1]["invite"])
    uri = f"mab://inbox/{opened['conversation_id']}/b"
    bob.ask("subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri]}})
    until(lambda: [m for m in bob.said if m.get("method") == "notifications/subscriptions/acknowledged"], "it listens")
    # it would have waited for ten minutes
    assert bob.leave() == 0


def test_a_hub_with_listeners_leaves_at_once(place: Place) -> None:
    _, bob, _ = place.pair()
    bob.ask("subscriptions/listen", {"notifications": {"resourcesListChanged": True}})
    until(lambda: [m for m in bob.said if m.get("method") == "notifications/subscriptions/acknowledged"], "it listens")
    hub = place.hub
    start = time.monotonic()
    os.kill(hub, signal.SIGTERM)
    until(lambda: hub not in running(place.home), "it has left")
    assert time.monotonic() - start < 30


def test_a_subscriber_that_does_not_read_keeps_nobody_else_waiting(fast: Place) -> None:
    alice, bob, conversation = fast.pair("legacy")
    followed(fast, bob, conversation)
    os.kill(bob.process.pid, signal.SIGSTOP)
    try:
        carol, dave, _ = fast.pair("legacy")
        for number in range(50):
            alice.good("send_to_partner", message=f"number {number}")
        carol.good("send_to_partner", message="in time")
        assert [m["message"] for m in dave.good("check_messages", wait_seconds=20)["messages"]] == ["in time"]
    finally:
        os.kill(bob.process.pid, signal.SIGCONT)
    assert updates(bob)
