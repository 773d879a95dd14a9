"""What expired is erased by the hub itself: after its grace time, once, with all that it still held written down."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import NotAllowed, NotFound, Refused
from multiagent_bridge.model.backups import FORMAT, Backup, Manifest
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services import retention
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.topics import command_topic, inbox
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub

from .conftest import Pair
from .guarded import Guarded

pytestmark = pytest.mark.anyio

DAY = 86_400
WEEK = 7 * DAY
LIFETIME = 3 * 3600
SURE = retention.SURE_SECONDS


async def swept(hub: Hub, seconds: int = WEEK) -> list[str]:
    return [gone.id for gone in await hub.retention.sweep(OWNER, seconds)]


async def entries(hub: Hub, *actions: str) -> list[Entry]:
    return [entry for entry in await hub.journal.entries() if entry.action in actions]


async def test_what_expired_goes_when_its_grace_time_is_over_and_not_before(pair: Pair) -> None:
    here = pair.made.conversation.id
    await pair.send(pair.alice, "to be erased")
    pair.clock.advance(LIFETIME + WEEK - 1)
    assert await swept(pair.hub) == []
    assert (await pair.hub.conversations.show(OWNER, here))[0].id == here
    pair.clock.advance(1)
    assert await swept(pair.hub) == [here]
    with pytest.raises(NotFound):
        await pair.hub.conversations.show(OWNER, here)
    await pair.hub.evidence.verify()


async def test_what_was_extended_within_its_grace_time_stays(pair: Pair) -> None:
    pair.clock.advance(LIFETIME + WEEK - 10)
    await pair.hub.conversations.extend(OWNER, pair.made.conversation.id, 60)
    pair.clock.advance(WEEK)
    assert await swept(pair.hub) == []
    assert (await pair.hub.conversations.show(OWNER, pair.made.conversation.id))[0]


async def test_a_grace_time_of_none_keeps_everything(pair: Pair) -> None:
    pair.clock.advance(1_000 * DAY)
    assert await swept(pair.hub, 0) == []
    assert (await pair.hub.conversations.show(OWNER, pair.made.conversation.id))[0]


async def test_each_removal_is_one_entry_that_says_by_what_and_counts_what_was_there(pair: Pair) -> None:
    await pair.send(pair.alice, "read")
    await pair.check(pair.bob)
    await pair.send(pair.alice, "never read")
    await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, "never done", to="b")
    pair.clock.advance(LIFETIME + WEEK)
    sent = await entries(pair.hub, "message.send")
    assert await swept(pair.hub) == [pair.made.conversation.id]
    (erased,) = await entries(pair.hub, "conversation.erase")
    assert erased.target == erased.conversation == pair.made.conversation.id
    assert erased.actor == OWNER.label
    assert dict(erased.facts) == {
        "messages": len(sent), "unread": 2, "tasks": 1, "commands": 0, "grants": 0,
        "by": "retention", "grace_seconds": WEEK,
    }  # fmt: skip
    # the digest of what was said stays
    assert await entries(pair.hub, "message.send") == sent
    assert all(entry.digest for entry in sent)
    assert (await pair.hub.evidence.verify()).messages == 0


async def test_mail_that_nobody_read_is_named_session_by_session(pair: Pair) -> None:
    first = await pair.send(pair.alice, "one")
    await pair.check(pair.bob)
    second = await pair.send(pair.alice, "two")
    third = await pair.send(pair.alice, "three")
    fourth = await pair.send(pair.bob, "four")
    pair.clock.advance(LIFETIME + WEEK)
    await swept(pair.hub)
    left = {entry.session: dict(entry.facts) for entry in await entries(pair.hub, "message.drop")}
    assert left == {
        "a": {"unread": 1, "message_ids": f"{fourth.message_id}", "from": "b"},
        "b": {"unread": 2, "message_ids": f"{second.message_id},{third.message_id}", "from": "a"},
    }
    assert first.message_id not in (second.message_id, third.message_id)


async def test_mail_under_a_claim_that_nobody_confirmed_counts_as_never_read(pair: Pair) -> None:
    sent = await pair.send(pair.alice, "handed over to somebody who died")
    await pair.check(pair.bob, confirmed=False)
    pair.clock.advance(LIFETIME + WEEK)
    await swept(pair.hub)
    (left,) = await entries(pair.hub, "message.drop")
    assert (left.session, left.facts["message_ids"]) == ("b", str(sent.message_id))


async def test_a_full_mailbox_is_counted_whole_and_named_in_part(pair: Pair) -> None:
    for number in range(70):
        pair.clock.advance(100)
        await pair.send(pair.alice, f"letter {number}")
    pair.clock.advance(LIFETIME + WEEK)
    await swept(pair.hub)
    (left,) = await entries(pair.hub, "message.drop")
    assert left.facts["unread"] == 70
    assert len(str(left.facts["message_ids"]).split(",")) == 50


async def test_cleaning_up_by_hand_accounts_for_the_same(pair: Pair) -> None:
    await pair.send(pair.alice, "never read")
    pair.clock.advance(LIFETIME)
    await pair.hub.conversations.cleanup(OWNER, 0)
    assert [entry.session for entry in await entries(pair.hub, "message.drop")] == ["b"]
    (erased,) = await entries(pair.hub, "conversation.erase")
    assert "by" not in erased.facts


async def test_a_request_that_stands_open_is_ended_with_an_entry_of_its_own(guard: Guarded) -> None:
    await guard.enable()
    pending = await guard.ask("pytest -q")
    guard.clock.advance(2)
    await guard.hub.conversations.extend(OWNER, guard.conversation, 1)
    guard.clock.advance(2)
    async with guard.hub.bell.listen(command_topic(pending)) as ear:
        assert await swept(guard.hub, 1) == [guard.conversation]
        assert await ear.wait(60)
    (ended,) = await entries(guard.hub, "command.expire")
    (erased,) = await entries(guard.hub, "conversation.erase")
    assert (ended.target, erased.facts["commands"]) == (pending, 1)
    assert ended.seq < erased.seq
    assert not await guard.world.store.read(lambda tx: tx.commands.list(guard.conversation, 9))
    assert not await guard.world.store.read(lambda tx: tx.yolo.list(guard.conversation, 9))


async def test_while_a_command_runs_its_conversation_waits_for_the_outcome(guard: Guarded) -> None:
    await guard.enable()
    guard.sandbox.hold = anyio.Event()
    approved = await guard.ask("pytest -q")
    await guard.approve(approved)

    async def asked() -> None:
        with pytest.raises(Refused):
            # it may no longer hear of it, and the command goes on
            await guard.run(approved)

    async with anyio.create_task_group() as group:
        group.start_soon(asked)
        with anyio.fail_after(120):
            while not guard.sandbox.runs:
                await anyio.sleep(0)
        await guard.hub.conversations.extend(OWNER, guard.conversation, 1)
        other = await guard.hub.conversations.create(agent("zoe"), "one role", "other role", None, 1)
        guard.clock.advance(3)
        assert await swept(guard.hub, 1) == [other.conversation.id], "the others do not wait with it"
        guard.sandbox.hold.set()
    with anyio.fail_after(120):
        while not await entries(guard.hub, "command.finish"):
            await anyio.sleep(0)
    assert await swept(guard.hub, 1) == [guard.conversation]


async def test_snapshots_of_a_workspace_outlive_the_conversation_that_made_them(guard: Guarded) -> None:
    await guard.enable()
    approved = await guard.ask("pytest -q")
    await guard.approve(approved)
    await guard.run(approved)
    before = await guard.hub.snapshots.list(OWNER)
    assert before
    guard.clock.advance(LIFETIME + WEEK)
    assert await swept(guard.hub) == [guard.conversation]
    assert await guard.hub.snapshots.list(OWNER) == before


async def test_what_came_out_of_a_backup_has_a_whole_grace_time_anew(pair: Pair) -> None:
    pair.clock.advance(LIFETIME + 50 * WEEK)
    held = Manifest(FORMAT, pair.clock.now(), "test", "signer", 9, "", 9, "0" * 64)
    backup = Backup("/backups/old.age", 9, "0" * 64, held)
    await pair.hub.backups.restored(OWNER, backup)
    pair.clock.advance(WEEK - 1)
    assert await swept(pair.hub) == []
    pair.clock.advance(1)
    assert await swept(pair.hub) == [pair.made.conversation.id]


async def test_a_restore_is_remembered_however_many_refusals_were_written_since(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED", 10)
    pair.clock.advance(LIFETIME + 50 * WEEK)
    held = Manifest(FORMAT, pair.clock.now(), "test", "signer", 9, "", 9, "0" * 64)
    await pair.hub.backups.restored(OWNER, Backup("/backups/old.age", 9, "0" * 64, held))
    for _ in range(35):
        await pair.hub.journal.refused(agent("a stranger"), "connection.open", NotAllowed("no", "no"))
    started = memory_hub(store=pair.world.store, clock=pair.clock)
    pair.clock.advance(SURE)
    assert await swept(started.hub) == []
    for _ in range(35):
        await pair.hub.journal.refused(agent("a stranger"), "connection.open", NotAllowed("no", "no"))
    pair.clock.advance(WEEK - SURE - 1)
    assert await swept(started.hub) == []
    pair.clock.advance(1)
    assert await swept(started.hub) == [pair.made.conversation.id]


async def test_who_follows_a_mailbox_is_woken_when_it_goes(pair: Pair) -> None:
    pair.clock.advance(LIFETIME + WEEK)
    async with pair.hub.bell.listen(inbox(pair.made.conversation.id, "b")) as ear:
        await swept(pair.hub)
        assert await ear.wait(60)


async def many(world: TestHub, count: int) -> list[Conversation]:
    found = []
    for number in range(count):
        made = await world.hub.conversations.create(agent(f"agent {number}"), "backend", "frontend")
        found.append(made.conversation)
        world.clock.advance(1)
    return found


async def test_many_go_in_transactions_of_bounded_size_the_longest_expired_first(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = memory_hub()
    made = await many(world, 2 * retention.BATCH + 3)
    world.clock.advance(LIFETIME + WEEK)
    writes: list[int] = []
    plain = world.hub.retention._gate.own

    async def counted(caller, action, verb):  # type: ignore[no-untyped-def]
        done = await plain(caller, action, verb)
        writes.append(len(done))
        return done

    monkeypatch.setattr(world.hub.retention._gate, "own", counted)
    assert await swept(world.hub) == [one.id for one in made]
    assert writes == [retention.BATCH, retention.BATCH, 3, 0]


async def test_a_transaction_takes_no_more_after_a_large_conversation(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "WEIGHT", 3)
    world = memory_hub()
    owner = agent("alice")
    for _ in range(3):
        made = await world.hub.conversations.create(owner, "backend", "frontend")
        for number in range(2):
            await world.hub.messages.send(owner, Credentials(made.conversation.id, "a"), f"letter {number}")
        world.clock.advance(1)
    world.clock.advance(LIFETIME + WEEK)
    remembered = world.hub.retention._batch(WEEK)
    first = await world.hub.retention._gate.own(OWNER, retention.ACTION, remembered)
    assert len(first) == 1
    assert len(await swept(world.hub)) == 2


async def test_of_two_hubs_on_one_store_each_conversation_is_erased_by_one(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "bridge.db") as one, SqliteStore(tmp_path / "bridge.db") as two:
        first = memory_hub(store=one)
        second = memory_hub(store=two, clock=first.clock)
        made = await many(first, 60)
        first.clock.advance(LIFETIME + WEEK)
        gone: list[str] = []

        async def sweep(world: TestHub) -> None:
            gone.extend(await swept(world.hub))

        async with anyio.create_task_group() as group:
            group.start_soon(sweep, first)
            group.start_soon(sweep, second)
        assert sorted(gone) == sorted(one.id for one in made)
        erased = [entry.target for entry in await entries(first.hub, "conversation.erase")]
        assert sorted(erased) == sorted(one.id for one in made)
        await first.hub.evidence.verify()


async def test_a_hub_that_was_just_started_lets_a_clock_settle_first(anyio_backend: str) -> None:
    world = memory_hub()
    (made,) = await many(world, 1)
    world.clock.advance(LIFETIME + WEEK)
    later = memory_hub(store=world.store, clock=world.clock)
    assert await swept(later.hub) == []
    world.clock.advance(SURE - 1)
    assert await swept(later.hub) == []
    world.clock.advance(1)
    assert await swept(later.hub) == [made.id]


async def test_a_clock_that_is_set_ahead_erases_nothing_early_and_back_again_nothing_either(pair: Pair) -> None:
    pair.clock.advance(LIFETIME)
    await swept(pair.hub)
    pair.clock.jump(365 * DAY)
    assert await swept(pair.hub) == []
    pair.clock.advance(WEEK - 1)
    assert await swept(pair.hub) == [], "it had less than its grace time by the clock that cannot be set"
    pair.clock.jump(-365 * DAY)
    assert await swept(pair.hub) == []
    pair.clock.advance(1)
    assert await swept(pair.hub) == [pair.made.conversation.id]


async def test_after_a_clock_was_set_ahead_for_good_a_whole_grace_time_is_waited(pair: Pair) -> None:
    pair.clock.advance(60)
    pair.clock.jump(365 * DAY)
    await swept(pair.hub)
    pair.clock.advance(WEEK - 1)
    assert await swept(pair.hub) == []
    pair.clock.advance(1)
    assert await swept(pair.hub) == [pair.made.conversation.id]


@pytest.mark.parametrize("roles", ["agent", "operator", "auditor", "admin"])
async def test_nobody_but_the_hub_itself_may_have_it_done(pair: Pair, roles: str) -> None:
    pair.clock.advance(LIFETIME + WEEK)
    remote = Caller("bearer:x", "x", "ip:192.0.2.7", roles=frozenset({roles}), identity="key_x")
    with pytest.raises(NotAllowed):
        await pair.hub.retention.sweep(remote, WEEK)
    assert (await pair.hub.conversations.show(OWNER, pair.made.conversation.id))[0]


async def test_the_store_finds_the_longest_expired_first(pair: Pair) -> None:
    store = pair.world.store
    start = pair.clock.now()
    names = [pair.made.conversation.id]
    for seconds in (30, 10, 20):
        made = await pair.hub.conversations.create(agent(f"z{seconds}"), "one role", "other role", None, seconds)
        names.append(made.conversation.id)
    found = await store.read(lambda tx: tx.conversations.expired(start + 30 * SECOND, 9))
    assert [one.id for one in found] == [names[2], names[3], names[1]]
    assert [one.id for one in await store.read(lambda tx: tx.conversations.expired(start + 30 * SECOND, 1))] == [
        names[2]
    ]
    assert not await store.read(lambda tx: tx.conversations.expired(start + 10 * SECOND - 1, 9))
