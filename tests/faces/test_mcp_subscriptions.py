"""Resources and their subscriptions, in memory, in both protocol eras: what a client is told, and what it is not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from mcp import MCPError

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.guard.resources import KINDS
from multiagent_bridge.mcp import subscriptions
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.services.topics import inbox
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from tests.faces.followers import following, uri
from tests.services.conftest import Pair, paired
from tests.services.teams import PLENTY

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pair(anyio_backend: str) -> Pair:
    return await paired(memory_hub(PLENTY), "tester")


async def states(pair: Pair) -> list[str]:
    found = await pair.hub.messages.list(OWNER, pair.made.conversation.id, 0, 100)
    return [stands.state for _, each in found for stands in each if stands.recipient == "b"]


async def test_a_session_lists_what_it_may_follow_and_nothing_before_it_joined(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        listed = (await bob.client.list_resources(cache_mode="bypass")).resources
        assert [each.uri for each in listed] == [uri(pair, kind) for kind in KINDS]
        kinds = (await bob.client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in kinds] == [f"mab://{k}/{{conversation_id}}/{{session_id}}" for k in KINDS]
    async with following(pair, era, "stranger") as stranger:
        assert (await stranger.client.list_resources(cache_mode="bypass")).resources == []


async def test_the_inbox_says_how_many_wait_and_from_whom_and_never_what_they_say(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        empty = {"conversation_id": pair.made.conversation.id, "session_id": "b", "unread": 0, "from": [], "next": None}
        assert await bob.read(uri(pair)) == empty
        for _ in range(2):
            await pair.send(pair.alice, "a secret plan", files_involved=["plan.md"])
        await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, "a secret task", to="b")
        found = await bob.read(uri(pair))
        assert found["unread"] == 3
        assert found["from"] == [{"session_id": "a", "messages": 2}, {"session_id": "bridge", "messages": 1}]
        assert found["next"] == f"check_messages(conversation_id='{pair.made.conversation.id}')"
        for kind in KINDS:
            text = json.dumps(await bob.read(uri(pair, kind)))
            assert not [word for word in ("secret", "plan", "backend", "frontend", "tester") if word in text]


async def test_reading_marks_nothing_and_notifies_nobody(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await pair.send(pair.alice, "hello")
        size = (await pair.hub.journal.head()).size
        for _ in range(3):
            for kind in KINDS:
                await bob.read(uri(pair, kind))
        assert (await pair.hub.journal.head()).size == size
        assert await states(pair) == ["stored"]
        assert [letter.text for letter in (await pair.check(pair.bob)).letters] == ["hello"]


async def test_tasks_and_partners_are_shown_by_id_and_state(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        made = await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, "secret", to="b", priority="P1")
        [task] = (await bob.read(uri(pair, "tasks")))["tasks"]
        assert set(task) == {"task_id", "state", "priority", "ready", "creator", "assignee", "updated_at"}
        assert (task["task_id"], task["state"], task["assignee"]) == (made.task_id, "open", "b")
        await pair.hub.status.update(pair.alice, NO_CREDENTIALS, "blocked", "secret note")
        first, second = (await bob.read(uri(pair, "status")))["partners"]
        assert set(first) == {"session_id", "status", "last_heartbeat", "age_seconds", "alive", "unread"}
        assert (first["session_id"], first["status"], first["alive"]) == ("a", "blocked", True)
        assert (second["session_id"], second["status"], second["alive"]) == ("c", "unknown", False)


async def test_a_subscriber_is_told_once_of_a_message_and_its_sender_sees_it_as_notified(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        assert await bob.quiet() == []
        await pair.send(pair.alice, "one")
        assert await bob.until(1) == [uri(pair)]
        assert await bob.quiet() == [uri(pair)]
        assert await states(pair) == ["notified"]
        await pair.send(pair.alice, "two")
        assert await bob.until(2) == [uri(pair)] * 2
        await bob.quiet()
        assert await states(pair) == ["notified"] * 2
        assert (await bob.read(uri(pair)))["unread"] == 2, "told is not read"


async def test_to_follow_is_an_entry_and_a_look_is_none(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        size = (await pair.hub.journal.head()).size
        await bob.follow(uri(pair), uri(pair, "status"))
        for _ in range(5):
            pair.hub.bell.ring(inbox(pair.made.conversation.id, "b"))
            await bob.quiet()
        entries = await pair.hub.journal.entries(size, 100)
        assert [(entry.action, entry.session, entry.target) for entry in entries] == [
            ("session.follow", "b", "inbox"),
            ("session.follow", "b", "status"),
        ]


async def test_messages_that_come_together_are_told_of_once(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        await bob.quiet()
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(pair.send, pair.alice, f"number {number}")
        assert 1 <= len(await bob.quiet()) < 50
        assert await states(pair) == ["notified"] * 50


async def test_mail_that_waited_before_is_told_of_at_once_unless_it_was_told_of(pair: Pair, era: str) -> None:
    await pair.send(pair.alice, "from yesterday")
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        assert await bob.until(1) == [uri(pair)]
        await bob.quiet()
    async with following(pair, era) as again:
        await again.follow(uri(pair))
        assert await again.quiet() == []


async def test_mail_that_was_read_meanwhile_is_no_news(pair: Pair, era: str) -> None:
    await pair.send(pair.alice, "read already")
    await pair.check(pair.bob)
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        assert await bob.quiet() == []
        await pair.send(pair.alice, "new")
        assert await bob.until(1) == [uri(pair)]


async def test_nobody_is_told_of_what_he_did_himself(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(*(uri(pair, kind) for kind in KINDS))
        await bob.quiet()
        await pair.send(pair.bob, "from me")
        await pair.hub.status.update(pair.bob, NO_CREDENTIALS, "working")
        made = await pair.hub.tasks.assign(pair.bob, NO_CREDENTIALS, "mine", to="b")
        await pair.hub.tasks.update(pair.bob, NO_CREDENTIALS, made.task_id, "accept")
        told = [each for each in await bob.quiet() if each != uri(pair)]
        assert told == []


async def test_tasks_and_statuses_are_told_of_on_their_own(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(uri(pair, "tasks"), uri(pair, "status"))
        await bob.quiet()
        await pair.send(pair.alice, "mail is another matter")
        await pair.hub.status.update(pair.alice, NO_CREDENTIALS, "blocked")
        assert await bob.until(1) == [uri(pair, "status")]
        made = await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, "secret", to="b")
        assert await bob.until(2) == [uri(pair, "status"), uri(pair, "tasks")]
        await pair.hub.tasks.update(pair.bob, NO_CREDENTIALS, made.task_id, "accept")
        assert len(await bob.quiet()) == 2


async def test_a_task_of_somebody_else_is_no_news(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(uri(pair, "tasks"))
        await bob.quiet()
        await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, "for c", to="c")
        assert await bob.quiet() == []


async def test_an_unsubscribed_resource_is_not_told_of(pair: Pair, era: str) -> None:
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        await bob.quiet()
        if era == "legacy":
            await bob.subscribe(uri(pair), to=False)
            await bob.subscribe("mab://inbox/never/subscribed", to=False)
        else:
            await bob.leave()
        await pair.send(pair.alice, "unheard")
        assert await bob.quiet() == []
        assert await states(pair) == ["stored"]


async def revoked(pair: Pair) -> None:
    await pair.hub.conversations.revoke(OWNER, pair.made.conversation.id, "b")


async def rotated(pair: Pair) -> None:
    await pair.hub.conversations.rotate(OWNER, pair.made.conversation.id, "b")


async def expired(pair: Pair) -> None:
    pair.clock.advance(25 * 3600)


async def erased(pair: Pair) -> None:
    pair.clock.advance(25 * 3600)
    await pair.hub.conversations.cleanup(OWNER, 0)


@pytest.mark.parametrize("end", [revoked, rotated, expired, erased])
async def test_a_subscription_ends_with_a_notice_when_the_session_does(
    pair: Pair, era: str, end: Callable[[Pair], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "TICK_SECONDS", 0.02)
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        await bob.quiet()
        await end(pair)
        assert (await bob.until(1))[0] == uri(pair)
        await bob.quiet()
        looked = [entry for entry in await pair.hub.journal.entries(0, 1000) if entry.action == "session.look"]
        assert [entry.outcome for entry in looked] == ["refused"], "that it ended is an entry"
        with pytest.raises(MCPError):
            await bob.read(uri(pair))
        if era == "auto":
            await bob.until(2)
            assert bob.ended == ["gracefully"]
        told = len(bob.told)
        pair.hub.bell.ring(inbox(pair.made.conversation.id, "b"))
        assert len(await bob.quiet()) == told


async def test_a_client_that_listens_hears_that_its_list_of_resources_grew(pair: Pair) -> None:
    async with following(pair, "auto", "carol") as carol, carol.client.listen(resources_list_changed=True) as opened:
        assert opened.honored.resources_list_changed
        invite = pair.made.invites[2]
        assert not (await carol.client.call_tool("join_conversation", {"invite": invite})).is_error
        with anyio.fail_after(60):
            assert type(await anext(opened)).__name__ == "ResourcesListChanged"


async def test_only_what_can_happen_is_acknowledged_and_declared(pair: Pair) -> None:
    async with following(pair, "auto") as bob:
        async with bob.client.listen(tools_list_changed=True, prompts_list_changed=True) as opened:
            honored = opened.honored.model_dump(exclude_none=True)
            assert honored == {}
        declared = bob.client.server_capabilities
        assert declared.tools is not None
        assert declared.resources is not None
        assert (declared.tools.list_changed, declared.resources.subscribe, declared.prompts) == (False, True, None)


async def test_a_store_that_is_down_for_a_while_ends_no_subscription(
    pair: Pair, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "TICK_SECONDS", 0.02)
    real, failed = pair.hub.watches.moved, []

    async def down(*words: Any) -> Any:
        if len(failed) < 3:
            failed.append(1)
            raise Unavailable("the store is busy", "try again")
        return await real(*words)

    monkeypatch.setattr(type(pair.hub.watches), "moved", lambda self, *words: down(*words))
    async with following(pair, era) as bob:
        await bob.follow(uri(pair))
        await pair.send(pair.alice, "late, not lost")
        assert (await bob.until(1))[0] == uri(pair)
        assert len(failed) == 3
