"""The replacement of data keys under attack: keys stolen before it, rows and keys of before put back, a kill in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from multiagent_bridge.adapters import generations
from multiagent_bridge.adapters.generations import LINK, Ciphers
from multiagent_bridge.adapters.keys import NONCE_BYTES, STRADDLE, Derived, MasterKeys
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.reseals import SealedText
from multiagent_bridge.services import reseals
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent
from tests.services.rotations import NEW, NEWER, OLD, Site, heard, opened, send

pytestmark = pytest.mark.anyio

SECOND_GENERATION = (2).to_bytes(4, "big")


@pytest.fixture
def site(anyio_backend: str) -> Site:
    return Site()


async def row(site: Site, conversation_id: str = "") -> Conversation:
    found = await site.store.read(lambda tx: tx.conversations.list())
    return next(one for one in found if conversation_id in ("", one.id))


async def stored(site: Site, conversation_id: str) -> Sequence[SealedText]:
    return await site.store.read(lambda tx: tx.reseals.texts(conversation_id, b"none", 0, 99))


async def put(site: Site, conversation: Conversation) -> None:
    """Write the data keys of a conversation over what is there, as who may write to the database does."""
    now = await row(site, conversation.id)
    assert await site.store.write(
        lambda tx: tx.conversations.reseal(conversation.id, conversation.sealed_key, now.sealed_key)
    )


async def overwrite(site: Site, text: SealedText, sealed: bytes) -> None:
    (now,) = [one for one in await stored(site, text.conversation_id) if one.bound == text.bound]
    assert await site.store.write(lambda tx: tx.reseals.replace(now, sealed))


def thief(copy: Conversation, master: bytes) -> Ciphers:
    """The data keys that a master key and a copy of the database of its time give away."""
    derived = Derived(master)
    return Ciphers(copy.sealed_key, generations.held(copy.sealed_key, copy.id, derived.unwrap))


def forged(copy: Conversation, master: bytes, place: str, text: str) -> bytes:
    """A text as the thief seals it under the stolen data key."""
    bound = f"{copy.id}/{place}".encode()
    nonce = b"\7" * NONCE_BYTES
    return copy.sealed_key[:4] + nonce + thief(copy, master).newest.encrypt(nonce, text.encode(), bound)


async def replaced(site: Site) -> tuple[TestHub, Conversation, Conversation]:
    """A conversation whose data key was stolen and then replaced. Returns a hub, and its row of before and of in between."""
    running = await site.hub()
    await opened(running)
    await send(running, "before")
    stolen = await row(site)
    rotating = await site.rotated()
    between = await row(site)
    await send(running, "after")
    await site.retired(rotating)
    await site.resealed(rotating)
    # it hears of the end
    await rotating.hub.conversations.list(OWNER)
    return rotating, stolen, between


async def test_a_stolen_data_key_opens_nothing_that_came_after_the_rotation(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "before")
    stolen = await row(site)
    rotating = await site.rotated()
    await send(running, "after")
    before, after = await stored(site, mine)
    eyes = MasterKeys(OLD)
    assert "before" in eyes.open(stolen, before.bound, before.sealed)
    with pytest.raises(Tampered):
        eyes.open(stolen, after.bound, after.sealed)
    await site.resealed(rotating)
    for text in await stored(site, mine):
        with pytest.raises(Tampered):
            eyes.open(stolen, text.bound, text.sealed)
        # the name of the generation is not what keeps it shut
        with pytest.raises(Tampered):
            eyes.open(stolen, text.bound, before.sealed[:4] + text.sealed[4:])
    with pytest.raises(Unavailable):
        eyes.open(await row(site), before.bound, before.sealed)


@pytest.mark.parametrize("stage", ["between", "after"])
async def test_a_text_of_another_conversation_generation_or_place_does_not_open(site: Site, stage: str) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    other = (await running.hub.conversations.create(agent("carol"), "backend", "frontend")).conversation.id
    for _ in range(2):
        await send(running, "hello")
        await running.hub.messages.send(agent("carol"), NO_CREDENTIALS, "hello")
    rotating = await site.rotated()
    await send(running, "more")
    if stage == "after":
        await site.resealed(rotating)
    here, there = await row(site, mine), await row(site, other)
    texts, foreign = await stored(site, mine), await stored(site, other)
    old = foreign[0].sealed[:4]
    for text in texts:
        rotating.keys.open(here, text.bound, text.sealed)
        wrong = [one.sealed for one in (*foreign, *texts) if one.bound != text.bound or one.conversation_id != mine]
        names = [SECOND_GENERATION, (3).to_bytes(4, "big"), b"none", old]
        if text.sealed[:4] != SECOND_GENERATION:
            # before there were numbers a name was not looked at: it is the same text under the same key
            names = [SECOND_GENERATION]
        wrong += [name + text.sealed[4:] for name in names if name != text.sealed[:4]]
        for sealed in wrong:
            with pytest.raises(Tampered):
                rotating.keys.open(here, text.bound, sealed)
        with pytest.raises(Tampered):
            rotating.keys.open(there, text.bound, text.sealed)


async def test_a_data_key_that_only_opens_seals_nothing(site: Site) -> None:
    """Links cut out of a row, put in another order, or into another conversation."""
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    other = (await running.hub.conversations.create(agent("carol"), "backend", "frontend")).conversation.id
    await site.rotated()
    site.ring = (NEW, OLD)
    here, there = await row(site, mine), await row(site, other)
    sealing, opening = here.sealed_key[:LINK], here.sealed_key[LINK:]
    puzzles = [
        opening,
        opening + sealing,
        opening + opening,
        sealing + sealing,
        sealing + there.sealed_key[LINK:],
        there.sealed_key,
        here.sealed_key[:-1],
        sealing + opening[:-4],
        sealing + bytes.fromhex(Derived(OLD).id) + opening[4:],
    ]
    for puzzle in puzzles:
        keys = (await site.hub()).keys
        for act in (lambda c: keys.seal(c, "messages/body/1", "text"), keys.names, keys.renew):  # noqa: B023
            with pytest.raises(Tampered):
                act(replace(here, sealed_key=puzzle))
    world = await site.hub()
    assert world.keys.names(here)[0] == SECOND_GENERATION


async def test_a_data_key_that_was_destroyed_is_refused_when_it_is_put_back(site: Site) -> None:
    rotating, stolen, between = await replaced(site)
    lie = forged(stolen, OLD, "messages/body/1", '{"message": "a lie", "files": []}')
    (text, _) = await stored(site, stolen.id)
    await overwrite(site, text, lie)
    for back in (stolen, between):
        await put(site, back)
        site.later(STRADDLE)
        for world in (rotating, await site.hub(NEW)):
            with pytest.raises((Tampered, Unavailable)):
                await heard(world)
            with pytest.raises((Tampered, Unavailable)):
                await send(world, "under the stolen key?")
            with pytest.raises((Tampered, Unavailable)):
                await world.hub.evidence.verify()
    assert len(await stored(site, stolen.id)) == 2


async def test_a_destroyed_data_key_that_is_put_back_seals_nothing_from_the_moment_that_its_end_is_heard_of(
    site: Site,
) -> None:
    rotating, stolen, between = await replaced(site)
    for back in (stolen, between):
        await put(site, back)
        with pytest.raises(Tampered):
            await send(rotating, "under the stolen key?")


async def test_a_data_key_under_a_retired_master_key_that_is_still_in_the_ring_is_refused(site: Site) -> None:
    _, stolen, _ = await replaced(site)
    await put(site, stolen)
    with pytest.raises(Tampered, match="retired"):
        await heard(await site.hub(NEW, OLD))
    with pytest.raises(Tampered, match="retired"):
        await send(await site.hub(NEW, OLD), "under the stolen key?")


async def test_a_text_of_before_is_refused_when_it_is_put_back_without_its_key(site: Site) -> None:
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    await send(running, "before")
    stolen = await row(site)
    (before,) = await stored(site, mine)
    await site.resealed(await site.rotated())
    for sealed in (before.sealed, forged(stolen, OLD, "messages/body/1", '{"message": "a lie", "files": []}')):
        await overwrite(site, before, sealed)
        for world in (running, await site.hub()):
            with pytest.raises(Tampered, match="destroyed"):
                await heard(world)


async def test_who_puts_back_what_the_master_key_carries_as_well_is_named_by_the_verification(site: Site) -> None:
    rotating, _, between = await replaced(site)
    keys = MasterKeys(NEW)
    keys.follow(await site.store.read(lambda tx: tx.master_keys.list()))
    rows = await site.store.read(lambda tx: tx.master_keys.list())
    await site.store.write(lambda tx: tx.master_keys.carry(rows[-1].id, keys.carried(settled=False), rows[-1].carried))
    await put(site, between)
    site.later(STRADDLE)
    for world in (rotating, await site.hub(NEW)):
        with pytest.raises(Tampered, match="older data key"):
            await world.hub.evidence.verify()


async def test_what_the_master_key_carries_cannot_be_made_without_it(site: Site) -> None:
    await replaced(site)
    rows = await site.store.read(lambda tx: tx.master_keys.list())
    old = MasterKeys(OLD)
    await site.store.write(lambda tx: tx.master_keys.carry(rows[-1].id, old.carried(settled=False), rows[-1].carried))
    with pytest.raises(Tampered):
        await site.hub(NEW)


async def test_a_text_that_comes_back_after_the_last_batch_is_found_before_the_data_key_is_destroyed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 1)
    running = await site.hub()
    mine = (await opened(running)).conversation.id
    for n in range(3):
        await send(running, f"message {n}")
    before = await stored(site, mine)
    rotating = await site.rotated()
    await rotating.hub.reseals.begin(OWNER)
    for _ in before:
        await rotating.hub.reseals.step(OWNER)
    # a writer that had read it before, or a program of an older kind: it lies behind where the hub stands
    await overwrite(site, before[0], before[0].sealed)
    step = await rotating.hub.reseals.step(OWNER)
    assert (step.texts, step.data_keys) == (1, 0)
    await site.resealed(rotating)
    for world in (running, await site.hub()):
        assert await heard(world) == [f"message {n}" for n in range(3)]


@pytest.mark.parametrize("steps", range(9))
async def test_after_a_kill_at_any_step_all_is_read_and_the_old_key_goes_in_the_end(
    site: Site, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 2)
    running = await site.hub()
    await opened(running)
    said = [f"message {n}" for n in range(5)]
    for text in said:
        await send(running, text)
    rotating = await site.rotated()
    for step in range(steps):
        world = await site.hub()
        await (world.hub.reseals.step(OWNER) if step else world.hub.reseals.begin(OWNER))
    for world in (running, rotating, await site.hub()):
        assert await heard(world) == said
        assert (await world.hub.evidence.verify()).messages == 5
    if (await row(site)).sealed_key[LINK:]:
        await site.resealed(await site.hub())
    while (await rotating.hub.reseals.step(OWNER)).more:
        pass
    assert len((await row(site)).sealed_key) == LINK
    assert await heard(await site.hub()) == said


async def test_a_store_of_before_that_is_put_back_whole_opens_under_the_ring_of_its_time_alone(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "before")
    backup = Site(site.store, site.clock)
    copy = await site.store.read(lambda tx: tx.conversations.list())
    rotating = await site.rotated()
    await site.retired(rotating)
    await site.resealed(rotating)
    for ring in ((NEW,), (NEWER, NEW)):
        keys = MasterKeys(*ring)
        with pytest.raises(Unavailable):
            keys.open(copy[0], "messages/body/1", b"\0" * 64)
    assert backup.ring == (OLD,)
    assert thief(copy[0], OLD).names == [copy[0].sealed_key[:4]]


async def test_nothing_of_a_destroyed_data_key_or_of_what_it_sealed_is_left_in_the_files(
    tmp_path: Path, anyio_backend: str
) -> None:
    path = tmp_path / "bridge.db"
    async with SqliteStore(path) as store:
        site = Site(store)
        running = await site.hub()
        mine = (await opened(running)).conversation.id
        for n in range(5):
            await send(running, f"message {n}")
        before, stolen = await stored(site, mine), await row(site)
        rotating = await site.rotated()
        between = await row(site)
        await site.resealed(rotating)
    dump = path.read_bytes()
    assert SECOND_GENERATION in dump
    for secret in (stolen.sealed_key[4:], between.sealed_key[LINK + 4 :], *(one.sealed[4:] for one in before)):
        assert secret not in dump
