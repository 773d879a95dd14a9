"""PostgreSQL stopped, killed and cut off under load: who was answered may rely on it, who was refused may repeat."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import NotifyBell
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import Conflict, Invalid, Unavailable
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.laws import agree, conversation, seat
from tests.machines.store_worker import entry
from tests.machines.test_sqlite_races import verified
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]

HUBS, CALLERS, LOSSES = 2, 6, 10


@pytest.fixture
def server() -> Iterator[Server]:
    """One of the test's own: it is killed."""
    with served() as found:
        yield found


@asynccontextmanager
async def stores(url: str, count: int, **how: float) -> AsyncIterator[list[PostgresStore]]:
    made = [PostgresStore(Address(url, **how)) for _ in range(count)]  # type: ignore[arg-type]
    for store in made:
        await store.open()
    try:
        yield made
    finally:
        for store in made:
            await store.close()


class Writers:
    """Callers of several hubs who write entries numbered in a row, and what each was told."""

    def __init__(self) -> None:
        self.stored: set[tuple[str, int]] = set()
        self.refused: set[tuple[str, int]] = set()
        self.unknown: set[tuple[str, int]] = set()
        self.hints: set[object] = set()
        self.stopped = False

    async def write(self, store: PostgresStore, name: str) -> None:
        number = 0
        while not self.stopped:
            number += 1
            try:
                await store.write(lambda tx, n=number: self._both(tx, name, n))
            except Unavailable as error:
                self.hints.add(error.facts.get("retry_after"))
                (self.unknown if error.facts.get("outcome") == "unknown" else self.refused).add((name, number))
                await asyncio.sleep(0.02)
            else:
                self.stored.add((name, number))

    async def _both(self, tx: Tx, name: str, number: int) -> None:
        await tx.conversations.add(conversation(f"{name}.{number}"))
        await tx.journal.append(entry(name, number))


async def test_what_was_answered_is_there_once_however_often_the_server_dies(server: Server) -> None:
    choice, told = random.Random(11), Writers()
    async with stores(await server.create(), HUBS) as hubs:
        writing = [
            asyncio.create_task(told.write(hub, f"h{h}c{c}")) for h, hub in enumerate(hubs) for c in range(CALLERS)
        ]
        for turn in range(LOSSES):
            before = len(told.stored)
            async with asyncio.timeout(120):
                while len(told.stored) < before + choice.randrange(5, 80):
                    await asyncio.sleep(0.002)
            how = (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)[turn % 3]
            await asyncio.to_thread(server.stop, how)
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(120):
            before = len(told.stored)
            while len(told.stored) < before + 20:
                await asyncio.sleep(0.002)
        told.stopped = True
        async with asyncio.timeout(120):
            await asyncio.gather(*writing)
        entries = [(one["conversation"], one["facts"]["n"]) for one in await verified(hubs[0])]
        names = {c.id for c in await hubs[1].read(lambda tx: tx.conversations.list())}
    assert len(entries) == len(set(entries))
    assert told.stored <= set(entries)
    # a plain refusal is one: only where the outcome was said to be unknown may it have been done
    assert not told.refused & set(entries)
    assert set(entries) <= told.stored | told.unknown
    assert told.hints == {1.0}
    assert names == {f"{name}.{number}" for name, number in entries}
    print(f"{len(told.stored)} answered, {len(told.refused)} refused, {len(told.unknown)} unknown")


async def test_a_transaction_that_waits_when_the_server_restarts_is_refused_or_done_once(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1) as (store,):
        await seat(store)
        blocker = await asyncpg.connect(url)
        await blocker.execute("BEGIN; SELECT head FROM bridge.journal_head FOR UPDATE")
        waiting = asyncio.create_task(store.write(lambda tx: tx.conversations.count_message("conv_1", 1)))
        await until_waiting(server, url)
        await asyncio.to_thread(server.stop, signal.SIGINT)
        # the blocker's lock goes as the server does, and who waited may have got as far as COMMIT
        (found,) = await asyncio.gather(waiting, return_exceptions=True)
        if isinstance(found, Unavailable):
            assert found.facts["retry_after"]
            done = {0, 1} if found.facts.get("outcome") == "unknown" else {0}
        else:
            done = {found}
        with pytest.raises(Unavailable):
            await store.read(lambda tx: tx.conversations.get("conv_1"))
        await asyncio.to_thread(server.start)
        # it comes back by itself, and what was said of the outcome is so
        count = await store.write(lambda tx: tx.conversations.count_message("conv_1", 1))
        assert count - 1 in done
        agree((await store.read(lambda tx: tx.conversations.get("conv_1"))).messages, count, "once")  # type: ignore[union-attr]
        blocker.terminate()


async def until_waiting(server: Server, url: str) -> None:
    """Until some transaction of the database waits for a lock."""
    looking = await asyncpg.connect(url)
    async with asyncio.timeout(120):
        while not await looking.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)
    await looking.close()


async def test_a_connection_lost_while_committing_leaves_the_outcome_unknown_and_says_so(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1) as (store,):
        await seat(store)
        admin = await asyncpg.connect(url)
        # a deferred trigger runs within COMMIT and ends its own connection there
        await admin.execute(
            """
            CREATE FUNCTION bridge.die() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER die AFTER INSERT ON bridge.conversations DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION bridge.die();
            """
        )
        with pytest.raises(Unavailable) as refused:
            await store.write(lambda tx: tx.conversations.add(conversation("conv_2")))
        assert refused.value.facts["outcome"] == "unknown"
        assert "idempotency_key" in refused.value.hint
        await admin.execute("DROP TRIGGER die ON bridge.conversations")
        await admin.close()
        await store.write(lambda tx: tx.conversations.add(conversation("conv_2")))


