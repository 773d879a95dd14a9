"""PostgreSQL as a store: what is refused when it is opened, and how it is chosen."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.postgres import opening
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import NotifyBell
from multiagent_bridge.adapters.postgres.looking import look
from multiagent_bridge.adapters.postgres.queries import named, query
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.cli import checks_postgres
from multiagent_bridge.cli.checks import Patient
from multiagent_bridge.errors import Invalid, NotAllowed, Unavailable
from multiagent_bridge.mcp.socket import identity
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.conversations import Binding
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.laws import NOW, draft, seat
from tests.postgres_server import PASSWORD, Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


def test_each_value_has_one_number_however_often_it_is_used() -> None:
    made = query("-- a comment :x\nUPDATE t SET a = :b::bigint, c = :a WHERE a = :b AND d::text = :a;")
    assert made.text == "UPDATE t SET a = $1::bigint, c = $2 WHERE a = $1 AND d::text = $2"
    assert made.names == ("b", "a")


async def test_a_newer_database_is_refused(server: Server) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)):
        pass
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE bridge.schema_version SET version = version + 1")
    with pytest.raises(Unavailable, match="newer version"):
        await PostgresStore(Address(url)).open()
    await connection.close()


async def test_a_hub_that_connects_again_after_an_upgrade_by_another_is_refused(server: Server) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)) as store:
        await seat(store)
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE bridge.schema_version SET version = version + 1")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'writer'"
        )
        with pytest.raises(Unavailable, match="newer version"):
            await store.write(lambda tx: tx.journal.append(draft(1)))
        await connection.execute("UPDATE bridge.schema_version SET version = version - 1")
        assert (await store.write(lambda tx: tx.journal.append(draft(1))))[0].seq == 1
        await connection.close()


async def test_an_older_database_is_brought_up_to_date_with_what_is_in_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, steps = await server.create(), opening.MIGRATIONS
    monkeypatch.setattr(opening, "MIGRATIONS", steps[:1])
    async with PostgresStore(Address(url)) as store:
        await store.write(lambda tx: tx.journal.append(draft(1)))
    monkeypatch.setattr(opening, "MIGRATIONS", steps)
    async with PostgresStore(Address(url)) as store:
        await seat(store)
        assert (await store.read(lambda tx: tx.journal.head())).size == 1
        assert await store.read(lambda tx: tx.tasks.list("conv_1", 1)) == []


async def test_a_token_that_a_person_made_at_an_older_hub_is_known_as_theirs(server: Server) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)) as store:
        await seat(store)
        await store.write(lambda tx: tx.renewals.renew("conv_1", "a", 1, NOW, offered=True))
        assert await store.write(lambda tx: tx.sessions.rotate("conv_1", "a")) == 3
        connection = await asyncpg.connect(url)
        # as the program of version 11 says it
        await connection.execute(
            "INSERT INTO bridge.renewals (conversation_id, session_id, generation, since, overlap, offered_at)"
            " VALUES ('conv_1', 'a', 3, 1, 'ended', NULL) ON CONFLICT (conversation_id, session_id) DO UPDATE SET"
            " generation = excluded.generation, since = excluded.since, overlap = excluded.overlap,"
            " offered_at = excluded.offered_at"
        )
        await connection.close()
        assert await store.write(lambda tx: tx.renewals.renew("conv_1", "a", 3, NOW, offered=True))
        found = await store.read(lambda tx: tx.renewals.get("conv_1", "a"))
        assert found is not None
        assert (found.generation, found.restarted) == (4, 3)


async def test_a_migration_that_fails_leaves_nothing_behind(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url, steps = await server.create(), opening.MIGRATIONS
    monkeypatch.setattr(opening, "MIGRATIONS", (*steps, "CREATE TABLE more (n BIGINT); SELECT 1 / 0"))
    with pytest.raises(Invalid):
        await PostgresStore(Address(url)).open()
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regnamespace('bridge')") is None
    await connection.close()
    monkeypatch.setattr(opening, "MIGRATIONS", steps)
    async with PostgresStore(Address(url)) as store:
        await seat(store)


async def test_a_migration_may_take_longer_than_a_call(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url, steps = await server.create(), opening.MIGRATIONS
    monkeypatch.setattr(opening, "MIGRATIONS", (*steps, "SELECT pg_sleep(4)"))
    async with PostgresStore(Address(url, statement_seconds=1)) as store:
        await seat(store)
        assert (await look(Address(url))).version == len(steps) + 1


async def test_the_schema_of_another_program_is_refused_and_left_alone(server: Server) -> None:
    url = await server.create()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE SCHEMA bridge; CREATE TABLE bridge.cards (n BIGINT)")
    with pytest.raises(Unavailable, match="another program"):
        await PostgresStore(Address(url)).open()
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'bridge'") == 1
    await connection.close()


async def test_a_database_that_cannot_hold_every_text_is_refused(server: Server) -> None:
    url = await server.create("LATIN1")
    with pytest.raises(Unavailable, match="UTF8"):
        await PostgresStore(Address(url)).open()


async def test_no_more_connections_are_made_than_were_allowed(server: Server) -> None:
    url = await server.create()
    async with PostgresStore(Address(url, pool_size=3)) as store:
        await seat(store)
        await asyncio.gather(*(store.read(lambda tx: tx.sessions.of("conv_1")) for _ in range(50)))
        await asyncio.gather(*(store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) for _ in range(50)))
        connection = await asyncpg.connect(url)
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'multiagent-bridge %'"
        assert await connection.fetchval(f"{ours} AND datname = current_database()") == 3
        await connection.close()


async def test_a_store_and_a_bell_that_never_opened_can_be_closed(server: Server) -> None:
    gone = Address(server.url("no_such_database"))
    store = PostgresStore(gone)
    with pytest.raises(Unavailable, match="no such database"):
        await store.open()
    await store.close()

    async def nothing() -> bool:
        return False

    bell = NotifyBell(gone, nothing)
    with pytest.raises(Unavailable):
        await bell.open()
    await bell.close()


async def test_another_hub_is_noticed_and_the_own_writes_are_not(server: Server) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)) as ours, PostgresStore(Address(url)) as theirs:
        await ours.changed_elsewhere()
        await ours.write(lambda tx: tx.journal.append(draft(1)))
        assert not await ours.changed_elsewhere()
        assert await theirs.changed_elsewhere()
        await theirs.write(lambda tx: tx.journal.append(draft(2)))
        assert await ours.changed_elsewhere()
        assert not await ours.changed_elsewhere()
        await theirs.write(lambda tx: tx.journal.append(draft(3)))
        await ours.write(lambda tx: tx.journal.append(draft(4)))
        assert await ours.changed_elsewhere(), "another one's write before the own is noticed too"


async def test_the_scheme_of_the_url_chooses_the_store(server: Server, tmp_path: Path) -> None:
    url = await server.create()
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    bare = url.replace(url.partition("owner")[2].partition("@")[0], "", 1)
    settings = config.Settings(home=tmp_path, store=bare, postgres={"password": f"file:{secret}", "pool_size": 4})
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(settings, stack)
        assert (await hub.journal.head()).size >= 0
        assert isinstance(hub.bell, NotifyBell)
    assert not (tmp_path / "bridge.db").exists()


def test_a_missing_driver_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "find_spec", lambda name: None)
    settings = config.Settings(home=tmp_path, store="postgresql://owner@localhost/bridge")
    with pytest.raises(Invalid, match=r"extra \[postgres\]"):
        wiring.postgres_address(settings)


def test_who_uses_sqlite_never_loads_the_driver(tmp_path: Path) -> None:
    words = (
        "import asyncio, sys; from contextlib import AsyncExitStack; from multiagent_bridge import config, wiring\n"
        "async def main():\n"
        "    async with AsyncExitStack() as stack: await wiring.open_hub(config.load(), stack)\n"
        "asyncio.run(main()); assert 'asyncpg' not in sys.modules, sorted(sys.modules)"
    )
    env = {"MAB_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", words], env=env, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_hub_of_a_shared_store_claims_under_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [tmp_path / name for name in ("one", "other")]
    shared = [config.Settings(home=home, store="postgresql://owner@localhost/bridge") for home in homes]
    names = [wiring.owner_of(settings, "hub") for settings in shared]
    assert names[0] != names[1]
    assert names == [wiring.owner_of(settings, "hub") for settings in shared], "the same at the next start"
    assert not any(":" in name for name in names), "a colon ends the owner of a claim"
    # a state directory that was copied to another machine, master key and all
    told = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((told[0], "elsewhere", *told[2:])))
    assert wiring.owner_of(shared[0], "hub") != names[0]
    assert wiring.owner_of(config.Settings(home=homes[0]), "hub") == "hub", "one machine's hub keeps its name"


async def test_a_hub_that_starts_leaves_the_claims_of_another_alone(server: Server, tmp_path: Path) -> None:
    url = await server.create()
    settings = [config.Settings(home=tmp_path / name, store=url, master_key="ab" * 32) for name in ("one", "other")]
    async with AsyncExitStack() as stack:
        ours, theirs = [await wiring.open_hub(one, stack, "hub") for one in settings]
        assert ours.ids.claim().partition(":")[0] != theirs.ids.claim().partition(":")[0]


async def test_a_name_at_another_hub_takes_up_no_session_and_the_same_at_its_own_does(
    server: Server, tmp_path: Path
) -> None:
    url = await server.create()
    settings = [config.Settings(home=tmp_path / name, store=url, master_key="ab" * 32) for name in ("one", "other")]
    # as clients of one kind are named on each machine, by users of one number
    alice, again, namesake = (identity(letter * 64, "claude-code", 1000) for letter in "abc")
    async with AsyncExitStack() as stack:
        ours, theirs = [await wiring.open_hub(one, stack, "hub") for one in settings]
        made = await ours.conversations.create(alice, "backend", "frontend")
        bob = identity("d" * 64, "codex", 1000)
        await ours.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
        ours.presence.enter(alice.agent)
        await ours.messages.send(bob, NO_CREDENTIALS, "for alice alone")
        with pytest.raises(NotAllowed):
            await theirs.messages.check(namesake, NO_CREDENTIALS, theirs.ids.claim())
        ours.presence.leave(alice.agent)
        mail = await ours.messages.check(again, NO_CREDENTIALS, ours.ids.claim())
        assert [letter.text for letter in mail.letters] == ["for alice alone"]


async def test_looking_at_a_database_changes_nothing(server: Server) -> None:
    url = await server.create()
    found = await look(Address(url))
    assert (found.version, found.known) == (0, len(opening.MIGRATIONS))
    assert found.local
    assert not found.durable, "the server of the tests runs without fsync, and that is told"
    assert found.connections_left > 0
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regnamespace('bridge')") is None
    await connection.close()
    async with PostgresStore(Address(url)):
        assert (await look(Address(url))).version == found.known
    with pytest.raises(Unavailable):
        await look(Address(server.url("no_such_database")))


async def test_the_doctor_names_what_a_server_lacks_and_never_the_password(server: Server, tmp_path: Path) -> None:
    url = await server.create()

    async def checked(store: str) -> tuple[list[tuple[str, str]], set[str]]:
        patient = Patient(home=tmp_path, settings=config.Settings(home=tmp_path, store=store))
        found = await asyncio.to_thread(lambda: list(checks_postgres.server(patient)))
        assert all(check.mend for check in found if check.verdict != "ok")
        assert not [check for check in found if PASSWORD in check.found + check.mend]
        return [(check.verdict, check.found) for check in found], patient.sound

    found, sound = await checked(url)
    assert found[0][0] == "warn"
    assert "database" not in sound, "opening it would make its tables"
    async with PostgresStore(Address(url)):
        pass
    found, sound = await checked(url)
    assert [verdict for verdict, _ in found] == ["ok", "warn"]
    assert "power cut" in found[1][1]
    assert "database" in sound
    gone, sound = await checked(server.url("no_such_database"))
    assert [verdict for verdict, _ in gone] == ["fail"]
    assert not sound
    assert await checked("sqlite:///bridge.db") == ([], set())


async def test_what_came_along_with_bindings_is_what_stands_there_after_a_change_too(server: Server) -> None:
    url = await server.create()

    async def looked(tx: Tx) -> tuple[object, object]:
        (bound,) = await tx.bindings.of("agent")
        return (
            await tx.conversations.get(bound.conversation_id),
            await tx.sessions.get(bound.conversation_id, bound.session_id),
        )

    async def changed(tx: Tx) -> tuple[int, int | None, str]:
        await tx.bindings.of("agent")
        await tx.conversations.count_message("conv_1", 7)
        conversation = await tx.conversations.get("conv_1")
        await tx.bindings.of("agent")
        await tx.sessions.heartbeat("conv_1", "a", NOW)
        session = await tx.sessions.get("conv_1", "a")
        assert conversation is not None
        assert session is not None
        return conversation.last_message, session.last_heartbeat, session.status

    async with PostgresStore(Address(url)) as store:
        await seat(store)
        await store.write(lambda tx: tx.bindings.bind(Binding("agent", "conv_1", "a", 1, NOW)))
        alone = (
            await store.read(lambda tx: tx.conversations.get("conv_1")),
            await store.read(lambda tx: tx.sessions.get("conv_1", "a")),
        )
        assert await store.read(looked) == await store.write(looked) == alone
        assert await store.write(changed) == (1, NOW, "working")


@pytest.mark.parametrize(("name", "index"), [("unread", "deliveries_pending"), ("history", "deliveries_read")])
async def test_a_mailbox_is_looked_through_by_its_own_index_even_if_it_was_planned_while_empty(
    server: Server, name: str, index: str
) -> None:
    query, values = named("messages")[name], {"limit": "1", "stale_before": "0", "before": "9"}
    connection = await opening.open_connection(Address(await server.create()), "test")
    await connection.execute(f"PREPARE asked AS {query.text}")
    words = ", ".join(values.get(value, "'x'") for value in query.names)
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked({words})"))
    connection.terminate()
    assert index in plan
    assert "(id = found.message_id)" in plan, "each message is fetched by its id"
    assert "Seq Scan" not in plan
