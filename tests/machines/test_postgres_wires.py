"""The wire between a hub and its PostgreSQL goes dead or breaks: an answer in time, and never a wrong one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import NotifyBell
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import NotFound, Unavailable
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.laws import seat
from tests.machines.store_worker import entry
from tests.machines.test_postgres_losses import stores
from tests.machines.test_sqlite_races import verified
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]


BUSY = 2.0
"""Shorter than what ships, so that the tests are; long enough for a busy machine to connect and to answer."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


class Line:
    """The wire between a hub and its database: a socket in a folder of its own, which can go dead without closing."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.dead = False
        self.dies_at = b""
        self.closes_at = b""
        self._pumps: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None

    async def __aenter__(self) -> Line:
        self._listening = await asyncio.start_unix_server(self._accepted, self.folder / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def url(self, url: str) -> str:
        return url.partition("?")[0] + f"?host={self.folder}"

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to = await asyncio.open_unix_connection(self.server.folder / ".s.PGSQL.5432")
        for pump in (self._pump(reader, to, True), self._pump(theirs, writer, False)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ours: bool) -> None:
        try:
            while data := await source.read(65_536):
                if self.dead:
                    continue
                if ours and self.dies_at and self.dies_at in data:
                    # the question arrives, its answer does not
                    self.dead = True
                if not ours and self.closes_at and self.closes_at in data:
                    # it was done, and nobody is told
                    self.closes_at = b""
                    break
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture
def wire_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mab-wire-") as folder:
        yield Path(folder)


async def test_a_wire_that_goes_dead_is_an_answer_in_time_and_is_taken_up_again(
    server: Server, wire_folder: Path
) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        async with stores(line.url(url), 1, statement_seconds=BUSY, connect_seconds=BUSY) as (store,):
            await seat(store)
            line.dead = True
            for attempt in (store.write, store.read):
                with pytest.raises(Unavailable) as refused:
                    async with asyncio.timeout(90):
                        await attempt(lambda tx: tx.conversations.get("conv_1"))
                assert refused.value.facts["retry_after"]
            line.dead = False
            assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 1)) == 1
            assert await store.read(lambda tx: tx.conversations.get("conv_1"))


async def test_a_dead_wire_is_waited_for_once_however_many_connections_were_kept(
    server: Server, wire_folder: Path
) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        async with stores(line.url(url), 1, statement_seconds=BUSY, connect_seconds=BUSY) as (store,):
            await seat(store)
            await asyncio.gather(*(store.read(lambda tx: tx.conversations.get("conv_1")) for _ in range(7)))
            line.dead = True
            with pytest.raises(Unavailable):
                # seven times over it would be half a minute
                async with asyncio.timeout(8 * BUSY):
                    await store.read(lambda tx: tx.conversations.get("conv_1"))
            line.dead = False
            assert await store.read(lambda tx: tx.conversations.get("conv_1"))


async def test_a_commit_whose_answer_never_comes_is_unknown_and_was_done_once(
    server: Server, wire_folder: Path
) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        async with stores(line.url(url), 1, statement_seconds=BUSY, connect_seconds=BUSY) as (store,):
            await seat(store)
            line.dies_at = b"COMMIT"
            with pytest.raises(Unavailable) as refused:
                await store.write(lambda tx: tx.journal.append(entry("h", 1)))
            assert refused.value.facts["outcome"] == "unknown"
            line.dies_at, line.dead = b"", False
            # the next entry follows the one that nobody was told of
            assert (await store.write(lambda tx: tx.journal.append(entry("h", 2))))[0].seq == 2
            await verified(store)


async def test_a_commit_whose_connection_breaks_is_looked_up_in_the_journal(server: Server, wire_folder: Path) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        async with stores(line.url(url), 1) as (store,):
            await seat(store)
            # what the server says once it has committed
            line.closes_at = b"COMMIT"
            assert (await store.write(lambda tx: tx.journal.append(entry("h", 1))))[0].seq == 1
            assert line.closes_at == b""
            assert (await store.write(lambda tx: tx.journal.append(entry("h", 2))))[0].seq == 2
            assert len(await verified(store)) == 2


async def test_a_read_whose_wire_breaks_after_it_was_refused_is_told_of_its_refusal(
    server: Server, wire_folder: Path
) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        async with stores(line.url(url), 1) as (store,):
            await seat(store)

            async def refused(tx: Tx) -> None:
                await tx.conversations.get("conv_1")
                line.closes_at = b"ROLLBACK"
                raise NotFound("no such message", "read again")

            with pytest.raises(NotFound, match="no such message"):
                await store.read(refused)
            assert line.closes_at == b""
            assert await store.read(lambda tx: tx.conversations.get("conv_1"))


async def test_a_bell_whose_wire_goes_dead_still_makes_its_listeners_look(server: Server, wire_folder: Path) -> None:
    url = await server.create()
    async with Line(server, wire_folder) as line:
        far = Address(line.url(url), statement_seconds=BUSY, connect_seconds=BUSY)
        async with PostgresStore(far) as store, NotifyBell(far, store.changed_elsewhere) as bell:
            async with bell.listen("t") as ear:
                line.dead = True
                assert await ear.wait(90)
                line.dead = False
                async with NotifyBell(Address(url), store.changed_elsewhere) as other:
                    async with asyncio.timeout(90):
                        other.ring("t")
                        while not await ear.wait(1):
                            other.ring("t")
