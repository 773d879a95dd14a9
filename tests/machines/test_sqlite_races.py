"""Several processes on one SQLite file: nothing is admitted, taken or delivered twice, and nobody ever meets a lock."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.model.conversations import Invite
from multiagent_bridge.model.journal import Verifier
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW, seat

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


class Field:
    """Workers on one store, started together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, kind: str, name: str, argument: object = "") -> None:
        words = [sys.executable, "-m", "tests.machines.store_worker", str(self.path), kind, name, str(argument)]
        self.workers.append(
            subprocess.Popen(
                words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )

    def race(self) -> list[Any]:
        """Let all go once all are ready. Returns what each found, in the order they were started."""
        for worker in self.workers:
            assert worker.stdout is not None
            if worker.stdout.readline() != '"ready"\n':
                raise AssertionError(worker.communicate(timeout=120)[1])
        for worker in self.workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        found = []
        for worker in self.workers:
            said, complained = worker.communicate(timeout=250)
            assert worker.returncode == 0, complained
            found.append(json.loads(said))
        return found

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.communicate()


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path / "bridge.db")
    yield made
    made.end()


def in_store(path: Path, work: Any) -> Any:
    async def within() -> Any:
        async with SqliteStore(path) as store:
            return await work(store)

    return asyncio.run(within())


async def verified(store: Store) -> list[dict[str, Any]]:
    """Every entry, the chain checked to its head."""
    lines = await store.read(lambda tx: tx.journal.lines(0, 10**6))
    verifier = Verifier()
    for _, line in lines:
        verifier.feed(line)
    verifier.finish(await store.read(lambda tx: tx.journal.head()))
    return [json.loads(line) for _, line in lines]


def flat(lists: Sequence[Sequence[int]]) -> list[int]:
    return sorted(n for some in lists for n in some)


def test_ten_processes_together_are_admitted_exactly_the_limit(field: Field) -> None:
    for n in range(10):
        field.start("charge", f"p{n}", 150)
    found = field.race()
    assert sum(tries for _, tries in found) == 1500
    assert sum(admitted for admitted, _ in found) == 10


def test_each_invite_is_taken_by_one_of_eight_processes(field: Field) -> None:
    async def invited(store: Store) -> None:
        await seat(store)
        for n in range(40):
            await store.write(lambda tx, n=n: tx.invites.add(Invite(bytes([n]), "conv_1", "b", NOW)))

    in_store(field.path, invited)
    for n in range(8):
        field.start("take", f"p{n}", 40)
    assert flat(field.race()) == list(range(40))


def test_each_message_is_read_once_among_eight_readers_and_three_writers(field: Field) -> None:
    in_store(field.path, seat)
    for n in range(3):
        field.start("send", f"w{n}", 100)
    for n in range(8):
        field.start("read", f"r{n}", 300)
    found = field.race()
    assert flat(found[3:]) == list(range(1, 301))


def test_processes_that_start_together_on_a_fresh_file_make_one_database(field: Field) -> None:
    for n in range(16):
        field.start("open", f"p{n}")
    assert sorted(field.race()) == list(range(1, 17))
    entries = in_store(field.path, verified)
    assert {entry["conversation"] for entry in entries} == {f"p{n}" for n in range(16)}


def test_fifty_processes_at_four_writes_a_second_never_meet_a_lock(field: Field) -> None:
    for n in range(50):
        field.start("pace", f"p{n}", 4)
    found = field.race()
    assert [len(took) for took in found] == [16] * 50
    entries = in_store(field.path, verified)
    assert len(entries) == 800
    wrote = [(entry["conversation"], entry["facts"]["n"]) for entry in entries]
    assert len(set(wrote)) == 800
    took = sorted(ms for some in found for ms in some)
    print(f"p50 {took[400]:.1f} ms, p99 {took[792]:.1f} ms, max {took[-1]:.1f} ms")
    # nobody is starved: the lock file serves waiters in turn, even where two cores start fifty interpreters
    assert took[-1] < 60_000
