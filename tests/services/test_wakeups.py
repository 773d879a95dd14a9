"""What hooks are told, whom they wake, and how two agents that only thank each other come to rest."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from multiagent_bridge.errors import Invalid, TooFast
from multiagent_bridge.guard import wakeups as guard
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.model.wakeups import Verdict
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.topics import inbox
from multiagent_bridge.services.wakeups import Wakeups
from multiagent_bridge.testing.hubs import TestHub, agent, memory_hub

from .conftest import Pair

pytestmark = pytest.mark.anyio


def named(name: str) -> Caller:
    """The agent's own connection, started under its name."""
    return agent(name, alias=True)


def hook(name: str) -> Caller:
    """A connection of that agent's hook: another key, the same name."""
    return Caller(f"key:hook of {name}", name, "uid:1000", f"as:1000:{name}")


async def met(world: TestHub) -> Pair:
    alice, bob = named("alice"), named("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend", [])
    await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    return Pair(world, made, alice, bob)


@pytest.fixture
async def two(anyio_backend: str) -> Pair:
    return await met(memory_hub())


async def actions(hub: Hub, prefix: str = "wakeup.") -> list[str]:
    return [entry.action for entry in await hub.journal.newest(500) if entry.action.startswith(prefix)]


def woken(verdict: Verdict) -> Sequence[tuple[str, int, Sequence[str]]]:
    return [(one.session_id, one.unread, one.senders) for one in verdict.wake]


async def test_an_agent_that_stops_goes_on_once_for_what_is_unread(two: Pair) -> None:
    await two.send(two.alice, "one")
    await two.send(two.alice, "two")
    assert woken(await two.hub.wakeups.noticed(hook("bob"), "stop")) == [("b", 2, ("a",))]
    again = await two.hub.wakeups.noticed(hook("bob"), "stop")
    assert (again.wake, [one.unread for one in again.waiting]) == ([], [2])
    await two.send(two.alice, "three")
    assert woken(await two.hub.wakeups.noticed(hook("bob"), "stop")) == [("b", 3, ("a",))]


async def test_looking_marks_nothing_read_and_is_no_heartbeat(two: Pair) -> None:
    await two.send(two.alice, "one")
    two.clock.advance(1000)
    for event in ("start", "prompt", "stop"):
        await two.hub.wakeups.noticed(hook("bob"), event)
    (partner,) = (await two.hub.status.partners(two.alice, NO_CREDENTIALS)).fields()["partners"]
    assert (partner["unread"], partner["alive"]) == (1, False)
    assert len((await two.check(two.bob)).letters) == 1


@pytest.mark.parametrize("event", ["start", "prompt", "stop", "wake"])
async def test_the_sender_sees_that_the_client_was_told_and_each_message_is_told_of_once(two: Pair, event: str) -> None:
    here = two.made.conversation.id
    for _ in range(2):
        await two.send(two.alice, "one")
        for _ in range(2):
            await two.hub.wakeups.noticed(hook("bob"), event)
    assert await two.world.store.read(lambda tx: tx.sessions.told(here)) == {"a": 0, "b": 2}
    assert await actions(two.hub, "message.notify") == ["message.notify"] * 2


async def test_whoever_is_not_woken_was_not_told(two: Pair) -> None:
    await thanking(two, 10)
    await two.send(two.alice, "one more")
    before = await two.world.store.read(lambda tx: tx.sessions.told(two.made.conversation.id))
    assert (await two.hub.wakeups.noticed(hook("bob"), "stop")).paused
    assert await two.world.store.read(lambda tx: tx.sessions.told(two.made.conversation.id)) == before


async def test_an_agent_without_mail_may_stop(two: Pair) -> None:
    assert await two.hub.wakeups.noticed(hook("bob"), "stop") == Verdict([], [], [])
    assert await actions(two.hub) == []


async def test_a_hook_knows_the_mail_of_its_own_name_only(two: Pair) -> None:
    await two.send(two.alice, "one")
    for stranger in (hook("alice"), hook("carol"), Caller("key:x", "bob", "uid:1001", "as:1001:bob")):
        assert (await two.hub.wakeups.noticed(stranger, "stop")).waiting == []


async def test_a_start_and_a_prompt_tell_and_wake_nobody(two: Pair) -> None:
    await two.send(two.alice, "one")
    for event in ("start", "prompt"):
        verdict = await two.hub.wakeups.noticed(hook("bob"), event)
        assert ([one.unread for one in verdict.waiting], verdict.wake) == ([1], [])
    assert await actions(two.hub) == []


