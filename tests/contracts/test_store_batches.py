"""Transactions that share a commit: each stands or falls alone, and the journal is whole, whatever a neighbour does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.journal import Verifier
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import conversation, draft, message, seat

pytestmark = pytest.mark.anyio

Work = Callable[[Tx], Awaitable[object]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "bridge.db") as opened:
        await seat(opened)
        yield opened


async def together(store: SqliteStore, works: Sequence[Work]) -> list[object]:
    """Run them in one commit, in this order. Returns what each came to, errors included."""
    begun, go_on = threading.Event(), threading.Event()

    async def first(tx: Tx) -> None:
        begun.set()
        assert go_on.wait(60)

    calls = [asyncio.ensure_future(store.write(first))]
    assert await asyncio.to_thread(begun.wait, 60)
    calls += [asyncio.ensure_future(store.write(work)) for work in works]
    # as many turns of the loop as a busy store lets them wait for each other
    for _ in range(50):
        await asyncio.sleep(0)
    go_on.set()
    return (await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 120))[1:]


class Sender:
    """Counts a message, stores it and writes an entry; then perhaps fails. `ran` says how often each did."""

    def __init__(self, number: int, ran: Counter[int], end: Callable[[Tx], Awaitable[object]] | None = None) -> None:
        self.number, self.ran, self.end = number, ran, end

    async def __call__(self, tx: Tx) -> tuple[int, int]:
        self.ran[self.number] += 1
        taken = await tx.conversations.count_message("conv_1", 1)
        await tx.messages.add(message(taken), ["b"])
        entry, head = await tx.journal.append(draft(self.number))
        assert head == await tx.journal.head()
        if self.end is not None:
            await self.end(tx)
        return taken, entry.seq


async def gives_up(tx: Tx) -> None:
    raise ValueError("no")


async def is_refused_by_the_database(tx: Tx) -> None:
    await tx.conversations.add(conversation("conv_1"))


async def looks_then_gives_up(tx: Tx) -> None:
    assert len(await tx.journal.lines(0, 99)) == (await tx.journal.head()).size
    raise ValueError("no")


async def numbers(store: Store) -> list[int]:
    """The drafts whose entries stand in the journal, which verifies."""
    verifier = Verifier()
    found = [verifier.feed(line) for _, line in await store.read(lambda tx: tx.journal.lines(0, 999))]
    verifier.finish(await store.read(lambda tx: tx.journal.head()))
    return [int(entry.facts["n"] or 0) for entry in found]


@pytest.mark.parametrize("end", [gives_up, is_refused_by_the_database, looks_then_gives_up])
async def test_one_that_fails_after_it_wrote_takes_nobody_along(
    store: SqliteStore, end: Callable[[Tx], Awaitable[object]]
) -> None:
    ran: Counter[int] = Counter()
    failing = (0, 3, 4, 9)
    for start in (0, 100):
        works = [Sender(start + n, ran, end if n in failing else None) for n in range(10)]
        came = await together(store, works)
        assert [isinstance(one, (ValueError, Conflict)) for one in came] == [n in failing for n in range(10)]
        kept = [one for one in came if isinstance(one, tuple)]
        first = 6 * (start > 0) + 1
        assert kept == [(n, n) for n in range(first, first + 6)]
    stood = [start + n for start in (0, 100) for n in range(10) if n not in failing]
    assert await numbers(store) == stood
    assert [m.id for m in await store.read(lambda tx: tx.messages.list("conv_1", 0, 99))] == list(range(1, 13))
    # the second time each had a savepoint of its own
    assert max(ran[n] for n in range(10)) == 2
    assert max(ran[100 + n] for n in range(10)) == 1


async def test_one_that_fails_before_it_wrote_makes_nobody_run_again(store: SqliteStore) -> None:
    ran: Counter[int] = Counter()

    async def looks(tx: Tx) -> None:
        assert await tx.sessions.get("conv_1", "a")
        raise ValueError("no")

    came = await together(store, [Sender(1, ran), looks, Sender(2, ran), looks, Sender(3, ran)])
    assert [type(one) for one in came] == [tuple, ValueError, tuple, ValueError, tuple]
    assert set(ran.values()) == {1}
    assert await numbers(store) == [1, 2, 3]


async def test_one_that_only_appended_before_it_failed_leaves_no_entry(store: SqliteStore) -> None:
    async def appends(tx: Tx) -> None:
        await tx.journal.append(draft(7))
        raise ValueError("no")

    ran: Counter[int] = Counter()
    came = await together(store, [appends, Sender(1, ran), appends, Sender(2, ran), appends])
    assert [type(one) for one in came] == [ValueError, tuple, ValueError, tuple, ValueError]
    assert set(ran.values()) == {1}
    assert await numbers(store) == [1, 2]


async def test_a_transaction_finds_the_entries_that_will_be_stored_with_it(store: SqliteStore) -> None:
    async def looks(tx: Tx) -> list[int]:
        _, head = await tx.journal.append(draft(3))
        found = [await tx.journal.entries(0, 9), await tx.journal.newest(9), await tx.journal.entries(0, 9, "conv_1")]
        assert found[0] == found[1] == found[2]
        assert await tx.journal.lines(0, 9) == [(entry.seq, entry.line) for entry in found[0]]
        assert head.last == found[0][-1].hash
        return [int(entry.facts["n"] or 0) for entry in found[0]]

    ran: Counter[int] = Counter()
    came = await together(store, [Sender(1, ran), Sender(2, ran), looks, Sender(4, ran)])
    assert came[2] == [1, 2, 3]
    assert await numbers(store) == [1, 2, 3, 4]


async def test_two_stores_of_one_file_continue_each_others_journal(store: SqliteStore) -> None:
    async with SqliteStore(store.path) as other:
        for n in range(0, 12, 3):
            ran: Counter[int] = Counter()
            await together(store, [Sender(n, ran), Sender(n + 1, ran)])
            await other.write(lambda tx, n=n: tx.journal.append(draft(n + 2)))  # type: ignore[misc]
        assert await numbers(other) == list(range(12))


async def test_a_journal_that_was_tampered_with_stores_nothing_and_says_so(store: SqliteStore) -> None:
    await store.write(lambda tx: tx.journal.append(draft(1)))
    foreign = apsw.Connection(str(store.path))
    foreign.execute("INSERT INTO journal (seq, conversation_id, line) VALUES (2, 'conv_1', 'forged')")
    foreign.close()
    ran: Counter[int] = Counter()
    came = await together(store, [Sender(1, ran), Sender(2, ran)])
    assert [type(one) for one in came] == [Conflict, Conflict]
    assert await store.read(lambda tx: tx.messages.list("conv_1", 0, 9)) == []


async def test_each_statement_is_compiled_once(store: SqliteStore) -> None:
    """The driver's SQLite would compile a statement again for each value of an indexed column."""
    again: Counter[str] = Counter()

    def traced(event: dict[str, object]) -> None:
        status = event["stmt_status"]
        assert isinstance(status, dict)
        again[str(event["sql"])] = max(again[str(event["sql"])], status["SQLITE_STMTSTATUS_REPREPARE"])

    connection = store._writer._connection
    assert connection is not None
    await store._writer.call(lambda: connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, traced))
    ran: Counter[int] = Counter()
    for n in range(5):
        await store.write(Sender(n, ran))
        await store.write(lambda tx, n=n: tx.messages.ack("conv_1", "b", n, 1))  # type: ignore[misc]
    await store._writer.call(lambda: connection.trace_v2(0, None))
    assert len(again) > 8
    assert set(again.values()) == {0}


