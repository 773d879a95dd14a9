"""What the SQLite store promises beyond the laws: snapshots, bounded waits, cancelled callers, notice of other processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite import opening
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Invalid, Unavailable
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.laws import NOW, draft, message, seat, send

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(path) as opened:
        yield opened


def size(store: SqliteStore):  # type: ignore[no-untyped-def]
    async def entries(tx: Tx) -> int:
        return (await tx.journal.head()).size

    return store.read(entries)


async def test_a_read_keeps_its_snapshot_while_others_commit(store: SqliteStore) -> None:
    await seat(store)
    looked, written = threading.Event(), threading.Event()

    async def twice(tx: Tx) -> tuple[int, int]:
        first = (await tx.journal.head()).size
        looked.set()
        assert written.wait(60)
        return first, (await tx.journal.head()).size

    reading = asyncio.ensure_future(store.read(twice))
    assert await asyncio.to_thread(looked.wait, 60)
    await store.write(lambda tx: tx.journal.append(draft(1)))
    written.set()
    assert await reading == (0, 0)
    assert await size(store) == 1


async def test_a_cancelled_callers_transaction_runs_to_its_end(store: SqliteStore) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def slow(tx: Tx) -> None:
        begun.set()
        assert go_on.wait(60)
        await tx.journal.append(draft(1))

    calls = [asyncio.ensure_future(store.write(slow))]
    assert await asyncio.to_thread(begun.wait, 60)
    # this one still waits for its turn when its caller leaves
    calls.append(asyncio.ensure_future(store.write(lambda tx: tx.journal.append(draft(2)))))
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    go_on.set()
    assert [type(e) for e in await asyncio.gather(*calls, return_exceptions=True)] == [asyncio.CancelledError] * 2
    await store.write(lambda tx: tx.journal.append(draft(3)))
    assert await size(store) == 3


async def test_waiting_writes_share_one_commit(store: SqliteStore, path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def slow(tx: Tx) -> None:
        begun.set()
        assert go_on.wait(60)

    other = apsw.Connection(str(path))
    first = asyncio.ensure_future(store.write(slow))
    assert await asyncio.to_thread(begun.wait, 60)
    waiting = [asyncio.ensure_future(store.write(lambda tx, n=n: tx.journal.append(draft(n)))) for n in range(40)]
    await asyncio.sleep(0)
    seen = {0}
    go_on.set()
    while not all(call.done() for call in [first, *waiting]):
        await asyncio.sleep(0)
        seen |= {count for (count,) in other.execute("SELECT count(*) FROM journal")}
    other.close()
    # all forty became visible at one instant
    assert seen <= {0, 40}
    assert await size(store) == 40


async def test_closing_finishes_what_was_submitted(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    calls = [asyncio.ensure_future(store.write(lambda tx, n=n: tx.journal.append(draft(n)))) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*calls)) == 100
    async with SqliteStore(path) as again:
        assert await size(again) == 100
    assert not path.with_name("bridge.db-wal").exists()


async def test_a_commit_of_another_process_is_noticed_and_our_own_is_not(store: SqliteStore, path: Path) -> None:
    await store.changed_elsewhere()
    await store.write(lambda tx: tx.journal.append(draft(1)))
    await size(store)
    assert not await store.changed_elsewhere()
    async with SqliteStore(path) as other:
        await other.write(lambda tx: tx.journal.append(draft(2)))
        assert await store.changed_elsewhere()
        assert not await store.changed_elsewhere()


async def test_a_lock_held_too_long_is_one_clear_sentence_and_reads_go_on(path: Path) -> None:
    async with SqliteStore(path, patience=1.0) as store:
        await seat(store)
        held = os.open(path.with_name("bridge.db-lock"), os.O_RDWR)
        fcntl.flock(held, fcntl.LOCK_EX)
        begun = time.monotonic()
        calls = [store.write(lambda tx, n=n: tx.journal.append(draft(n))) for n in range(3)]
        refused = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(e) for e in refused] == [Unavailable] * 3
        assert "locked by another program" in str(refused[0])
        assert 1.0 <= time.monotonic() - begun < 60
        assert await size(store) == 0
        os.close(held)
        await store.write(lambda tx: tx.journal.append(draft(9)))
        # those that were refused never ran
        assert await size(store) == 1


async def test_closing_never_hangs_on_a_held_lock(path: Path) -> None:
    store = SqliteStore(path, patience=1.0)
    await store.open()
    held = os.open(path.with_name("bridge.db-lock"), os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        await asyncio.wait_for(store.close(), 120)
    finally:
        os.close(held)


async def test_a_foreign_write_lock_is_waited_out(path: Path) -> None:
    async with SqliteStore(path, busy=10) as store:
        foreign = apsw.Connection(str(path))
        foreign.execute("BEGIN IMMEDIATE")
        call = asyncio.ensure_future(store.write(lambda tx: tx.journal.append(draft(1))))
        done, _ = await asyncio.wait([call], timeout=0.4)
        assert not done
        foreign.execute("COMMIT")
        await asyncio.wait_for(call, 120)
        foreign.close()


async def test_a_foreign_write_lock_that_stays_is_one_clear_sentence(path: Path) -> None:
    async with SqliteStore(path, busy=0.2) as store:
        foreign = apsw.Connection(str(path))
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked by another program"):
            await store.write(lambda tx: tx.journal.append(draft(1)))
        assert await size(store) == 0
        foreign.execute("ROLLBACK")
        foreign.close()
        await store.write(lambda tx: tx.journal.append(draft(1)))


async def test_the_defaults_outlast_ten_seconds_of_foreign_lock() -> None:
    from multiagent_bridge.adapters.sqlite import store

    assert 10 < store.BUSY < store.PATIENCE <= 20


async def test_a_value_that_cannot_be_stored_is_invalid(store: SqliteStore) -> None:
    await seat(store)
    for attempt in (
        lambda tx: tx.messages.ack("conv_1", "a", 10**30, NOW),
        lambda tx: tx.conversations.add(Conversation("lone \ud800 surrogate", 1, 1, b"")),
        lambda tx: tx.conversations.add(Conversation("conv_x", "late", 1, b"")),
    ):
        with pytest.raises(Invalid):
            await store.write(attempt)
    await store.write(lambda tx: tx.journal.append(draft(1)))


async def test_an_error_that_the_work_swallowed_keeps_the_transaction_usable(store: SqliteStore) -> None:
    from multiagent_bridge.errors import Conflict

    await seat(store)

    async def second_choice(tx: Tx) -> None:
        await tx.messages.add(message(1, key="k"), ["b"])
        with pytest.raises(Conflict):
            await tx.messages.add(message(2, key="k"), ["b"])
        await tx.messages.add(message(2, key="l"), ["b"])

    await store.write(second_choice)
    assert [m.id for m in await store.read(lambda tx: tx.messages.list("conv_1", 0, 9))] == [1, 2]


async def test_a_forked_child_cannot_use_the_store(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(RuntimeError, match="forked"):
        await store.write(lambda tx: tx.journal.append(draft(1)))


@pytest.mark.parametrize("version", ["3.40.1", "3.44.5", "3.45.9", "3.49.2", "3.50.6", "3.51.0", "3.51.2", "2.8.17"])
async def test_a_sqlite_that_can_corrupt_a_shared_file_is_refused(version: str) -> None:
    with pytest.raises(Unavailable, match="can corrupt"):
        opening.refuse_unsafe(version)


@pytest.mark.parametrize("version", ["3.44.6", "3.50.7", "3.51.3", "3.51.10", "3.52.0", "3.54.1", "4.0.0"])
async def test_a_fixed_sqlite_is_accepted(version: str) -> None:
    opening.refuse_unsafe(version)


async def test_the_connection_is_durable_and_checks_references(store: SqliteStore) -> None:
    connection = store._writer._connection
    pragmas = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_the_newest_mail_costs_the_same_in_a_long_conversation(store: SqliteStore) -> None:
    """Counted in steps of SQLite's machine, which no busy neighbour on the processor can change."""

    async def filled(tx: Tx, name: str, count: int) -> None:
        for number in range(1, count + 1):
            await tx.messages.add(message(number, name=name), ["b"])
        await tx.messages.ack(name, "b", count - 5, NOW)

    async def checked(tx: Tx, name: str) -> None:
        found = await tx.messages.unread(name, "b", 20, 0)
        assert len(found) == 5
        numbers = [m.id for m in found]
        await tx.messages.claim(name, "b", numbers, f"hub:{name}", NOW)
        assert await tx.messages.confirm(f"hub:{name}", NOW) == 5
        assert await tx.messages.unconfirm(name, "b", numbers) == 5
        assert await tx.messages.ack(name, "b", numbers[-1], NOW) == 5
        assert len(await tx.messages.history(name, "b", None, 20)) == 20
        assert len(await tx.messages.deliveries(name, numbers[-1])) == 1

    steps = {}
    for name, count in (("conv_short", 100), ("conv_long", 20_000)):
        await seat(store, name, ["a", "b"])
        await store.write(lambda tx, n=name, c=count: filled(tx, n, c))
        counted = [0]

        def progress(counted: list[int] = counted) -> bool:
            counted[0] += 1
            return False

        await store._writer.call(lambda p=progress: store._writer._connection.set_progress_handler(p, 1))
        await store.write(lambda tx, n=name: checked(tx, n))
        await store._writer.call(lambda: store._writer._connection.set_progress_handler(None))
        steps[name] = counted[0]
    assert steps["conv_short"] > 100
    assert steps["conv_long"] <= 1.05 * steps["conv_short"]


async def test_sends_of_many_callers_are_all_stored_in_order(store: SqliteStore) -> None:
    await seat(store)
    numbers = await asyncio.gather(*(send(store, 5) for _ in range(40)))
    assert sorted(n for some in numbers for n in some) == list(range(1, 201))
    assert all(some == sorted(some) for some in numbers)