async def test_an_expired_and_a_revoked_session_have_no_mail(two: Pair) -> None:
    await two.send(two.alice, "one")
    two.clock.advance(4 * 3600)
    assert (await two.hub.wakeups.noticed(hook("bob"), "stop")).waiting == []


@pytest.mark.parametrize("event", ["Stop", "", None, 7, "wakeup"])
async def test_an_unknown_event_is_refused_and_written_down(two: Pair, event: object) -> None:
    with pytest.raises(Invalid):
        await two.hub.wakeups.noticed(hook("bob"), event)


async def test_a_connection_without_a_name_has_no_hooks(two: Pair) -> None:
    with pytest.raises(Invalid):
        await two.hub.wakeups.noticed(agent("bob"), "stop")


async def test_hooks_have_a_budget_of_their_own(two: Pair) -> None:
    for _ in range(two.hub.limits.reads[0].limit):
        await two.hub.wakeups.noticed(hook("bob"), "start")
    with pytest.raises(TooFast):
        await two.hub.wakeups.noticed(hook("bob"), "start")
    await two.send(two.bob, "not held up")


async def thanking(two: Pair, rounds: int) -> int:
    """Both agents answer whatever wakes them; how often one was woken."""
    count = 0
    speaker, listener = (two.alice, "alice"), (two.bob, "bob")
    for _ in range(rounds):
        two.clock.advance(7)
        await two.send(speaker[0], "thanks!")
        if (await two.hub.wakeups.noticed(hook(listener[1]), "stop")).wake:
            count += 1
            await two.check(listener[0])
        speaker, listener = listener, speaker
    return count


async def test_two_agents_that_thank_each_other_are_paused_and_both_are_told(two: Pair) -> None:
    assert await thanking(two, 12) == guard.MOST
    assert await actions(two.hub) == ["wakeup.wake"] * guard.MOST + ["wakeup.pause"]
    for who in (two.alice, two.bob):
        notices = [x for x in (await two.check(who)).letters if x.message.sender == "bridge"]
        assert len(notices) == 1
        assert "paused for 30 minutes" in notices[0].text


async def test_a_prompt_of_a_person_at_either_agent_ends_the_pause(two: Pair) -> None:
    await thanking(two, 10)
    await two.hub.wakeups.noticed(hook("alice"), "prompt")
    assert (await actions(two.hub))[-1] == "wakeup.reset"
    await two.send(two.alice, "news")
    assert (await two.hub.wakeups.noticed(hook("bob"), "stop")).wake
    assert (await actions(two.hub)).count("wakeup.reset") == 1


async def test_a_prompt_writes_nothing_where_nobody_was_woken(two: Pair) -> None:
    await two.hub.wakeups.noticed(hook("alice"), "prompt")
    assert await actions(two.hub) == []


