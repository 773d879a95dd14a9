"""Several processes after the same approvals: each is used once, whoever asks, decides, disables or dies meanwhile."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.model.commands import Command
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import seat
from multiagent_bridge.testing.store_commands import command, moved
from multiagent_bridge.testing.store_yolo import enabling
from multiagent_bridge.testing.store_yolo import moved as answered
from tests.machines.test_sqlite_races import ROOT, Field, flat, in_store, verified

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]


class Race(Field):
    """Workers on one store of commands, started together."""

    def start(self, kind: str, name: str, argument: object = "") -> None:
        self.workers.append(worker(self.path, kind, name, argument))

    def runs(self) -> list[int]:
        """Every run that there was, by its number, as the runners wrote them down beside the store."""
        return sorted(int(line) for line in Path(f"{self.path}.runs").read_text("ascii").splitlines())


def worker(path: Path, kind: str, name: str, *more: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.machines.approval_worker", str(path), kind, name, *map(str, more)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Race]:
    made = Race(tmp_path / "bridge.db")
    yield made
    made.end()


def asked(path: Path, state: str, count: int) -> None:
    """So many commands, pending or approved, and a mode that is enabled."""

    async def filled(tx: Tx) -> None:
        await tx.yolo.add(enabling())
        assert await tx.yolo.change(answered(enabling(), "enabled"), "offered")
        for number in range(count):
            one = command(number)
            await tx.commands.add(one)
            if state != "pending":
                assert await tx.commands.change(moved(one, state), "pending")

    async def made(store: Store) -> None:
        await seat(store)
        await store.write(filled)

    in_store(path, made)


def left(path: Path) -> dict[int, Command]:
    """Every command by its number, once the store is checked."""

    async def looked(store: Store) -> dict[int, Command]:
        found = await store.read(lambda tx: tx.commands.list(None, 10**6))
        return {int(c.id.removeprefix("cmd_")): c for c in found}

    return in_store(path, looked)  # type: ignore[no-any-return]


def entries(path: Path) -> list[dict[str, Any]]:
    return in_store(path, verified)  # type: ignore[no-any-return]


def test_each_approval_is_used_by_one_of_eight_processes(race: Race) -> None:
    asked(race.path, "approved", 100)
    names = [f"hub {n}" for n in range(8)]
    for name in names:
        race.start("start", name, 100)
    found = race.race()
    assert flat(found) == race.runs() == list(range(100))
    # who was told that it won is who runs it
    assert {n: c.runner for n, c in left(race.path).items()} == {
        n: name for name, won in zip(names, found, strict=True) for n in won
    }
    assert sorted(e["facts"]["n"] for e in entries(race.path)) == list(range(100))


def test_of_a_yes_and_a_no_one_counts(race: Race) -> None:
    asked(race.path, "pending", 100)
    states = ["approved", "denied", "approved", "denied", "expired"]
    for state in states:
        race.start("decide", state, 100)
    found = race.race()
    assert flat(found) == list(range(100))
    decided = {n: state for state, won in zip(states, found, strict=True) for n in won}
    assert {n: c.state for n, c in left(race.path).items()} == decided
    assert all((c.approval is not None) == (c.state == "approved") for c in left(race.path).values())


def test_nothing_starts_once_the_mode_is_disabled(race: Race) -> None:
    asked(race.path, "approved", 200)
    for _ in range(4):
        race.start("start", "hub", 200)
    race.start("disable", "person", 200)
    *started, ended = race.race()
    states = Counter(c.state for c in left(race.path).values())
    assert states["running"] == len(race.runs()) >= 50
    assert flat(started) == race.runs()
    assert states["expired"] == ended
    assert states["running"] + ended == 200
    # in the journal's order, which is that of the transactions, no start follows the end
    assert [e["action"] for e in entries(race.path)] == ["command.start"] * states["running"] + ["yolo.disable"]


@pytest.mark.parametrize(
    ("hop", "state", "after", "ran"),
    [
        ("within", "approved", "done", True),
        ("committed", "running", "lost", False),
        ("ran", "running", "lost", True),
    ],
)
def test_a_runner_killed_at_a_hop_leaves_its_command_to_one_fate(
    race: Race, hop: str, state: str, after: str, ran: bool
) -> None:
    asked(race.path, "approved", 9)
    (dying,) = born(race, ["hub"], 9, hop)
    assert dying.wait(120) == -signal.SIGKILL
    assert [left(race.path)[n].state for n in range(9)] == ["done"] * 4 + [state] + ["approved"] * 4
    # another runner lets alone what is running under a name that is not its own
    (other,) = born(race, ["another"], 3)
    assert other.wait(120) == 0
    assert left(race.path)[4].state == state
    (again,) = born(race, ["hub"], 9)
    assert again.wait(120) == 0
    assert [left(race.path)[n].state for n in range(9)] == ["done"] * 4 + [after] + ["done"] * 4
    assert race.runs() == [n for n in range(9) if ran or n != 4]
    assert sorted(e["facts"]["n"] for e in entries(race.path)) == list(range(9))


def test_runners_killed_at_random_never_run_anything_twice(race: Race) -> None:
    count, kills, chance = 1000, 0, random.Random(4)
    asked(race.path, "approved", count)
    end = time.monotonic() + 240
    for _ in range(6):
        lives = born(race, [f"hub {n}" for n in range(3)], count)
        enough = len(race.runs()) + chance.randrange(40)
        while len(race.runs()) < enough and any(life.poll() is None for life in lives):
            assert time.monotonic() < end
            time.sleep(chance.random() / 500)
        for life in lives:
            kills += life.poll() is None
            life.kill()
            life.communicate(timeout=30)
    assert kills > 0
    for n in range(3):
        (life,) = born(race, [f"hub {n}"], count)
        _, complained = life.communicate(timeout=240)
        assert life.returncode == 0, complained
    states = {n: c.state for n, c in left(race.path).items()}
    runs = race.runs()
    assert len(states) == count
    assert len(runs) == len(set(runs))
    # what is done was run; what is lost may have been
    done, lost = ({n for n, state in states.items() if state == end} for end in ("done", "lost"))
    assert done | lost == set(states)
    assert done <= set(runs)
    assert len(lost) <= kills
    starts = [e["facts"]["n"] for e in entries(race.path)]
    assert sorted(starts) == list(range(count))


def born(race: Race, names: Sequence[str], *more: object) -> list[subprocess.Popen[str]]:
    """Runners at work, once each has dealt with what its name's earlier lives left. None begins before all have started."""
    lives = [worker(race.path, "serve", name, *more) for name in names]
    race.workers.extend(lives)
    for said in ('"ready"\n', '"alive"\n'):
        for life in lives:
            assert life.stdout is not None
            assert life.stdout.readline() == said
        for life in lives if said == '"ready"\n' else ():
            assert life.stdin is not None
            life.stdin.write("go\n")
            life.stdin.flush()
    return lives


def test_processes_that_upgrade_one_old_database_together_make_one_of_it(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.adapters.sqlite import opening

    whole = opening.MIGRATIONS
    monkeypatch.setattr(opening, "MIGRATIONS", whole[:1])
    in_store(race.path, seat)
    monkeypatch.setattr(opening, "MIGRATIONS", whole)
    for n in range(8):
        race.start("start", f"hub {n}", 3)
    assert race.race() == [[]] * 8
    assert left(race.path) == {}
