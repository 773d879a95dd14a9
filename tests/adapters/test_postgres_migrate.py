"""`mab migrate`: a whole store moved, both ways, compared before it counts, and never over anything that is there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.names import FROM_HERE, machine_of
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.transfer.moving import move
from multiagent_bridge.adapters.transfer.postgres import postgres_place
from multiagent_bridge.adapters.transfer.sqlite import sqlite_place
from multiagent_bridge.cli import migrate as cli_migrate
from multiagent_bridge.errors import Conflict, NotFound, Tampered
from multiagent_bridge.mcp.socket import identity
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Binding, Invite
from multiagent_bridge.model.limits import Window
from multiagent_bridge.model.silences import Orphan, Watch
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, draft, seat, send
from multiagent_bridge.testing.store_commands import put as put_command
from multiagent_bridge.testing.store_tasks import task
from tests.machines.test_sqlite_races import verified
from tests.postgres_server import PASSWORD, Server, served

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

MAB = str(Path(sys.executable).with_name("mab"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


async def filled(store: Store) -> None:
    """Something in as many tables as there are."""
    await seat(store)
    await seat(store, "conv_2")
    await send(store, 700, ("b", "c"))
    await put_command(store, "approved", 1)
    await put_command(store, "running", 2)

    async def rest(tx: Tx) -> None:
        await tx.messages.claim("conv_1", "b", [1, 2], "hub:1", NOW)
        await tx.messages.ack("conv_1", "c", 5, NOW)
        await tx.invites.add(Invite(b"\0\xff invite", "conv_2", "b", NOW))
        await tx.bindings.bind(Binding("agent", "conv_1", "a", 1, NOW))
        await tx.buckets.charge("conv_1/a:write", (Window(1, 60),), NOW)
        await tx.tasks.add(task())
        await tx.silences.orphan(Orphan("conv_1", "task_1", 1, "a"))
        await tx.silences.watched(Watch(NOW, "boot", 1, 2, 3), None)
        for number in range(1100):
            await tx.journal.append(draft(number))
        await tx.journal.add_checkpoint(3, "a note\n")

    await store.write(rest)


async def seen(store: Store) -> Any:
    """What a hub would see of it."""

    async def looked(tx: Tx) -> Any:
        return (
            await tx.conversations.list(),
            await tx.sessions.of("conv_1"),
            await tx.messages.list("conv_1", 0, 1000),
            await tx.messages.deliveries("conv_1", 1),
            await tx.commands.list(None, 10),
            await tx.bindings.of("agent"),
            await tx.tasks.list("conv_1", 10),
            await tx.silences.orphans(),
            await tx.silences.watch(),
            await tx.journal.lines(0, 10_000),
            await tx.journal.head(),
            await tx.journal.checkpoints(),
        )

    return await store.read(looked)


def test_a_store_moves_to_postgresql_and_back_to_the_byte(server: Server, tmp_path: Path) -> None:
    url, there, back = server.create_now(), tmp_path / "there" / "bridge.db", tmp_path / "back" / "bridge.db"

    async def both_ways() -> None:
        async with SqliteStore(there) as store:
            await filled(store)
            before = await seen(store)
        async with sqlite_place(there) as source, postgres_place(Address(url)) as target:
            moved = await move(source, target)
        assert moved.rows["deliveries"] == 1400
        assert moved.rows["journal"] == moved.head.size == 1100
        async with PostgresStore(Address(url)) as store:
            assert await seen(store) == before
            await verified(store)
            # what comes after stands after what was moved
            await seat(store, "conv_3")
            assert [c.id for c in await store.read(lambda tx: tx.conversations.list())][-1] == "conv_3"
            await store.write(lambda tx: tx.journal.append(draft(9)))
            after = await seen(store)
        async with postgres_place(Address(url)) as source, sqlite_place(back) as target:
            await move(source, target)
        async with SqliteStore(back) as store:
            assert await seen(store) == after
            await verified(store)

    asyncio.run(both_ways())


def test_a_target_that_holds_anything_is_refused_and_stays_as_it_was(server: Server, tmp_path: Path) -> None:
    url = server.create_now()

    async def refused() -> None:
        async with SqliteStore(tmp_path / "bridge.db") as store:
            await filled(store)
        async with PostgresStore(Address(url)) as store:
            await store.write(lambda tx: tx.buckets.charge("k", (Window(1, 60),), NOW))
        with pytest.raises(Conflict, match="not empty"):
            async with sqlite_place(tmp_path / "bridge.db") as source, postgres_place(Address(url)) as target:
                await move(source, target)
        async with PostgresStore(Address(url)) as store:
            assert not await store.read(lambda tx: tx.conversations.list())

    asyncio.run(refused())


def test_a_journal_that_does_not_verify_is_not_moved(server: Server, tmp_path: Path) -> None:
    import apsw

    url = server.create_now()

    async def refused() -> None:
        async with SqliteStore(tmp_path / "bridge.db") as store:
            await filled(store)
        database = apsw.Connection(str(tmp_path / "bridge.db"))
        database.execute("UPDATE journal SET line = replace(line, '\"n\":70}', '\"n\":71}') WHERE seq = 71")
        database.close()
        with pytest.raises(Tampered):
            async with sqlite_place(tmp_path / "bridge.db") as source, postgres_place(Address(url)) as target:
                await move(source, target)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM bridge.conversations") == 0
        await connection.close()

    asyncio.run(refused())


def test_both_dialects_have_the_same_tables_and_columns(server: Server, tmp_path: Path) -> None:
    url = server.create_now()

    async def compared() -> None:
        async with sqlite_place(tmp_path / "bridge.db") as ours, postgres_place(Address(url)) as theirs:
            assert await ours.tables() == await theirs.tables()

    asyncio.run(compared())


def mab(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"MAB_HOME": str(home), "PATH": os.environ["PATH"], "HOME": str(home)} | more
    return subprocess.run([MAB, *words], env=env, capture_output=True, text=True, timeout=150, check=False)


def test_the_command_moves_verifies_and_refuses_a_second_time(server: Server, tmp_path: Path) -> None:
    home, url = tmp_path / "home", server.create_now()
    assert mab(home, "create", "backend", "frontend").returncode == 0
    source = f"sqlite:///{home / 'bridge.db'}"
    done = mab(home, "migrate", source, url, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["verified"] is True
    assert told["tables"]["conversations"] == 1
    assert told["entries"] >= 1
    again = mab(home, "migrate", source, url)
    assert again.returncode == Conflict.exit_status
    assert mab(home, "migrate", source, source).returncode == 2
    gone = mab(home, "migrate", "sqlite:///gone.db", url)
    assert gone.returncode == NotFound.exit_status
    assert not (home / "gone.db").exists()
    listed = mab_on(home, url, "list", "--json")
    assert len(json.loads(listed.stdout)) == 1, listed.stderr
    for said in (done, again, gone, listed):
        assert PASSWORD not in said.stdout + said.stderr


def test_an_agent_is_found_by_its_name_in_the_store_that_was_moved_and_a_namesake_elsewhere_is_not(
    server: Server, tmp_path: Path
) -> None:
    home, url = tmp_path / "home", server.create_now()
    here, moved, other = (
        config.Settings(home=place, store=store, master_key="ab" * 32)
        for place, store in ((home, f"sqlite:///{home / 'bridge.db'}"), (home, url), (tmp_path / "other", url))
    )
    alice, again, namesake = (identity(letter * 64, "claude-code", 1000) for letter in "abc")

    async def opened(settings: config.Settings, agent: Caller) -> str:
        async with AsyncExitStack() as stack:
            hub = await wiring.open_hub(settings, stack, "hub")
            return (await hub.conversations.create(agent, "backend", "frontend")).conversation.id

    async def found(settings: config.Settings, agent: Caller) -> list[str]:
        async with AsyncExitStack() as stack:
            hub = await wiring.open_hub(settings, stack, "hub")
            return [place.conversation.id for place in (await hub.conversations.list(agent)).places]

    mine = asyncio.run(opened(here, alice))
    done = mab(home, "migrate", here.store, url, MAB_MASTER_KEY="ab" * 32)
    assert done.returncode == 0, done.stderr
    assert asyncio.run(found(other, namesake)) == []
    assert asyncio.run(found(moved, again)) == [mine]


def test_names_are_kept_also_where_a_store_that_was_moved_does_not_verify_to_the_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, url = tmp_path / "home", server.create_now()
    assert mab(home, "create", "backend", "frontend").returncode == 0
    given, wanted = (config.Settings(home=home, store=store) for store in (f"sqlite:///{home / 'bridge.db'}", url))
    plain = cli_migrate._verify

    async def ends(settings: config.Settings) -> None:
        if settings is wanted:
            raise Tampered("a checkpoint is wrong")
        await plain(settings)

    monkeypatch.setattr(cli_migrate, "_verify", ends)
    with pytest.raises(Tampered):
        asyncio.run(cli_migrate._moved(given, wanted))
    assert machine_of(home) == ""
    # what was not moved leaves names as they are
    monkeypatch.setattr(cli_migrate, "_verify", plain)
    (home / FROM_HERE).unlink()
    with pytest.raises(Conflict, match="not empty"):
        asyncio.run(cli_migrate._moved(given, wanted))
    assert machine_of(home) != ""


def mab_on(home: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"MAB_HOME": str(home), "MAB_STORE": url, "PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run([MAB, *words], env=env, capture_output=True, text=True, timeout=150, check=False)