async def test_the_paused_are_named_and_the_pause_ends_by_itself(two: Pair) -> None:
    await thanking(two, 10)
    await two.send(two.alice, "one more")
    verdict = await two.hub.wakeups.noticed(hook("bob"), "stop")
    assert (verdict.wake, list(verdict.paused)) == ([], [two.made.conversation.id])
    two.clock.advance(guard.PAUSE // SECOND)
    assert (await two.hub.wakeups.noticed(hook("bob"), "stop")).wake


async def busy(two: Pair, entries: int) -> None:
    """What else a conversation writes: heartbeats, statuses, tasks."""
    for _ in range(entries):
        await two.hub.status.heartbeat(two.alice, NO_CREDENTIALS)


@pytest.fixture
async def unlimited(anyio_backend: str) -> Pair:
    return await met(memory_hub(Limits(reads=(Window(10_000, 60),))))


async def test_however_much_else_is_written_an_agent_is_woken_once_for_a_message(unlimited: Pair) -> None:
    await unlimited.send(unlimited.alice, "one")
    assert (await unlimited.hub.wakeups.noticed(hook("bob"), "stop")).wake
    unlimited.clock.advance(2 * guard.PAUSE // SECOND)
    await busy(unlimited, 900)
    assert not (await unlimited.hub.wakeups.noticed(hook("bob"), "stop")).wake


async def test_however_much_else_is_written_a_pause_lasts_and_a_row_counts(unlimited: Pair) -> None:
    woken = 0
    for _ in range(4):
        woken += await thanking(unlimited, 3)
        await busy(unlimited, 250)
    assert woken == guard.MOST
    await busy(unlimited, 500)
    await unlimited.send(unlimited.alice, "one more")
    assert (await unlimited.hub.wakeups.noticed(hook("bob"), "stop")).paused
    await unlimited.hub.wakeups.noticed(hook("alice"), "prompt")
    assert (await unlimited.hub.wakeups.noticed(hook("bob"), "stop")).wake


async def test_a_waker_returns_as_soon_as_mail_is_there(two: Pair) -> None:
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            found: list[Verdict] = []

            async def waits() -> None:
                found.append(await two.hub.wakeups.wait(hook("bob"), 30))

            tasks.start_soon(waits)
            await anyio.lowlevel.checkpoint()
            await two.send(two.alice, "wake up")
    assert [woken(one) for one in found] == [[("b", 1, ("a",))]]


async def test_mail_that_was_there_before_the_waker_wakes_too_but_not_twice(two: Pair) -> None:
    await two.send(two.alice, "early")
    with anyio.fail_after(120):
        assert (await two.hub.wakeups.wait(hook("bob"), 30)).wake
        assert not (await two.hub.wakeups.wait(hook("bob"), 0)).wake


async def test_whoever_waits_for_mail_hears_of_the_pause(two: Pair) -> None:
    await thanking(two, guard.MOST)
    await two.send(two.alice, "thanks!")
    async with two.hub.bell.listen(inbox(two.made.conversation.id, "a")) as ear:
        assert not await ear.wait(0.001)
        assert (await two.hub.wakeups.noticed(hook("bob"), "stop")).paused
        assert await ear.wait(60)


async def test_a_waker_asks_once_for_mail_that_was_told_of(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await two.send(two.alice, "one")
    await two.hub.wakeups.noticed(hook("bob"), "stop")
    asked: list[object] = []
    noticed = Wakeups.noticed

    async def counted(wakeups: Wakeups, caller: Caller, event: object) -> Verdict:
        asked.append(event)
        return await noticed(wakeups, caller, event)

    monkeypatch.setattr(Wakeups, "noticed", counted)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks, two.hub.bell.listen("nobody rings this") as pause:
            tasks.start_soon(two.hub.wakeups.wait, hook("bob"), 30)
            while not asked:
                await anyio.lowlevel.checkpoint()
            # each question is a write, which rings for those who wait for writes
            await pause.wait(0.3)
            assert asked == ["wake"]
            await two.send(two.alice, "two")
    assert asked == ["wake", "wake"]


async def test_an_agent_that_waits_by_itself_is_left_alone_by_its_waker(two: Pair) -> None:
    read: list[int] = []

    async def waits() -> None:
        read.append(len((await two.check(two.bob, wait_seconds=30)).letters))

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(two.hub.wakeups.wait, hook("bob"), 30)
            tasks.start_soon(waits)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            await two.send(two.alice, "for whoever waits")
            while not read:
                await anyio.lowlevel.checkpoint()
            async with two.hub.bell.listen("nobody rings this") as pause:
                await pause.wait(0.2)
            tasks.cancel_scope.cancel()
    assert read == [1]
    assert await actions(two.hub) == []


async def test_mail_that_an_agent_could_not_take_after_all_wakes_it(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    noticed, claim = Wakeups.noticed, two.hub.ids.claim()
    taken: list[int] = []

    async def too_late(wakeups: Wakeups, caller: Caller, event: object) -> Verdict:
        if not taken:
            # between the waker's look and its question the agent asked by itself
            taken.append(len((await two.hub.messages.check(two.bob, NO_CREDENTIALS, claim)).letters))
        return await noticed(wakeups, caller, event)

    monkeypatch.setattr(Wakeups, "noticed", too_late)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks, two.hub.bell.listen("nobody rings this") as pause:
            found: list[Verdict] = []

            async def waits() -> None:
                found.append(await two.hub.wakeups.wait(hook("bob"), 30))

            tasks.start_soon(waits)
            await two.send(two.alice, "one")
            while not taken:
                await anyio.lowlevel.checkpoint()
            await pause.wait(0.1)
            assert (taken, found) == ([1], [])
            await two.hub.messages.release(two.bob, claim)
    assert [woken(one) for one in found] == [[("b", 1, ("a",))]]
