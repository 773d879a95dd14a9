"""Any sequence of requests, decisions, runs, clocks and boots, against a plain model that walks the tables of legal steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model import commands, yolo
from multiagent_bridge.model.commands import Approval, Command
from multiagent_bridge.model.yolo import Enabling, Grant
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing import store_commands, store_yolo
from multiagent_bridge.testing.laws import NOW, seat

_names = count(1)

few = st.integers(0, 2)
lives = st.integers(1, 40)
verifiers = st.sampled_from((b"one", b"two"))
runners = st.sampled_from(("hub", "hub2"))
boots = st.sampled_from(("", "boot-0", "boot-1"))
turns = st.integers(0, 5)
"""Chooses among the legal steps."""

any_commands, any_enablings = st.sampled_from(sorted(commands.STEPS)), st.sampled_from(sorted(yolo.STEPS))
rarely = st.integers(0, 9).map(lambda n: n == 7)


def ways(table: Mapping[str, Sequence[str]], state: str) -> Iterator[tuple[str, ...]]:
    """Every way from `state` to an end, by legal steps."""
    if not table[state]:
        yield ()
    for after in table[state]:
        yield from ((after, *rest) for rest in ways(table, after))


class Guard(RuleBasedStateMachine):
    """Rows are the model's own dictionaries; the store must hold the same after every step and give the same answer."""

    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        super().__init__()
        self.runner, self.store = runner, store
        self.name = f"conv_{next(_names)}"
        self.commands: dict[str, Command] = {}
        self.enablings: dict[str, Enabling] = {}
        self.grants: dict[str, Grant] = {}
        self.now, self.boot, self.up = NOW, "boot-0", 100
        self.used: set[str] = set()

    def write(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        return self.runner.run(self.store.write(work))

    def read(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        return self.runner.run(self.store.read(work))

    def seat(self) -> None:
        self.runner.run(seat(self.store, self.name, ["a"]))

    @initialize()
    def seated(self) -> None:
        self.seat()

    def teardown(self) -> None:
        """Whatever happened before, every legal step is possible still; then it all goes with its conversation."""
        self.boot = "boot-0"
        for number, way in enumerate(ways(commands.STEPS, "pending"), 10):
            self._asks(number, 5, b"one", granted=False)
            for to in way:
                found = self.commands[self._command(number)]
                if to == "running":
                    self._starts(number, 5, "hub")
                else:
                    self._decides(found, found.state, to, 5, b"one")
                assert self.commands[found.id].state == to
        begins = [(begin, way) for begin in ("offered", "asked", "offered") for way in ways(yolo.STEPS, begin)]
        for number, (begin, way) in enumerate(begins, 10):
            self._wishes(number, begin)
            for to in way:
                one = self.enablings[self._enabling(number)]
                if to == "enabled" and self._enabled():
                    # refused while another is
                    self._answers(one, one.state, to, True)
                    [other] = self._enabled()
                    self._answers(other, "enabled", "disabled", False)
                self._answers(one, one.state, to, True)
                assert self.enablings[one.id].state == to
                if to == "enabled" and number == 10:
                    break  # left enabled, for the next one to meet
        self.the_store_holds_what_the_model_holds()
        self.write(lambda tx: tx.conversations.remove(self.name))
        assert self.read(lambda tx: tx.commands.list(None, 9)) == []

    # time

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now, self.up = self.now + seconds, self.up + seconds

    @rule(seconds=st.integers(-9, 9))
    def the_wall_clock_is_set(self, seconds: int) -> None:
        self.now += seconds

    @rule(boot=boots, now=rarely)
    def the_machine_starts_again(self, boot: str, now: bool) -> None:
        if now:
            self.boot, self.up = boot, 100

    # commands

    @rule(number=few, turn=turns, life=lives, verifier=verifiers, runner=runners)
    def a_command_goes_on(self, number: int, turn: int, life: int, verifier: bytes, runner: str) -> None:
        """One legal step, whichever is next."""
        found = self.commands.get(self._command(number))
        if found is None:
            return self._asks(number, life, verifier, granted=turn == 0)
        after = commands.STEPS[found.state]
        if not after:
            return None
        # mostly the first, which leads on
        to = after[turn % len(after)] if turn < 3 else after[0]
        if to == "running":
            return self._starts(number, life, runner)
        return self._decides(found, found.state, to, life, verifier)

    @rule(number=few, was=any_commands, to=any_commands, life=lives, verifier=verifiers)
    def a_command_is_pushed(self, number: int, was: str, to: str, life: int, verifier: bytes) -> None:
        """From any state to any other, whatever it is in."""
        found = self.commands.get(self._command(number))
        if found is not None:
            self._decides(found, was, to, life, verifier)

    @rule(number=few, runner=runners)
    def a_command_is_started_out_of_turn(self, number: int, runner: str) -> None:
        self._starts(number, 1, runner)

    def _command(self, number: int) -> str:
        return f"{self.name}/cmd_{number}"

    def _asks(self, number: int, life: int, verifier: bytes, *, granted: bool) -> None:
        c = store_commands.command(number, self.name, self.now)
        c = replace(c, id=self._command(number), expires_at=self.now + life)
        if granted:
            c = replace(c, state="approved", approval=self._approval(life, verifier, "grant"))
        self.write(lambda tx: tx.commands.add(c))
        self.commands[c.id] = c
        with pytest.raises(Conflict):
            self.write(lambda tx: tx.commands.add(c))

    def _decides(self, found: Command, was: str, to: str, life: int, verifier: bytes) -> None:
        after = replace(found, state=to, decided_at=self.now, reason=b"why")
        if to == "approved":
            after = replace(after, approval=self._approval(life, verifier))
        if to == "running" or to not in commands.STEPS[was]:
            with pytest.raises(RuntimeError):
                self.write(lambda tx: tx.commands.change(after, was))
            return
        won = self.write(lambda tx: tx.commands.change(after, was))
        assert won == (found.state == was)
        if won:
            self.commands[found.id] = after

    def _starts(self, number: int, life: int, runner: str) -> None:
        """All that is wrong is tried, then what is right, then that again."""
        identity, found = self._command(number), self.commands.get(self._command(number))
        a = found.approval if found and found.approval else Approval(b"none", "boot-0", 10**6, NOW, 2 * NOW, "")
        digest = found.digest if found else "none"
        right = (digest, a.verifier, self.boot, self.up, self.now)
        tries = [("another", *right[1:]), (digest, b"another", *right[2:])]
        tries += [(digest, a.verifier, *seen) for seen in self._mistaken(a.boottime_end, a.granted_at, a.until)]
        tries += [right, right]

        async def tried(tx: Tx) -> list[bool]:
            return [await tx.commands.start(identity, *one, runner, one[-1] + life) for one in tries]

        won = self.write(tried)
        for (said, verifier, boot, up, now), done in zip(tries, won, strict=True):
            fits = found is not None and found.state == "approved" and (said, verifier) == (digest, a.verifier)
            alive = boot == a.boot != "" and up < a.boottime_end and a.granted_at <= now < a.until
            assert done == (fits and alive), (said, verifier, boot, up, now)
            if done:
                assert found is not None
                assert identity not in self.used
                self.used.add(identity)
                found = replace(found, state="running", runner=runner, deadline=now + life, started_at=now)
                self.commands[identity] = found

    def _mistaken(self, end: int, granted_at: int, until: int) -> list[tuple[str, int, int]]:
        """Boot, boot time and wall clock of those who are wrong about one of them."""
        boots = [(boot, self.up, self.now) for boot in ("", "boot-0", "boot-1", "boot-2") if boot != self.boot]
        late = [(self.boot, end, self.now), (self.boot, end, granted_at), (self.boot, self.up, until)]
        return [*boots, *late, (self.boot, self.up, granted_at - 1)]

    def _approval(self, life: int, verifier: bytes, grant_id: str = "") -> Approval:
        return Approval(verifier, self.boot, self.up + life, self.now, self.now + 2 * life, "person", grant_id)

    # enablings and grants

    @rule(number=few, turn=turns, network=st.booleans())
    def an_enabling_goes_on(self, number: int, turn: int, network: bool) -> None:
        """One legal step, whichever is next."""
        found = self.enablings.get(self._enabling(number))
        if found is None:
            return self._wishes(number, "asked" if turn == 0 else "offered")
        after = yolo.STEPS[found.state]
        return self._answers(found, found.state, after[turn % len(after)], network) if after else None

    @rule(number=few, was=any_enablings, to=any_enablings)
    def an_enabling_is_pushed(self, number: int, was: str, to: str) -> None:
        """From any state to any other, whatever it is in."""
        found = self.enablings.get(self._enabling(number))
        if found is None:
            self._wishes(number, was)
        else:
            self._answers(found, was, to, True)

    def _enabling(self, number: int) -> str:
        return f"{self.name}/yolo_{number}"

    def _wishes(self, number: int, state: str) -> None:
        e = replace(store_yolo.enabling(number, state, self.name, self.now), id=self._enabling(number))
        if any(state in after for after in yolo.STEPS.values()):
            with pytest.raises(RuntimeError):
                self.write(lambda tx: tx.yolo.add(e))
            return
        self.write(lambda tx: tx.yolo.add(e))
        self.enablings[e.id] = e
        with pytest.raises(Conflict):
            self.write(lambda tx: tx.yolo.add(e))

    def _answers(self, found: Enabling, was: str, to: str, network: bool) -> None:
        after = replace(found, state=to, decided_at=self.now, network=network, decided_by="person")
        second = found.state == was and to == "enabled" and self._enabled()
        if to not in yolo.STEPS[was] or second:
            with pytest.raises(Conflict if second and to in yolo.STEPS[was] else RuntimeError):
                self.write(lambda tx: tx.yolo.change(after, was))
            return
        won = self.write(lambda tx: tx.yolo.change(after, was))
        assert won == (found.state == was)
        if won:
            self.enablings[found.id] = after

    def _enabled(self) -> list[Enabling]:
        return [e for e in self.enablings.values() if e.state == "enabled"]

    @rule(number=few, runs=st.integers(0, 3), life=lives)
    def a_grant_is_given_or_spent(self, number: int, runs: int, life: int) -> None:
        identity = f"{self.name}/grant_{number}"
        if identity not in self.grants:
            g = replace(store_yolo.grant(number, self.name, runs), id=identity, boot=self.boot)
            g = replace(g, granted_at=self.now, until=self.now + 2 * life, boottime_end=self.up + life)
            self.write(lambda tx: tx.yolo.add_grant(g))
            self.grants[identity] = g
            with pytest.raises(Conflict):
                self.write(lambda tx: tx.yolo.add_grant(g))
            return
        g = self.grants[identity]
        tries = [*self._mistaken(g.boottime_end, g.granted_at, g.until), (self.boot, self.up, self.now)]

        async def tried(tx: Tx) -> list[bool]:
            return [await tx.yolo.spend(identity, *one) for one in tries]

        for (boot, up, now), done in zip(tries, self.write(tried), strict=True):
            alive = boot == g.boot != "" and up < g.boottime_end and g.granted_at <= now < g.until
            assert done == (alive and g.ended_at is None and g.runs_left > 0), (boot, up, now)
            if done:
                g = self.grants[identity] = replace(g, runs_left=g.runs_left - 1)

    @rule(now=rarely)
    def somebody_ends_the_grants(self, now: bool) -> None:
        if not now:
            return
        live = self._live()
        assert self.write(lambda tx: tx.yolo.end_grants(self.name, self.now)) == len(live)
        self.grants.update({g.id: replace(g, ended_at=self.now) for g in live})

    def _live(self) -> list[Grant]:
        return [g for g in self.grants.values() if g.ended_at is None and g.runs_left > 0]

    @rule(now=rarely)
    def the_conversation_is_removed(self, now: bool) -> None:
        if not now:
            return
        self.write(lambda tx: tx.conversations.remove(self.name))
        for table in (self.commands, self.enablings, self.grants, self.used):
            table.clear()
        self.seat()

    # what must hold after every step

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        newest = [*self.commands.values()][::-1]

        async def looked(tx: Tx) -> None:
            c, y = tx.commands, tx.yolo
            assert list(await c.list(self.name, 99)) == newest
            opened = [one for one in self.commands.values() if one.state in commands.OPEN]
            assert list(await c.open(None, 99)) == list(await c.open(self.name, 99)) == opened
            for boot, up, now in self._edges(opened):
                due = [one for one in opened if overdue(one, boot, up, now)]
                assert list(await c.overdue(now, boot, up, 99)) == due, (boot, up, now)
            ran = [one for one in opened if one.state == "running" and one.runner == "hub"]
            assert list(await c.running("hub")) == ran
            assert list(await y.list(self.name, 99)) == [*self.enablings.values()][::-1]
            assert [await y.current(self.name)] == (self._enabled() or [None])
            assert list(await y.grants(self.name)) == self._live()[::-1]

        self.read(looked)

    def _edges(self, opened: Sequence[Command]) -> Iterator[tuple[str, int, int]]:
        """Now, and the instants at which the open ones end or do not quite."""
        yield self.boot, self.up, self.now
        yield "", self.up, self.now
        for one in opened:
            a, before = one.approval, {"running": one.deadline, "pending": one.expires_at}.get(one.state, 0)
            if one.state == "approved" and a is not None:
                yield from ((a.boot, a.boottime_end + n, a.granted_at) for n in (-1, 0))
                yield from ((a.boot, a.boottime_end - 1, a.until + n) for n in (-1, 0))
                yield from (("boot-9", a.boottime_end, a.until + n) for n in (-1, 0))
                yield from (("boot-9", 0, 2 * a.granted_at - a.until + n) for n in (-1, 0))
            else:
                yield from ((self.boot, self.up, before + n) for n in (-1, 0))


def overdue(c: Command, boot: str, up: int, now: int) -> bool:
    if c.state == "running":
        return now >= c.deadline
    if c.state == "pending":
        return now >= c.expires_at
    a = c.approval
    assert a is not None
    if not a.boot or (boot == a.boot and up >= a.boottime_end):
        return True
    return now >= a.until or a.granted_at - now > a.until - a.granted_at


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[asyncio.Runner, Store]]:
    with asyncio.Runner() as runner:
        store: Store
        if request.param == "memory":
            store = MemoryStore()
        else:
            store = SqliteStore(tmp_path / "bridge.db")
            runner.run(store.open())
        yield runner, store
        runner.run(store.close())


def test_any_sequence_of_the_guard_agrees_with_the_model(stage: tuple[asyncio.Runner, Store]) -> None:
    run_state_machine_as_test(
        lambda: Guard(*stage), settings=settings(deadline=None, max_examples=60, stateful_step_count=40)
    )
