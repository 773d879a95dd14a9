from __future__ import annotations

import pytest

from multiagent_bridge.errors import NotAllowed, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.gauges import Reading
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.silences import Silence
from multiagent_bridge.services import gauges
from multiagent_bridge.testing.hubs import OWNER, memory_hub

from .conftest import Pair
from .guarded import Guarded

pytestmark = pytest.mark.anyio

AUDITOR = Caller("bearer:prometheus", "prometheus", "ip:192.0.2.7", roles=frozenset({"auditor"}), identity="key_p")


async def later(pair: Pair | Guarded) -> Reading:
    """A reading that looks anew."""
    pair.clock.advance(gauges.FRESH_SECONDS)
    return await pair.hub.gauges.read(AUDITOR)


async def test_of_an_empty_hub_everything_is_nothing() -> None:
    assert await memory_hub().hub.gauges.read(OWNER) == Reading()


async def test_open_tasks_of_living_conversations_are_counted(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PAGE", 1)
    await pair.hub.conversations.create(pair.alice, "backend", "frontend", [])
    for title in ("one", "two"):
        await pair.hub.tasks.assign(pair.bob, NO_CREDENTIALS, title)
    read = await later(pair)
    assert (read.conversations, read.tasks) == (2, 2)
    pair.clock.advance(Limits().conversation_seconds + 1)
    read = await later(pair)
    assert (read.conversations, read.tasks) == (0, 0)


async def test_commands_that_wait_for_a_person_are_counted_and_the_oldest_says_how_long(guard: Guarded) -> None:
    await guard.enable()
    first = await guard.ask("git status")
    guard.clock.advance(60)
    second = await guard.ask("git log")
    read = await later(guard)
    assert (read.approvals, read.longest) == (2, 60 + gauges.FRESH_SECONDS)
    await guard.approve(first)
    assert (await later(guard)).approvals == 1
    await guard.hub.approvals.deny(OWNER, [second], "")
    read = await later(guard)
    assert (read.approvals, read.longest) == (0, 0.0)


async def test_a_request_whose_time_is_over_no_longer_waits(guard: Guarded) -> None:
    await guard.enable()
    await guard.ask()
    guard.clock.advance(Limits().request_seconds + 1)
    assert (await later(guard)).approvals == 0


async def test_the_journal_s_lag_is_what_no_checkpoint_vouches_for(pair: Pair) -> None:
    read = await later(pair)
    assert read.unsigned == read.entries > 0
    await pair.hub.journal.checkpoint()
    assert (await later(pair)).unsigned == 0
    await pair.send(pair.alice, "hello")
    read = await later(pair)
    assert (read.unsigned, read.entries) == (1, (await pair.hub.journal.head()).size)


async def test_standing_silences_are_counted(pair: Pair) -> None:
    silence = Silence(pair.made.conversation.id, "b", "warned", 0, 0, 0)
    await pair.world.store.write(lambda tx: tx.silences.add(silence))
    assert (await later(pair)).silences == 1


async def test_agents_that_are_served_are_counted(pair: Pair) -> None:
    pair.hub.presence.enter(pair.alice.agent)
    assert (await later(pair)).agents == 1


async def test_whoever_asks_again_at_once_costs_the_store_no_look(pair: Pair) -> None:
    before = await later(pair)
    await pair.send(pair.alice, "hello")
    assert await pair.hub.gauges.read(AUDITOR) is before
    pair.clock.advance(gauges.FRESH_SECONDS)
    assert (await pair.hub.gauges.read(AUDITOR)).entries == before.entries + 1


async def test_reading_is_no_act_and_leaves_no_entry(pair: Pair) -> None:
    size = (await pair.hub.journal.head()).size
    await later(pair)
    assert (await pair.hub.journal.head()).size == size


async def test_a_fresh_reading_is_refused_like_any_other(pair: Pair) -> None:
    await later(pair)
    with pytest.raises(NotAllowed):
        await pair.hub.gauges.read(pair.alice)


async def test_who_reads_too_often_is_told_so() -> None:
    hub = memory_hub(Limits(reads=(Window(3, 60),))).hub
    for _ in range(3):
        await hub.gauges.read(AUDITOR)
    with pytest.raises(TooFast):
        await hub.gauges.read(AUDITOR)