async def test_what_waits_for_company_is_served_before_what_comes_after_it(store: SqliteStore) -> None:
    order: list[str] = []
    await together(store, [lambda tx: tx.journal.append(draft(1))] * 9)
    # from now on a transaction waits for company
    calls = [asyncio.ensure_future(store.write(lambda tx, n=n: noted(order, f"write {n}"))) for n in range(3)]  # type: ignore[misc]
    await asyncio.sleep(0)
    assert order == []
    await asyncio.wait_for(store._writer.call(lambda: order.append("call")), 120)
    assert order == ["write 0", "write 1", "write 2", "call"]
    await asyncio.gather(*calls)


async def noted(order: list[str], what: str) -> None:
    order.append(what)


async def test_one_that_finds_no_company_goes_alone(store: SqliteStore) -> None:
    await together(store, [lambda tx: tx.journal.append(draft(1))] * 9)
    for _ in range(3):
        await asyncio.wait_for(store.write(lambda tx: tx.journal.append(draft(2))), 120)
    assert await numbers(store) == [1] * 9 + [2] * 3


async def test_closing_serves_those_that_wait_for_company(store: SqliteStore) -> None:
    await together(store, [lambda tx: tx.journal.append(draft(1))] * 9)
    calls = [asyncio.ensure_future(store.write(lambda tx: tx.journal.append(draft(2)))) for _ in range(3)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.wait_for(asyncio.gather(*calls), 120)) == 3
    async with SqliteStore(store.path) as again:
        assert await numbers(again) == [1] * 9 + [2] * 3


async def test_patience_ends_for_each_in_its_time_and_what_was_given_up_never_runs(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "bridge.db", patience=1.0) as store:
        await seat(store)
        await together(store, [lambda tx: tx.journal.append(draft(1))] * 9)
        held = os.open(tmp_path / "bridge.db-lock", os.O_RDWR)
        fcntl.flock(held, fcntl.LOCK_EX)
        loop = asyncio.get_running_loop()
        took: list[float] = []

        async def attempt(after: float) -> None:
            await asyncio.sleep(after)
            began = loop.time()
            with pytest.raises(Unavailable, match="locked by another program"):
                await store.write(lambda tx: tx.journal.append(draft(2)))
            took.append(loop.time() - began)

        await asyncio.gather(*(attempt(after) for after in (0, 0, 0.2, 0.5)))
        assert all(1.0 <= one < 60 for one in took)
        os.close(held)
        await store.write(lambda tx: tx.journal.append(draft(3)))
        assert await numbers(store) == [1] * 9 + [3]