async def test_a_hub_that_stands_still_within_a_transaction_keeps_the_others_for_a_moment_only(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1, lock_seconds=20.0) as (store,):
        await seat(store)
        frozen = await asyncpg.connect(url, server_settings={"idle_in_transaction_session_timeout": "1000"})
        await frozen.execute("BEGIN; SELECT head FROM bridge.journal_head FOR UPDATE")
        assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) == 1
        frozen.terminate()


async def test_a_lock_that_is_not_given_up_is_an_answer_in_time(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1, lock_seconds=0.3) as (store,):
        await seat(store)
        holder = await asyncpg.connect(url)
        await holder.execute("BEGIN; SELECT head FROM bridge.journal_head FOR UPDATE")
        with pytest.raises(Unavailable, match="held the journal") as refused:
            await store.write(lambda tx: tx.conversations.count_message("conv_1", 1))
        assert refused.value.facts["retry_after"]
        # reads go on
        assert await store.read(lambda tx: tx.conversations.get("conv_1"))
        await holder.execute("ROLLBACK")
        assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) == 1
        await holder.close()


async def test_a_pool_that_is_used_up_is_an_answer_in_time(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1, pool_size=2, acquire_seconds=0.2) as (store,):
        await seat(store)
        holder = await asyncpg.connect(url)
        await holder.execute("BEGIN; LOCK TABLE bridge.conversations IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(store.read(lambda tx: tx.conversations.get("conv_1")))
        await until_waiting(server, url)
        with pytest.raises(Unavailable, match="no connection") as refused:
            await store.read(lambda tx: tx.conversations.get("conv_1"))
        assert refused.value.facts["retry_after"]
        await holder.execute("ROLLBACK")
        assert await first
        assert await store.read(lambda tx: tx.conversations.get("conv_1"))
        await holder.close()


async def test_a_caller_who_goes_away_leaves_a_whole_transaction(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1) as (store,):
        await seat(store)
        holder = await asyncpg.connect(url)
        await holder.execute("BEGIN; SELECT head FROM bridge.journal_head FOR UPDATE")
        leaving = asyncio.create_task(store.write(lambda tx: tx.conversations.count_message("conv_1", 1)))
        await until_waiting(server, url)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await holder.execute("ROLLBACK")
        assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) == 2
        await holder.close()


async def test_a_bell_rings_again_after_a_restart_and_who_listened_meanwhile_looks(server: Server) -> None:
    url = await server.create()

    async def nothing() -> bool:
        return False

    async with NotifyBell(Address(url), nothing) as ours, NotifyBell(Address(url), nothing) as theirs:
        async with theirs.listen("t") as there:
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            ours.ring("t")
            await asyncio.to_thread(server.start)
            assert await there.wait(60), "who was cut off looks"
            async with asyncio.timeout(120):
                while True:
                    ours.ring("t")
                    if await there.wait(0.2):
                        break


async def test_a_hub_that_is_given_a_replica_is_told_so(server: Server, tmp_path: Path) -> None:
    url = await server.create()
    async with stores(url, 1):
        pass
    await asyncio.to_thread(server.stop)
    standby, files = server.files / "standby.signal", server.files.stat()
    standby.touch()
    os.chown(standby, files.st_uid, files.st_gid)
    await asyncio.to_thread(server.start)
    settings = config.Settings(home=tmp_path, store=url, master_key="ab" * 32)
    async with AsyncExitStack() as stack:
        with pytest.raises(Unavailable, match="takes no writes"):
            await wiring.open_hub(settings, stack)


async def test_errors_of_values_and_doubles_do_not_touch_the_others_of_a_batch(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1) as (store,):
        await seat(store)

        async def wrong(kind: int) -> str:
            try:
                match kind % 4:
                    case 0:
                        await store.write(lambda tx: tx.conversations.add(conversation("a\0b")))
                    case 1:
                        await store.write(lambda tx: tx.conversations.extend("conv_1", 2**63))
                    case 2:
                        await store.write(lambda tx: tx.conversations.add(conversation("conv_1")))
                    case _:
                        await store.write(lambda tx: tx.sessions.report("conv_1", "a", "\ud800", b""))
            except (Invalid, Conflict) as error:
                return type(error).__name__
            return "done"

        good = [store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) for _ in range(20)]
        found = await asyncio.gather(*good, *(wrong(n) for n in range(20)))
        assert sorted(found[:20]) == list(range(1, 21))
        assert found[20:] == ["Invalid", "Invalid", "Conflict", "Invalid"] * 5


async def test_a_commit_that_was_undone_with_its_connection_is_run_again_once(server: Server) -> None:
    url = await server.create()
    async with stores(url, 1) as (store,):
        await seat(store)
        admin = await asyncpg.connect(url)
        await admin.execute(
            """
            CREATE SEQUENCE bridge.deaths;
            CREATE FUNCTION bridge.die() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN
                IF nextval('bridge.deaths') = 1 THEN
                  PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5);
                END IF;
                RETURN NULL;
              END $$;
            CREATE CONSTRAINT TRIGGER die AFTER INSERT ON bridge.journal DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION bridge.die();
            """
        )
        assert (await store.write(lambda tx: tx.journal.append(entry("h", 1))))[0].seq == 1
        assert await admin.fetchval("SELECT last_value FROM bridge.deaths") == 2
        assert len(await verified(store)) == 1
        await admin.close()
