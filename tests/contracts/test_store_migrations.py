"""A database of an earlier version is brought up to date with all that is in it, in one step or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite import opening
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.journal import Verifier
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing import store_commands, store_yolo
from multiagent_bridge.testing.laws import NOW, conversation, seat, send
from multiagent_bridge.testing.store_nouns import filled, remains

pytestmark = pytest.mark.anyio

ALL = opening.MIGRATIONS
NEWEST = len(ALL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


def version(path: Path) -> int:
    connection = apsw.Connection(str(path))
    found = connection.pragma("user_version")
    connection.close()
    return int(found)


async def seen(store: Store) -> list[object]:
    """Everything that version 1 could hold, of two conversations."""

    async def looked(tx: Tx) -> list[object]:
        kept = [await remains(tx, name) for name in ("conv_1", "conv_2")]
        return [
            *kept,
            await tx.journal.head(),
            await tx.journal.lines(0, 99),
            await tx.messages.deliveries("conv_1", 1),
        ]

    return await store.read(looked)


async def make(path: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A database as the program of that version left it, with something in every table. Returns what is in it."""
    monkeypatch.setattr(opening, "MIGRATIONS", ALL[:steps])
    async with SqliteStore(path) as store:
        for name in ("conv_1", "conv_2"):
            await seat(store, name)
            await store.write(lambda tx, n=name: filled(tx, n))  # type: ignore[misc]
        await send(store, 3)
        found = await seen(store)
    monkeypatch.setattr(opening, "MIGRATIONS", ALL)
    return found


async def test_a_database_of_the_first_version_keeps_what_is_in_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await make(path, 1, monkeypatch)
    assert version(path) == 1
    async with SqliteStore(path) as store:
        assert await seen(store) == before
        verifier = Verifier()
        for _, line in await store.read(lambda tx: tx.journal.lines(0, 99)):
            verifier.feed(line)
        assert verifier.finish() == await store.read(lambda tx: tx.journal.head())
        # what is new works on what is old
        await store_commands.put(store, "approved")
        await store_yolo.put(store, "enabled")
        await store.write(lambda tx: tx.yolo.add_grant(store_yolo.grant()))
        assert await store_commands.start(store)
        await store.write(lambda tx: tx.conversations.remove("conv_1"))
        assert await store.read(lambda tx: tx.commands.list(None, 9)) == []
        assert await store.read(lambda tx: tx.yolo.list(None, 9)) == []
    assert version(path) == NEWEST
    async with SqliteStore(path) as again:
        assert (await seen(again))[1] == before[1]


async def test_an_upgraded_schema_is_that_of_a_new_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await make(path, 1, monkeypatch)
    schemas = []
    for name in (path, path.with_name("new.db")):
        async with SqliteStore(name):
            pass
        connection = apsw.Connection(str(name))
        schemas.append(set(connection.execute("SELECT type, name, sql FROM sqlite_schema")))
        assert connection.pragma("integrity_check") == "ok"
        assert list(connection.execute("PRAGMA foreign_key_check")) == []
        connection.close()
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize("steps", range(1, NEWEST))
async def test_an_older_program_refuses_a_newer_database(
    path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    before = await make(path, NEWEST, monkeypatch)
    monkeypatch.setattr(opening, "MIGRATIONS", ALL[:steps])
    with pytest.raises(Unavailable, match=rf"newer version \({NEWEST}\) than this program knows \({steps}\)"):
        await SqliteStore(path).open()
    monkeypatch.setattr(opening, "MIGRATIONS", ALL)
    async with SqliteStore(path) as store:
        assert await seen(store) == before


async def test_a_step_that_fails_leaves_the_old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await make(path, 1, monkeypatch)
    broken = (ALL[0], ALL[1] + "\nCREATE TABLE commands (again TEXT) STRICT;")
    monkeypatch.setattr(opening, "MIGRATIONS", broken)
    with pytest.raises(Unavailable):
        await SqliteStore(path).open()
    assert version(path) == 1
    connection = apsw.Connection(str(path))
    assert list(connection.execute("SELECT name FROM sqlite_schema WHERE name IN ('commands', 'enablings')")) == []
    connection.close()
    monkeypatch.setattr(opening, "MIGRATIONS", ALL)
    async with SqliteStore(path) as store:
        assert await seen(store) == before


async def test_a_program_that_is_still_open_goes_on_while_a_newer_one_upgrades(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MIGRATIONS", ALL[:1])
    async with SqliteStore(path) as old:
        await seat(old)
        monkeypatch.setattr(opening, "MIGRATIONS", ALL)
        async with SqliteStore(path) as new:
            await store_commands.put(new, "pending")
            assert await send(old, 1) == [1]
            # the removal cascades by the schema, whoever asks for it
            await old.write(lambda tx: tx.conversations.remove("conv_1"))
            assert await new.read(lambda tx: tx.commands.list(None, 9)) == []
            renewed = replace(conversation(), sealed_key=b"another")
            await old.write(lambda tx: tx.conversations.add(renewed))


async def test_a_token_that_a_person_made_by_an_older_program_is_known_as_theirs(path: Path) -> None:
    async with SqliteStore(path) as store:
        await seat(store)
        await store.write(lambda tx: tx.renewals.renew("conv_1", "a", 1, NOW, offered=True))
        assert await store.write(lambda tx: tx.sessions.rotate("conv_1", "a")) == 3
        connection = apsw.Connection(str(path))
        # as the program of version 11 says it
        connection.execute(
            "INSERT INTO renewals (conversation_id, session_id, generation, since, overlap, offered_at)"
            " VALUES ('conv_1', 'a', 3, 1, 'ended', NULL) ON CONFLICT (conversation_id, session_id) DO UPDATE SET"
            " generation = excluded.generation, since = excluded.since, overlap = excluded.overlap,"
            " offered_at = excluded.offered_at"
        )
        connection.close()
        assert await store.write(lambda tx: tx.renewals.renew("conv_1", "a", 3, NOW, offered=True))
        found = await store.read(lambda tx: tx.renewals.get("conv_1", "a"))
        assert found is not None
        assert (found.generation, found.restarted) == (4, 3)


def test_the_first_step_is_what_the_first_databases_were_made_by() -> None:
    first = hashlib.sha256(ALL[0].encode()).hexdigest()
    assert first == "aebf1d6c31e571f287feac537c089118b14697d042da7eadf613b088e88f8395"
