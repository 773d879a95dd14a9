"""Data keys are replaced: what is written after a rotation is under new ones, and what was written before comes after it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Conflict, NotAllowed, Tampered
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.reseals import PLACES
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.services import evidence, reseals
from multiagent_bridge.services.evidence import Evidence
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent
from multiagent_bridge.testing.store_commands import command
from multiagent_bridge.testing.store_tasks import task
from multiagent_bridge.testing.store_yolo import enabling, grant
from tests.services.rotations import NEW, NEWER, Site, heard, opened, send

pytestmark = pytest.mark.anyio

SOURCES = Path(reseals.__file__).parent


@pytest.fixture(params=["memory", "sqlite"])
async def site(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield Site()
        else:
            yield Site(await stack.enter_async_context(SqliteStore(tmp_path / "bridge.db")))


async def row(world: TestHub, conversation_id: str) -> Conversation:
    found = await world.store.read(lambda tx: tx.conversations.get(conversation_id))
    assert found is not None
    return found


async def texts(world: TestHub, conversation_id: str) -> dict[str, str]:
    """Every sealed text of a conversation in clear, by its place."""
    mine = await row(world, conversation_id)
    found = await world.store.read(lambda tx: tx.reseals.texts(conversation_id, b"none", 0, 10_000))
    return {one.bound: world.keys.open(mine, one.bound, one.sealed) for one in found}


async def names(world: TestHub, conversation_id: str) -> set[bytes]:
    found = await world.store.read(lambda tx: tx.reseals.texts(conversation_id, b"none", 0, 10_000))
    return {one.sealed[:4] for one in found}


async def fill(world: TestHub, conversation_id: str) -> None:
    """A text in every place in which one is sealed, beside what is there."""
    mine = await row(world, conversation_id)

    def sealed(place: str) -> bytes:
        return world.keys.seal(mine, place, f"text of {place}")

    async def written(tx: Tx) -> None:
        await tx.sessions.report(mine.id, "a", "working", sealed("sessions/note/a"))
        await tx.tasks.add(task(1, mine.id, body=sealed("tasks/body/task_1")))
        asked = replace(command(1, mine.id), order=sealed("commands/order/cmd_1"))
        said = replace(asked, reason=sealed("commands/reason/cmd_1"), outcome=sealed("commands/outcome/cmd_1"))
        await tx.commands.add(said)
        await tx.yolo.add_grant(replace(grant(1, mine.id), scope=sealed("grants/scope/grant_1")))
        wish = replace(enabling(1, "asked", mine.id), wish=sealed("yolo/wish/yolo_1"))
        await tx.yolo.add(replace(wish, reason=sealed("yolo/reason/yolo_1")))

    await world.store.write(written)


async def test_every_place_reads_the_same_before_between_and_after_the_replacement(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "hello")
    await fill(running, mine)
    before = await texts(running, mine)
    assert {bound.rpartition("/")[0] for bound in before} == set(PLACES)
    rotating = await site.rotated()
    assert await texts(running, mine) == before
    await rotating.hub.reseals.begin(OWNER)
    while (await rotating.hub.reseals.step(OWNER)).more:
        for world in (running, rotating, await site.hub()):
            assert await texts(world, mine) == before
    for world in (running, rotating, await site.hub(NEW)):
        assert await texts(world, mine) == before
    assert await names(running, mine) == {(2).to_bytes(4, "big")}
    assert len((await row(running, mine)).sealed_key) == 68


async def test_what_is_written_after_a_rotation_is_under_the_new_data_key_at_once(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "before")
    await site.rotated()
    await send(running, "after")
    rows = await site.store.read(lambda tx: tx.messages.list(mine, 0, 9))
    assert [one.body[:4] == (2).to_bytes(4, "big") for one in rows] == [False, True]
    assert await heard(await site.hub()) == ["before", "after"]


async def test_a_hub_that_has_not_heard_of_the_rotation_reads_and_writes_under_the_new_data_key(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "before")
    await running.hub.conversations.list(OWNER)
    rotating = await site.hub(NEW, *site.ring)
    site.ring = (NEW, *site.ring)
    await rotating.hub.master_keys.rotate(OWNER)
    await site.rewrap(rotating)
    # no time has passed, so that it knows of no other master key: it looks for the one that the data key names
    await send(running, "after")
    assert await heard(running) == ["before", "after"]
    assert (2).to_bytes(4, "big") in await names(running, mine)


async def test_the_journal_says_when_it_began_and_what_was_done(site: Site) -> None:
    running = await site.hub()
    made = await opened(running)
    for n in range(3):
        await send(running, f"message {n}")
    rotating = await site.rotated()
    done = await site.resealed(rotating)
    assert (done.state, done.texts, done.data_keys) == ("finished", 3, 1)
    entries = await running.hub.journal.entries()
    begun, ended = (next(e for e in entries if e.action == f"master_key.{verb}") for verb in ("reseal", "destroy"))
    assert begun.facts == {"conversations": 1, "messages": 3}
    assert ended.facts == {"began": begun.seq, "texts": 3, "data_keys": 1}
    assert begun.seq == done.began
    assert made.conversation.id not in json.dumps([begun.facts, ended.facts])
    assert [e.action for e in entries].count("master_key.reseal") == 1
    assert (await running.hub.evidence.verify()).messages == 3


async def test_a_rotation_after_much_else_while_a_journal_is_verified_brings_no_data_key_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "before")
    rotating = await site.rotated()
    await site.resealed(rotating)
    await site.retired(rotating)
    looking = await site.hub()
    plain = looking.hub.journal.verify

    async def verified(*given: Any) -> Any:
        chain = await plain(*given)
        for number in range(9):
            await send(running, f"message {number}")
        await site.rotated(NEWER)
        return chain

    monkeypatch.setattr(evidence, "PAGE", 3)
    monkeypatch.setattr(looking.hub.journal, "verify", verified)
    assert (await looking.hub.evidence.verify()).messages == 1


async def test_the_state_says_how_far_it_is(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "hello")
    rotating = await site.rotated()
    status = rotating.hub.master_keys.status
    assert (await status(OWNER)).fields()["conversations_left"] == 1
    assert (await status(OWNER)).fields()["messages_left"] == 1
    assert (await status(OWNER)).fields()["reseal"] is None
    begun = await rotating.hub.reseals.begin(OWNER)
    assert await running.hub.reseals.under_way(OWNER)
    await rotating.hub.reseals.step(OWNER)
    under_way = {"began": begun.began, "state": "under_way", "texts": 1, "data_keys": 0}
    assert (await status(OWNER)).fields()["reseal"] == under_way
    while (await rotating.hub.reseals.step(OWNER)).more:
        pass
    found = (await status(OWNER)).fields()
    assert found["reseal"] == {"began": begun.began, "state": "finished", "texts": 1, "data_keys": 1}
    assert (found["conversations_left"], found["messages_left"]) == (0, 0)
    assert not await running.hub.reseals.under_way(OWNER)
    assert not (await running.hub.reseals.step(OWNER)).more


async def test_it_begins_once_and_only_where_there_is_something_to_replace(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    with pytest.raises(Conflict, match="no data key"):
        await running.hub.reseals.begin(OWNER)
    rotating = await site.rotated(rewrapped=False)
    with pytest.raises(Conflict, match="another master key"):
        await rotating.hub.reseals.begin(OWNER)
    await site.rewrap(rotating)
    assert await rotating.hub.reseals.begin(OWNER) == await running.hub.reseals.begin(OWNER)
    await site.resealed(rotating)
    with pytest.raises(Conflict, match="no data key"):
        await running.hub.reseals.begin(OWNER)


async def test_whoever_comes_after_a_kill_goes_on_from_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 2)
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    for n in range(7):
        await send(running, f"message {n}")
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)
    for left in (5, 3, 1, 0):
        # each step is another process: what it remembered is gone
        assert (await (await site.hub()).hub.reseals.step(OWNER)).more
        fresh = (2).to_bytes(4, "big")
        assert len(await site.store.read(lambda tx: tx.reseals.texts(mine, fresh, 0, 99))) == left  # noqa: B023
        assert await heard(running) == [f"message {n}" for n in range(7)]
    done = await site.resealed(await site.hub())
    assert (done.state, done.texts, done.data_keys) == ("finished", 7, 1)


async def test_hubs_that_do_it_at_once_count_each_text_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 3)
    running = await site.hub()
    made = [await running.hub.conversations.create(agent(f"agent {n}"), "backend", "frontend") for n in range(3)]
    for n in range(3):
        for _ in range(10):
            await running.hub.messages.send(agent(f"agent {n}"), NO_CREDENTIALS, "hello")
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)

    async def drive(world: TestHub) -> None:
        while (await world.hub.reseals.step(OWNER)).more:
            pass

    await asyncio.gather(*(drive(world) for world in (running, rotating, await site.hub())))
    found = await site.store.read(lambda tx: tx.reseals.newest())
    assert found is not None
    assert (found.state, found.texts, found.data_keys) == ("finished", 30, 3)
    assert (await running.hub.evidence.verify()).messages == 30
    assert {len((await row(running, one.conversation.id)).sealed_key) for one in made} == {68}


async def test_what_is_sent_meanwhile_is_read_and_needs_no_second_look(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 1)
    running = await site.hub()
    await opened(running)
    said = [f"message {n}" for n in range(4)]
    for text in said:
        await send(running, text)
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)
    while (await rotating.hub.reseals.step(OWNER)).more:
        said.append(f"message {len(said)}")
        await send(running, said[-1])
        assert await heard(running) == said
    found = await site.store.read(lambda tx: tx.reseals.newest())
    assert found is not None
    assert (found.texts, found.data_keys) == (4, 1)


async def test_long_texts_are_few_in_one_transaction(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reseals, "BYTES", 50_000)
    running = await site.hub()
    await opened(running)
    for n in range(5):
        await send(running, f"{n} " * 10_000)
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)
    steps = [(await rotating.hub.reseals.step(OWNER)).texts for _ in range(3)]
    assert steps == [2, 2, 1]


async def test_three_generations_open_beside_each_other_and_are_replaced_together(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "first")
    for to, text in ((NEW, "second"), (NEWER, "third")):
        await site.retired(await site.rotated(to))
        await send(running, text)
    assert len(await names(running, mine)) == 3
    assert await heard(await site.hub()) == ["first", "second", "third"]
    done = await site.resealed(await site.hub())
    assert (done.texts, done.data_keys) == (2, 2)
    assert await heard(await site.hub()) == ["first", "second", "third"]


async def test_a_rotation_in_the_midst_of_it_is_replaced_with_the_rest(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "first")
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)
    await rotating.hub.reseals.step(OWNER)
    await site.retired(rotating)
    again = await site.rotated(NEWER)
    await send(running, "second")
    done = await site.resealed(again)
    assert (done.state, done.data_keys) == ("finished", 2)
    assert await heard(await site.hub(NEWER)) == ["first", "second"]


async def test_a_conversation_of_a_hub_that_had_not_heard_is_replaced_before_it_ends(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    late = await site.hub()
    await late.hub.conversations.list(OWNER)
    site.ring = (NEW, *site.ring)
    rotating = await site.hub()
    await rotating.hub.master_keys.rotate(OWNER)
    await site.rewrap(rotating)
    await rotating.hub.reseals.begin(OWNER)
    made = await late.hub.conversations.create(agent("dave"), "backend", "frontend")
    assert made.conversation.sealed_key[:4].hex() != rotating.keys.current
    done = await site.resealed(rotating)
    assert (done.state, done.data_keys) == ("finished", 2)
    await rotating.hub.master_keys.retire(OWNER)


async def test_a_conversation_that_comes_too_late_for_it_is_replaced_by_the_next_one(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    late = await site.hub()
    await late.hub.conversations.list(OWNER)
    site.ring = (NEW, *site.ring)
    rotating = await site.hub()
    await rotating.hub.master_keys.rotate(OWNER)
    await site.rewrap(rotating)
    await rotating.hub.reseals.begin(OWNER)
    while (await rotating.hub.reseals.step(OWNER)).more:
        pass
    await late.hub.conversations.create(agent("dave"), "backend", "frontend")
    await late.hub.messages.send(agent("dave"), NO_CREDENTIALS, "late")
    site.later()
    assert await site.rewrap(rotating) == 1
    for world in (rotating, late, await site.hub()):
        assert (await world.hub.evidence.verify()).messages == 1
    assert (await site.resealed(rotating)).data_keys == 1
    await site.retired(rotating)
    assert (await (await site.hub(NEW)).hub.evidence.verify()).messages == 1


async def test_a_damaged_text_keeps_its_conversation_and_no_other_from_it(site: Site) -> None:
    running = await site.hub()
    bad = (await opened(running)).conversation.id
    good = (await running.hub.conversations.create(agent("carol"), "backend", "frontend")).conversation.id
    await send(running, "hello")
    await running.hub.messages.send(agent("carol"), NO_CREDENTIALS, "hello")
    (text,) = await site.store.read(lambda tx: tx.reseals.texts(bad, b"none", 0, 9))
    damaged = text.sealed[:-1] + bytes([text.sealed[-1] ^ 1])
    await site.store.write(lambda tx: tx.reseals.replace(text, damaged))
    rotating = await site.rotated()
    for _ in range(2):
        with pytest.raises(Tampered, match=bad):
            await site.resealed(rotating)
        assert len((await row(running, good)).sealed_key) == 68
        assert len((await row(running, bad)).sealed_key) == 136
        assert await rotating.hub.reseals.under_way(OWNER)
    await site.store.write(lambda tx: tx.reseals.replace(replace(text, sealed=damaged), text.sealed))
    assert (await site.resealed(rotating)).data_keys == 2


class Between:
    """A store in which something happens before every look."""

    def __init__(self, store: Store, happens: Callable[[], Awaitable[Any]]) -> None:
        self._store = store
        self._happens = happens

    async def read(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        await self._happens()
        return await self._store.read(work)

    async def write(self, work: Callable[[Tx], Awaitable[Any]], *, brief: bool = False) -> Any:
        return await self._store.write(work, brief=brief)

    async def close(self) -> None:
        await self._store.close()


async def test_a_verification_reads_on_while_it_is_done(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 1)
    running = await site.hub()
    await opened(running)
    for n in range(6):
        await send(running, f"message {n}")
    rotating = await site.rotated(rewrapped=False)
    stages: list[Callable[[], Awaitable[Any]]] = [
        lambda: rotating.hub.conversations.list(OWNER),
        lambda: site.rewrap(rotating),
        lambda: rotating.hub.reseals.begin(OWNER),
    ]

    async def happens() -> None:
        await (stages.pop(0)() if stages else rotating.hub.reseals.step(OWNER))

    looking = Evidence(running.hub.journal, Between(site.store, happens), running.keys)
    assert (await looking.verify(limit=1)).messages == 6
    assert not stages


@pytest.mark.parametrize("verb", ["begin", "step", "under_way"])
async def test_nobody_but_the_owner_replaces_data_keys(site: Site, verb: str) -> None:
    world = await site.hub()
    with pytest.raises(NotAllowed):
        await getattr(world.hub.reseals, verb)(replace(agent("mallory"), operator=False))
    assert (await world.hub.journal.newest(1))[0].outcome == "refused"


def test_every_place_in_which_a_service_seals_a_text_is_one_that_is_sealed_anew() -> None:
    sealed = set()
    for file in SOURCES.glob("*.py"):
        sealed |= set(re.findall(r"\.seal\(\s*[\w.]+, f?\"(\w+/\w+)/", file.read_text(encoding="utf-8")))
    assert sealed == set(PLACES)
