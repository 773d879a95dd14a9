"""A rotation of the master key under attack: an old key stolen, a ring rolled back or planted, rows and entries forged."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.keys import Derived, MasterKeys, key_id
from multiagent_bridge.adapters.master_keys import KeySource
from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.state import master_keys, replace_secret
from multiagent_bridge.errors import BridgeError, NotAllowed, Tampered, Unavailable
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.master_keys import ACCEPTED, CURRENT, HAND_OVER, MasterKey, signature, statement
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.hubs import OWNER
from tests.services.rotations import FOREIGN, NEW, NEWER, OLD, Site, heard, opened, seat, send

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(anyio_backend: str) -> Site:
    return Site(limits=Limits(checkpoint_entries=2))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    return home


async def test_a_stolen_key_makes_no_token_once_it_is_retired(site: Site) -> None:
    made = await opened(await site.hub())
    rotating = await site.rotated()
    await site.retired(rotating)
    thief = Derived(OLD)
    for generation in (0, 1, 2):
        forged = replace(seat(made), token=thief.token(made.conversation.id, "a", generation))
        for world in (rotating, await site.hub(NEW), await site.hub(NEW, OLD)):
            with pytest.raises(NotAllowed):
                await send(world, "from the thief", forged)


async def test_a_stolen_key_unwraps_no_data_key_after_the_rotation(site: Site) -> None:
    await opened(await site.hub())
    await site.rotated()
    (row,) = await site.store.read(lambda tx: tx.conversations.list())
    with pytest.raises(Unavailable):
        MasterKeys(OLD).open(row, "messages/body/1", b"\0" * 64)
    thief = replace(row, sealed_key=bytes.fromhex(key_id(OLD)) + row.sealed_key[4:])
    with pytest.raises(Tampered):
        MasterKeys(OLD).open(thief, "messages/body/1", b"\0" * 64)


async def test_a_checkpoint_signed_under_the_old_key_after_the_rotation_is_refused(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    rotating = await site.rotated()
    await send(running, "more")
    head = await rotating.hub.journal.head()
    thief = Derived(OLD)
    note = sign(Checkpoint(thief.signer, head.size, head.root()), thief.signer, thief.public_key, thief.signing.sign)
    with pytest.raises(Tampered, match="not in force"):
        await rotating.hub.journal.verify([note])
    await site.store.write(lambda tx: tx.journal.add_checkpoint(head.size + 1, note))
    with pytest.raises(Tampered):
        await rotating.hub.journal.verify()


def forged(to: bytes, seq: int, prev: str, by: bytes = OLD) -> Draft:
    """An entry that hands over from the old key, as its thief writes it."""
    old, new = Derived(by), Derived(to)
    said = statement(Derived(OLD).verifier_key, new.verifier_key, seq, prev)
    facts: dict[str, str | int | bool | None] = {
        "follows": new.verifier_key,
        "signed": signature(old.signing.sign(said)),
        "accepted": signature(new.signing.sign(said)),
    }
    return Draft(1, "", "", "operator uid:1000", HAND_OVER, target=new.id, facts=facts)


async def test_an_entry_that_hands_over_to_a_key_of_the_thief_shows_when_it_is_verified(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await site.rotated()

    async def planted(tx: Tx) -> None:
        head = await tx.journal.head()
        await tx.journal.append(forged(FOREIGN, head.size + 1, head.last))

    await site.store.write(planted)
    for world in (running, await site.hub()):
        with pytest.raises(Tampered, match="hands over"):
            await world.hub.journal.verify()


@pytest.mark.parametrize("by", [FOREIGN, NEW])
async def test_a_hand_over_that_the_old_key_did_not_sign_shows(site: Site, by: bytes) -> None:
    await opened(await site.hub())

    async def planted(tx: Tx) -> None:
        head = await tx.journal.head()
        entry, _ = await tx.journal.append(forged(NEW, head.size + 1, head.last, by))
        keys = MasterKeys(NEW, OLD)
        await tx.master_keys.add(replace(keys.first(), state=ACCEPTED))
        await tx.master_keys.add(keys.hand_over(key_id(NEW), entry.seq, entry.prev)[0])

    await site.store.write(planted)
    with pytest.raises(Tampered, match="does not hand over"):
        await (await site.hub(NEW, OLD)).hub.journal.verify()


async def test_a_hand_over_cut_out_of_another_place_shows(site: Site) -> None:
    """Signed by both keys, but about another entry: a signature is good for one place in one journal."""
    await opened(await site.hub())

    async def planted(tx: Tx) -> None:
        head = await tx.journal.head()
        entry, _ = await tx.journal.append(forged(NEW, head.size, head.last))
        keys = MasterKeys(NEW, OLD)
        await tx.master_keys.add(replace(keys.first(), state=ACCEPTED))
        await tx.master_keys.add(keys.hand_over(key_id(NEW), entry.seq, entry.prev)[0])

    await site.store.write(planted)
    with pytest.raises(Tampered, match="does not hand over"):
        await (await site.hub(NEW, OLD)).hub.journal.verify()


Change = Callable[[dict[str, MasterKey]], dict[str, MasterKey]]
CHANGES: dict[str, Change] = {
    "the rows are gone": lambda rows: {},
    "the old row is gone": lambda rows: {i: r for i, r in rows.items() if r.state == CURRENT},
    "the old key is current again": lambda rows: {
        i: replace(r, state=CURRENT if r.since == 0 else ACCEPTED) for i, r in rows.items()
    },
    "another signer was first": lambda rows: {
        i: replace(r, verifier_key=Derived(FOREIGN).verifier_key) if r.since == 0 else r for i, r in rows.items()
    },
    "another signer is current": lambda rows: {
        i: replace(r, verifier_key=Derived(FOREIGN).verifier_key) if r.since else r for i, r in rows.items()
    },
    "it was handed over earlier": lambda rows: {i: replace(r, since=r.since and r.since - 1) for i, r in rows.items()},
    "what is carried is another's": lambda rows: {
        i: replace(r, carried=Derived(NEW).wrap(b"\0" * 64, "carried/elsewhere")) for i, r in rows.items()
    },
    "what is carried was changed": lambda rows: {
        i: replace(r, carried=r.carried[:-1] + bytes(byte ^ 1 for byte in r.carried[-1:])) for i, r in rows.items()
    },
    "none is current": lambda rows: {i: replace(r, state=ACCEPTED) for i, r in rows.items()},
    "nothing is carried": lambda rows: {i: replace(r, carried=b"") for i, r in rows.items()},
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whoever_changes_the_rows_of_the_master_keys_is_found_out(site: Site, change: str) -> None:
    await opened(await site.hub())
    await send(await site.hub(), "hello")
    await site.rotated()

    async def changed(tx: Tx) -> None:
        table = site.store._tables.master_keys  # type: ignore[attr-defined]
        fresh = CHANGES[change](dict(table))
        table.clear()
        table.update(fresh)

    assert isinstance(site.store, MemoryStore)
    await changed(None)  # type: ignore[arg-type]
    for ring in ((NEW,), (NEW, OLD)):
        with pytest.raises((Tampered, Unavailable)):
            await (await site.hub(*ring)).hub.evidence.verify()


async def test_an_old_ring_put_back_opens_nothing_and_a_foreign_one_neither(site: Site) -> None:
    await opened(await site.hub())
    rotating = await site.rotated()
    await site.retired(rotating)
    for ring in ((OLD,), (FOREIGN,), (FOREIGN, OLD)):
        site.ring = ring
        with pytest.raises(Unavailable, match="rotated"):
            await site.hub()
    # who holds the right key is not put off by a ring that was changed under it
    await send(rotating, "still here")
    assert await heard(rotating) == ["still here"]


async def test_a_foreign_ring_before_the_first_rotation_reads_nothing(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "hello")
    for ring in ((FOREIGN,), (NEWER, FOREIGN)):
        world = await site.hub(*ring, reread=False)
        with pytest.raises(BridgeError):
            await world.hub.evidence.verify()


@pytest.mark.parametrize("witness", ["a conversation", "a checkpoint"])
async def test_a_ring_in_the_wrong_order_makes_no_key_current_unseen(site: Site, witness: str) -> None:
    running = await site.hub()
    if witness == "a conversation":
        await opened(running)
    else:
        await running.hub.journal.note(OWNER, "hub.start")
        await running.hub.journal.checkpoint()
    with pytest.raises(Unavailable, match="wrong order"):
        await site.hub(OLD, NEW)
    assert (await site.hub(NEW, OLD)).keys.current == key_id(OLD)


async def test_a_ring_that_lost_a_key_does_not_stop_a_hub_that_has_it(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    await send(running, "hello")
    site.ring = (FOREIGN,)
    (row,) = await site.store.read(lambda tx: tx.conversations.list())
    with pytest.raises(Unavailable):
        running.keys.open(replace(row, sealed_key=b"none" + row.sealed_key[4:]), "messages/body/1", b"\0" * 64)
    assert await heard(running) == ["hello"]


async def test_a_retired_key_that_is_still_in_the_ring_opens_nothing(site: Site) -> None:
    made = await opened(await site.hub())
    rotating = await site.rotated()
    await rotating.hub.master_keys.retire(OWNER)
    site.later()
    with pytest.raises(NotAllowed):
        await send(await site.hub(NEW, OLD), "old", seat(made))


@pytest.mark.parametrize("verb", ["stage", "drop"])
def test_a_link_in_the_place_of_the_ring_is_neither_read_nor_written(home: Path, tmp_path: Path, verb: str) -> None:
    target = tmp_path / "target"
    target.touch(mode=0o600)
    target.write_text(OLD.hex() + "\n" + NEW.hex())
    (home / "master.key").symlink_to(target)
    source = KeySource(home, None)
    with pytest.raises(Unavailable, match="link"):
        getattr(source, verb)([key_id(OLD), key_id(NEW)])
    assert (home / "master.key").is_symlink()
    assert target.read_text().split() == [OLD.hex(), NEW.hex()]


def test_a_ring_that_others_may_read_or_that_has_a_second_name_is_refused(home: Path) -> None:
    path = home / "master.key"
    for spoil in (lambda: path.chmod(0o640), lambda: (home / "twin").hardlink_to(path)):
        master_keys(home, None)
        spoil()
        with pytest.raises(Unavailable):
            KeySource(home, None).stage([])
        with pytest.raises(Unavailable):
            master_keys(home, None)
        path.chmod(0o600)
        path.unlink()
        (home / "twin").unlink(missing_ok=True)


def test_the_ring_is_private_after_each_change_and_nothing_else_is_left_of_it(home: Path) -> None:
    source = KeySource(home, None)
    (first,) = source.read()
    made = source.stage([key_id(first)])
    assert made is not None
    assert [key_id(key) for key in source.read()] == [made, key_id(first)]
    assert source.stage([key_id(first)]) is None
    assert source.drop([key_id(first), "00000000"]) == [key_id(first)]
    assert source.drop([made]) == []
    assert [key_id(key) for key in source.read()] == [made]
    assert sorted(path.name for path in home.iterdir()) == ["master.key", "master.lock"]
    (home / ".master.key.0123abcd").write_text(first.hex())
    again = source.stage([made])
    assert again is not None
    assert source.drop([again]) == [again]
    assert sorted(path.name for path in home.iterdir()) == ["master.key", "master.lock"]
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_ring_of_thousands_or_with_a_key_twice_is_refused(home: Path) -> None:
    (home / "master.key").touch(mode=0o600)
    for ring in ([OLD, OLD], [bytes([n]) * 32 for n in range(9)]):
        (home / "master.key").write_text("\n".join(key.hex() for key in ring))
        with pytest.raises(Unavailable, match="too many"):
            master_keys(home, None)


async def test_a_key_that_is_asked_for_again_and_again_costs_no_command_each_time(home: Path, tmp_path: Path) -> None:
    """Whoever writes the database could have the hub start a program with each call."""
    count = tmp_path / "count"
    script = tmp_path / "key"
    script.write_text(f"#!/bin/sh\necho x >> {count}\necho {OLD.hex()}\n")
    script.chmod(0o700)
    clock = iter(float(n) / 10 for n in range(1000))
    source = KeySource(home, f"command:{script}", lambda: next(clock))
    keys = MasterKeys(*source.read(), reread=source.reread)
    row = MasterKey(key_id(NEW), Derived(NEW).verifier_key, CURRENT, 1, b"")
    for _ in range(40):
        with pytest.raises(Unavailable):
            keys.follow([row])
    assert len(count.read_text().split()) == 1


async def test_nothing_of_a_key_is_in_the_database_the_journal_or_an_error(tmp_path: Path, anyio_backend: str) -> None:
    path = tmp_path / "bridge.db"
    async with SqliteStore(path) as store:
        site = Site(store)
        await opened(await site.hub())
        rotating = await site.rotated()
        with pytest.raises(Unavailable) as refused:
            await site.hub(OLD, reread=False)
        await site.retired(rotating)
        lines = [line for _, line in await store.read(lambda tx: tx.journal.lines(0, 999))]
    connection = apsw.Connection(str(path))
    dump = b"".join(file.read_bytes() for file in tmp_path.iterdir()) + json.dumps(lines).encode()
    connection.close()
    dump += f"{refused.value.sentence} {refused.value.hint}".encode()
    for master in (OLD, NEW):
        keys = Derived(master)
        for secret in (master, keys.tokens, keys.invites, keys.audit, keys.api_keys):
            assert secret not in dump
            assert secret.hex().encode() not in dump


async def attempts(verbs: list[Callable[[], Awaitable[object]]]) -> list[str]:
    """How each of them ended, all at once."""
    import asyncio

    found = await asyncio.gather(*(verb() for verb in verbs), return_exceptions=True)
    return sorted(type(one).__name__ if isinstance(one, BaseException) else "done" for one in found)


async def test_of_eight_rotations_and_eight_retirements_at_once_one_is_done(tmp_path: Path, anyio_backend: str) -> None:
    async with SqliteStore(tmp_path / "bridge.db") as store:
        site = Site(store)
        await opened(await site.hub())
        site.ring = (NEW, OLD)
        hubs = [await site.hub() for _ in range(8)]
        ended = await attempts([lambda h=h: h.hub.master_keys.rotate(OWNER) for h in hubs])  # type: ignore[misc]
        assert ended == ["Conflict"] * 7 + ["done"]
        wrapped = await attempts([lambda h=h: h.hub.master_keys.rewrap(OWNER) for h in hubs])  # type: ignore[misc]
        assert wrapped == ["done"] * 8
        ended = await attempts([lambda h=h: h.hub.master_keys.retire(OWNER) for h in hubs])  # type: ignore[misc]
        assert ended == ["Conflict"] * 7 + ["done"]
        await hubs[0].hub.evidence.verify()


def test_nothing_is_written_over_what_is_no_plain_file_of_ours(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    path = home / "master.key"
    path.symlink_to(target)
    with pytest.raises(Unavailable, match="link"):
        replace_secret(path, b"key")
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable):
        replace_secret(path, b"key")
    path.rmdir()
    with pytest.raises(Unavailable):
        replace_secret(path, b"key")
    assert target.read_text() == "precious"
    assert sorted(home.iterdir()) == []
