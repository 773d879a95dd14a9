"""Brief transactions of the SQLite store: at once in the event loop when nothing is in their way, and never at its cost."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import apsw
import pytest

from multiagent_bridge.adapters.sqlite import lanes
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.journal import Verifier
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import draft, message, seat
from multiagent_bridge.testing.stores import exercise_store

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class BriefStore(SqliteStore):
    """Takes every transaction for a brief one."""

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        return await super().write(work, brief=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture(autouse=True)
def any_disk_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test depends on how busy the machine is."""
    monkeypatch.setattr(lanes, "QUICK_SECONDS", 600.0)


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(path) as opened:
        await seat(opened)
        yield opened


async def where(store: SqliteStore, *, brief: bool = True) -> bool:
    """Whether a transaction ran in the thread of the event loop."""

    async def noted(tx: Tx) -> int:
        await tx.journal.append(draft(1))
        return threading.get_ident()

    return await store.write(noted, brief=brief) == threading.get_ident()


async def rested(store: SqliteStore) -> None:
    """Until nothing is under way, and the thread is done with what it did."""
    await store.changed_elsewhere()
    turn = store._writer._turn
    assert await asyncio.to_thread(turn.acquire, timeout=60)
    turn.release()


async def numbers(store: SqliteStore) -> list[int]:
    """The drafts whose entries stand in the journal, which verifies."""
    verifier = Verifier()
    found = [verifier.feed(line) for _, line in await store.read(lambda tx: tx.journal.lines(0, 9999))]
    verifier.finish(await store.read(lambda tx: tx.journal.head()))
    return [int(entry.facts["n"] or 0) for entry in found]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file lock, held as another process would hold it."""
    held = os.open(path.with_name("bridge.db-lock"), os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(held)


async def test_a_store_that_takes_all_for_brief_keeps_every_law(tmp_path: Path) -> None:
    count = iter(range(10_000))

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store = BriefStore(tmp_path / f"{next(count)}" / "bridge.db")
        async with store:
            yield store

    await exercise_store(opened)


async def test_it_runs_in_the_event_loop_and_another_does_not(store: SqliteStore) -> None:
    await rested(store)
    assert await where(store)
    assert not await where(store, brief=False)
    await rested(store)
    assert await where(store)


async def test_those_that_come_together_run_there_together(store: SqliteStore) -> None:
    await rested(store)
    assert all(await asyncio.gather(*(where(store) for _ in range(lanes.HERE))))
    assert await numbers(store) == [1] * lanes.HERE


async def test_a_crowd_that_comes_together_is_left_to_the_thread(store: SqliteStore) -> None:
    await rested(store)
    came = await asyncio.gather(*(where(store) for _ in range(500)))
    # the first one came alone
    assert came == [True] + [False] * 499
    assert await numbers(store) == [1] * 500


async def test_a_full_disk_is_one_clear_sentence_and_takes_nothing_along(path: Path) -> None:
    async with SqliteStore(path, max_pages=120) as store:
        await seat(store)
        await rested(store)
        stored = 0

        async def large(tx: Tx) -> None:
            taken = await tx.conversations.count_message("conv_1", 1)
            await tx.messages.add(replace(message(taken), body=b"x" * 20_000), ["b"])

        async def fill() -> None:
            nonlocal stored
            for _ in range(1_000):
                await store.write(large, brief=True)
                stored += 1

        with pytest.raises(Unavailable, match="full"):
            await fill()
        assert 0 < stored < 1_000
        assert len(await store.read(lambda tx: tx.messages.list("conv_1", 0, 999))) == stored
        assert await where(store, brief=False) is False


async def test_a_caller_that_writes_on_and_on_lets_others_have_their_turns(store: SqliteStore) -> None:
    turns, ended = 0, False

    async def other() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    for _ in range(50):
        await where(store)
    ended = True
    await beside
    assert turns >= 25


async def test_a_lock_that_another_process_holds_is_waited_for_in_the_thread(store: SqliteStore, path: Path) -> None:
    await rested(store)
    with locked(path):
        waiting = asyncio.ensure_future(where(store))
        # the loop goes on, and so do its readers
        for _ in range(100):
            assert await store.read(lambda tx: tx.journal.lines(0, 9)) == []
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 120) is False
    assert await numbers(store) == [1]


async def test_a_program_that_does_not_know_the_file_lock_is_waited_for_in_the_thread(
    store: SqliteStore, path: Path
) -> None:
    await rested(store)
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(where(store))
    for _ in range(100):
        assert await store.read(lambda tx: tx.journal.lines(0, 9)) == []
    assert not waiting.done()
    foreign.execute("COMMIT")
    foreign.close()
    assert await asyncio.wait_for(waiting, 120) is False
    assert await numbers(store) == [1]


async def test_patience_ends_for_it_too(path: Path) -> None:
    async with SqliteStore(path, patience=2.0) as store:
        await rested(store)
        with locked(path), pytest.raises(Unavailable, match="locked by another program"):
            await asyncio.wait_for(where(store), 120)
        await asyncio.wait_for(where(store), 120)
        assert await numbers(store) == [1]


async def test_after_a_slow_commit_the_thread_has_the_next_ones(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rested(store)
    monkeypatch.setattr(lanes, "QUICK_SECONDS", -1.0)
    assert await where(store), "one has to be tried"
    assert [await where(store) for _ in range(lanes.ASIDE)] == [False] * lanes.ASIDE
    await rested(store)
    assert await where(store), "the disk may be quick again"


async def test_one_behind_a_long_one_waits_its_turn_without_stopping_the_loop(store: SqliteStore) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def long(tx: Tx) -> None:
        await tx.journal.append(draft(7))
        begun.set()
        assert go_on.wait(60)

    first = asyncio.ensure_future(store.write(long))
    assert await asyncio.to_thread(begun.wait, 60)
    second = asyncio.ensure_future(where(store))
    for _ in range(100):
        assert await store.read(lambda tx: tx.journal.lines(0, 9)) == []
    assert not second.done()
    go_on.set()
    await asyncio.wait_for(asyncio.gather(first, second), 120)
    assert await numbers(store) == [7, 1]


class Interrupted(BaseException):
    """Stands for what ends a program."""


@pytest.mark.parametrize("error", [ValueError, Interrupted, StopAsyncIteration])
async def test_what_fails_leaves_nothing_behind(store: SqliteStore, error: type[BaseException]) -> None:
    await rested(store)

    async def fails(tx: Tx) -> None:
        assert await tx.conversations.count_message("conv_1", 1) == 1
        await tx.messages.add(message(1), ["b"])
        await tx.journal.append(draft(9))
        raise error

    with pytest.raises(error):
        await store.write(fails, brief=True)
    assert await store.read(lambda tx: tx.messages.list("conv_1", 0, 9)) == []
    assert await where(store)
    assert await numbers(store) == [1]


async def test_those_beside_one_that_fails_stand(store: SqliteStore) -> None:
    await rested(store)
    runs = 0

    async def one(n: int) -> int:
        async def counted(tx: Tx) -> int:
            nonlocal runs
            runs += 1
            taken = await tx.conversations.count_message("conv_1", 1)
            await tx.journal.append(draft(n))
            if n % 3 == 0:
                raise ValueError(str(n))
            return taken

        return await store.write(counted, brief=True)

    for start in (1, 101):
        came = await asyncio.gather(*(one(n) for n in range(start, start + 30)), return_exceptions=True)
        assert [isinstance(x, ValueError) for x in came] == [n % 3 == 0 for n in range(start, start + 30)]
    kept = [n for start in (1, 101) for n in range(start, start + 30) if n % 3]
    assert await numbers(store) == kept
    assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 0)) == len(kept) + 1
    assert runs >= 60


async def test_two_event_loops_share_the_connection(store: SqliteStore) -> None:
    async def many(number: int) -> None:
        for _ in range(40):
            await store.write(lambda tx: tx.journal.append(draft(number)), brief=True)

    other = threading.Thread(target=asyncio.run, args=(many(2),))
    other.start()
    await many(1)
    await asyncio.to_thread(other.join, 120)
    assert not other.is_alive()
    assert sorted(await numbers(store)) == [1] * 40 + [2] * 40


async def test_what_another_thread_asks_for_meanwhile_is_left_to_the_lane(store: SqliteStore) -> None:
    await rested(store)
    asked = threading.Event()

    async def one() -> int:
        loop = asyncio.get_running_loop()
        call = asyncio.ensure_future(store.write(lambda tx: tx.journal.append(draft(2))))
        loop.call_soon(asked.set)
        await call
        return threading.get_ident()

    came: list[int] = []
    other = threading.Thread(target=lambda: came.append(asyncio.run(one())))

    async def meets_it(tx: Tx) -> None:
        await tx.journal.append(draft(1))
        other.start()
        # it stands in the queue when this one commits
        assert asked.wait(60)

    await store.write(meets_it, brief=True)
    await asyncio.to_thread(other.join, 60)
    assert len(came) == 1
    assert await numbers(store) == [1, 2]


async def test_two_processes_worth_of_stores_continue_one_journal(store: SqliteStore) -> None:
    async with SqliteStore(store.path) as beside:
        for n in range(40):
            await (store, beside)[n % 2].write(lambda tx, n=n: tx.journal.append(draft(n)), brief=True)  # type: ignore[misc]
        assert await numbers(beside) == list(range(40))


async def test_a_database_that_was_removed_is_one_clear_sentence(store: SqliteStore, path: Path) -> None:
    await rested(store)
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(Unavailable, match="removed while it was in use"):
        await where(store)
    path.with_name("elsewhere").rename(path)
    await where(store)
    assert await numbers(store) == [1]


async def test_a_long_log_is_folded_by_the_thread(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.adapters.sqlite import writing

    monkeypatch.setattr(writing, "FOLD_PAGES", 50)
    before = path.stat().st_size
    folded = threading.Event()
    fold = writing.WriteLane._rest

    def watched(lane: writing.WriteLane) -> None:
        assert threading.current_thread() is not threading.main_thread()
        fold(lane)
        if path.stat().st_size > before:
            folded.set()

    monkeypatch.setattr(writing.WriteLane, "_rest", watched)
    for _ in range(300):
        await where(store)
    assert await asyncio.to_thread(folded.wait, 60)
    assert await numbers(store) == [1] * 300


async def test_closing_serves_those_that_were_gathered(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    calls = [asyncio.ensure_future(store.write(lambda tx: tx.journal.append(draft(1)), brief=True)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.wait_for(store.close(), 120)
    await asyncio.gather(*calls)
    with pytest.raises(Unavailable, match="closed"):
        await store.write(lambda tx: tx.journal.append(draft(1)), brief=True)
    async with SqliteStore(path) as again:
        assert await numbers(again) == [1] * 5
