"""Several hubs on one PostgreSQL: nothing is admitted, used, taken or delivered twice, and the chain is one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.model.conversations import Invite
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW, seat
from multiagent_bridge.testing.store_commands import put
from multiagent_bridge.testing.store_tasks import task
from tests.machines.postgres_worker import COMMANDS
from tests.machines.test_sqlite_races import ROOT, Field, flat, verified
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


class Sea(Field):
    """Workers on one database, started together."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, kind: str, name: str, argument: object = "") -> None:
        words = [sys.executable, "-m", "tests.machines.postgres_worker", kind, name, str(argument)]
        self.workers.append(
            subprocess.Popen(
                words,
                cwd=ROOT,
                text=True,
                env={"MAB_TEST_STORE": self.url, "PATH": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )

    def within(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            async with PostgresStore(Address(self.url)) as store:
                return await work(store)

        return asyncio.run(inside())


@pytest.fixture
def sea(server: Server) -> Iterator[Sea]:
    made = Sea(server.create_now())
    yield made
    made.end()


def test_six_hubs_together_admit_exactly_the_limit(sea: Sea) -> None:
    for n in range(6):
        sea.start("charge", f"p{n}", 50)
    found = sea.race()
    assert sum(tries for _, tries in found) == 300
    assert sum(admitted for admitted, _ in found) == 10


def test_each_invite_is_taken_by_one_of_four_hubs(sea: Sea) -> None:
    async def invited(store: Store) -> None:
        await seat(store)
        for n in range(40):
            await store.write(lambda tx, n=n: tx.invites.add(Invite(bytes([n]), "conv_1", "b", NOW)))

    sea.within(invited)
    for n in range(4):
        sea.start("take", f"p{n}", 40)
    assert flat(sea.race()) == list(range(40))


def test_each_message_is_read_once_among_four_readers_and_two_writers(sea: Sea) -> None:
    sea.within(seat)
    for n in range(2):
        sea.start("send", f"w{n}", 75)
    for n in range(4):
        sea.start("read", f"r{n}", 150)
    found = sea.race()
    assert flat(found[2:]) == list(range(1, 151))


def test_each_approval_is_used_by_one_of_four_hubs_and_the_chain_is_one(sea: Sea) -> None:
    async def approved(store: Store) -> None:
        await seat(store)
        for n in range(COMMANDS):
            await put(store, "approved", n)

    sea.within(approved)
    for n in range(4):
        sea.start("start", f"p{n}")
    found = sea.race()
    assert flat(found) == list(range(COMMANDS))
    entries = sea.within(verified)
    used = {(entry["conversation"], entry["facts"]["n"]) for entry in entries}
    assert used == {(f"p{n}", number) for n, some in enumerate(found) for number in some}


def test_each_lease_is_taken_by_one_of_four_hubs(sea: Sea) -> None:
    async def offered(store: Store) -> None:
        await seat(store)
        for n in range(COMMANDS):
            await store.write(lambda tx, n=n: tx.tasks.add(task(n)))

    sea.within(offered)
    for n in range(4):
        sea.start("accept", f"p{n}")
    assert flat(sea.race()) == list(range(COMMANDS))


def test_hubs_that_start_together_on_an_empty_database_migrate_it_once(sea: Sea) -> None:
    for n in range(8):
        sea.start("open", f"p{n}")
    assert sorted(sea.race()) == list(range(1, 9))
    entries = sea.within(verified)
    assert {entry["conversation"] for entry in entries} == {f"p{n}" for n in range(8)}


def test_the_journal_is_byte_for_byte_what_sqlite_stores(sea: Sea, tmp_path: Any) -> None:
    from multiagent_bridge.adapters.sqlite.store import SqliteStore
    from multiagent_bridge.model.journal import Draft

    texts = ["plain", "é ☂ \U0001f6a6", 'quote " and \\', "tab\tnew\nline", "\u2028", "%s $1 :now", "\x7f"]
    drafts = [
        Draft(NOW + n, "conv_1", "a", text, "test.write", facts={"t": text, "n": n}) for n, text in enumerate(texts)
    ]

    async def lines(store: Store) -> Any:
        await asyncio.gather(*(store.write(lambda tx, d=d: tx.journal.append(d)) for d in drafts))
        return await store.read(lambda tx: tx.journal.lines(0, 100)), (await store.read(lambda tx: tx.journal.head()))

    async def in_sqlite() -> Any:
        async with SqliteStore(tmp_path / "bridge.db") as store:
            return await lines(store)

    ours, theirs = sea.within(lines), asyncio.run(in_sqlite())
    assert ours == theirs
    assert [json.loads(line)["facts"]["t"] for _, line in ours[0]] == texts
