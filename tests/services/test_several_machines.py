"""Hubs of several machines on one store: each with a boot, a time since it and a wall clock of its own."""

from __future__ import annotations

import random

import pytest

from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services.approvals import Scope
from multiagent_bridge.services.hub import Ground
from multiagent_bridge.testing.clock import START, FakeClock
from multiagent_bridge.testing.hubs import OWNER, Default, TestHub, memory_hub

from .guarded import Guarded, guarded
from .teams import CHECK, PLENTY, THRESHOLD, Team, beside, gathered, told

pytestmark = pytest.mark.anyio

SKEWS = (0, 5, -5, 30, -30)
"""Seconds by which the other machine's wall clock is ahead."""


class Machine(FakeClock):
    """Another machine: it has been up for `up` seconds when the first one's clock begins."""

    def __init__(self, name: str = "other", ahead: float = 0, up: float = 86_400) -> None:
        super().__init__(START + int(ahead * SECOND))
        self._name = name
        self._up = int(up * SECOND)

    def boot(self) -> str:
        return f"{self._name}-{super().boot()}"

    def boottime(self) -> int:
        return super().boottime() + self._up

    def reboot(self) -> None:
        super().reboot()
        self._up = 0


class Nameless(Machine):
    """A machine that does not tell its boot."""

    def boot(self) -> str:
        return ""


def elsewhere(guard: Guarded, clock: FakeClock) -> Guarded:
    """The same store and the same agents at a hub of another machine, on which everything stands as on the first."""
    ground = Ground(
        Default(), lambda line: (), (guard.sandbox,), guard.workspaces, guard.snapshots, TaskBackground()
    )  # fmt: skip
    world = memory_hub(None, guard.world.store, None, clock, ground)
    return Guarded(
        world, guard.sandbox, guard.workspaces, guard.snapshots, guard.alice, guard.bob, guard.conversation
    )  # fmt: skip


@pytest.fixture
async def guard(anyio_backend: str) -> Guarded:
    made = await guarded()
    await made.enable()
    return made


@pytest.mark.parametrize("skew", SKEWS)
async def test_a_hub_of_another_machine_leaves_requests_and_approvals_as_they_are(guard: Guarded, skew: int) -> None:
    for clock in (Machine(ahead=skew), Machine(ahead=skew, up=10**9), Nameless(ahead=skew)):
        other = elsewhere(guard, clock)
        clock.advance((guard.clock.now() - START) / SECOND)
        waits, number = await guard.ask("git log"), await guard.ask(f"git log -n {len(guard.sandbox.runs) + 1}")
        await guard.approve(number)
        for passed in (0, 100):
            guard.clock.advance(passed)
            clock.advance(passed)
            assert await other.hub.lapses.sweep(OWNER) == 0
            seen = {one.command.id: one.command.state for one in await other.hub.approvals.waiting(OWNER, every=True)}
            assert (seen[waits], seen[number]) == ("pending", "approved")
            assert (await other.execute(command_id=number)).state == "approved"
        assert (await guard.run(number)).state == "done"
    assert len(guard.sandbox.runs) == 3
    assert "command.expire" not in await guard.actions()


@pytest.mark.parametrize("skew", SKEWS)
async def test_what_was_approved_on_another_machine_never_runs_here_and_who_tries_ends_it(
    guard: Guarded, skew: int
) -> None:
    for clock in (Machine(ahead=skew), Machine(ahead=skew, up=0), Nameless(ahead=skew)):
        clock.advance((guard.clock.now() - START) / SECOND)
        other = elsewhere(guard, clock)
        number = await guard.ask()
        [approved] = await guard.approve(number)
        told_there = await other.run(number, approval_token=approved.approval_token)
        assert told_there.state == "expired"
        assert "another machine" in told_there.reason
        assert (await guard.run(number)).state == "expired"
    assert guard.sandbox.runs == []


@pytest.mark.parametrize("skew", SKEWS)
async def test_an_approval_whose_machine_is_gone_is_ended_by_another_after_five_minutes(
    guard: Guarded, skew: int
) -> None:
    clock = Machine(ahead=skew)
    other, number = elsewhere(guard, clock), await guard.ask()
    await guard.approve(number)
    clock.advance(299 - skew)
    assert await other.hub.lapses.sweep(OWNER) == 0
    clock.advance(1)
    assert await other.hub.lapses.sweep(OWNER) == 1
    assert (await other.execute(command_id=number)).state == "expired"


async def test_after_a_restart_of_its_machine_an_approval_never_runs_and_ends_by_itself(guard: Guarded) -> None:
    for back in (0, -5, -200, -3600, -86_400):
        number = await guard.ask()
        [approved] = await guard.approve(number)
        guard.clock.reboot()
        guard.clock.jump(back)
        again = elsewhere(guard, guard.clock)
        ended = 0
        for _ in range(10):
            digest = (await again.execute(command_id=number)).digest
            assert not await again.world.store.write(
                lambda tx, n=number, d=digest: tx.commands.start(  # type: ignore[misc]
                    n, d or "", b"", guard.clock.boot(), guard.clock.boottime(), guard.clock.now(), "hub", 0
                )
            )
            ended += await again.hub.lapses.sweep(OWNER)
            guard.clock.advance(60)
        assert (await again.run(number, approval_token=approved.approval_token)).state == "expired"
        guard.clock.jump(-back)
    assert guard.sandbox.runs == []


async def test_a_restarted_machine_s_sweep_ends_what_was_approved_before_within_five_minutes(guard: Guarded) -> None:
    number = await guard.ask()
    await guard.approve(number)
    guard.clock.advance(60)
    guard.clock.reboot()
    again = elsewhere(guard, guard.clock)
    guard.clock.advance(239)
    assert await again.hub.lapses.sweep(OWNER) == 0
    guard.clock.advance(1)
    assert await again.hub.lapses.sweep(OWNER) == 1
    assert guard.sandbox.runs == []


async def test_after_a_restart_the_same_may_be_asked_for_again_at_once(guard: Guarded) -> None:
    number = await guard.ask()
    await guard.approve(number)
    guard.clock.reboot()
    assert (await guard.run(number)).state == "expired"
    again = await guard.ask()
    assert again != number
    await guard.approve(again)
    assert (await guard.run(again)).state == "done"


async def test_a_grant_of_another_machine_is_neither_used_nor_ended(anyio_backend: str) -> None:
    guard = await guarded(PLENTY)
    await guard.enable()
    number = await guard.ask("git log -n 5")
    await guard.approve(number, scope=Scope(words=2, minutes=30, runs=2))
    assert (await guard.run(number)).state == "done"
    for clock in (Machine(), Machine(ahead=5), Nameless()):
        other = elsewhere(guard, clock)
        assert (await other.execute("git log -n 9", dry_run=False)).state == "pending"
        await other.hub.lapses.sweep(OWNER)
    assert (await guard.execute("git log -n 3", dry_run=False)).state == "done"
    assert len(guard.sandbox.runs) == 2


class Site:
    """A team of which sessions a and b work on one machine, c and d on another, and a watchdog on each."""

    def __init__(self, team: Team, there: TestHub) -> None:
        self.team = team
        self.there = there
        self.once = False

    def pass_by(self, seconds: float) -> None:
        self.team.clock.advance(seconds)
        self.there.clock.advance(seconds)

    async def beat(self, *sessions: str) -> None:
        for session in sessions:
            hub = self.team.world if session in "ab" else self.there
            await hub.hub.status.heartbeat(self.team.workers[session], NO_CREDENTIALS)

    async def check(self) -> list[tuple[str, str]]:
        """One check of either watchdog, `once` by one that remembers nothing."""
        hubs = (self.team.world, self.there)
        found: list[tuple[str, str]] = []
        for hub in hubs:
            looking = beside(self.team.world, hub.clock) if self.once else hub
            found += told(await self.team.check(looking))
        return found

    async def watch(self, seconds: int, *alive: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for _ in range(seconds // CHECK):
            self.pass_by(CHECK)
            await self.beat(*alive)
            found += await self.check()
        return found

    async def graces(self) -> list[object]:
        return [facts["why"] for _, facts in await self.team.entries("watchdog.grace")]


async def site(clock: FakeClock, once: bool) -> Site:
    team = await gathered("backend", "tests", "docs")
    made = Site(team, memory_hub(PLENTY, store=team.world.store, clock=clock))
    made.once = once
    # the first machine has been up for a while as well
    made.pass_by(3600)
    await made.beat("a", "b", "c", "d")
    return made


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("kind", [Machine, Nameless])
async def test_two_machines_watchdogs_find_a_silence_once_and_in_time(
    anyio_backend: str, kind: type[Machine], skew: int, once: bool
) -> None:
    here = await site(kind(ahead=skew), once)
    assert await here.watch(600, "a", "b", "c", "d") == []
    # of a clock that is behind a silence begins earlier, by as much
    assert await here.watch(THRESHOLD - CHECK - (CHECK if skew else 0), "a", "c") == []
    found = await here.watch(2 * CHECK + (CHECK if skew else 0), "a", "c")
    assert sorted(found) == [("silent", "b"), ("silent", "d")]
    later = await here.watch(3 * THRESHOLD, "a", "c")
    assert sorted(later) == [("escalated", "b"), ("escalated", "d")]
    assert sorted(await here.watch(CHECK, "a", "b", "c", "d")) == [("recovered", "b"), ("recovered", "d")]
    assert await here.graces() == []


@pytest.mark.parametrize("once", [False, True])
async def test_two_machines_watchdogs_suspect_nobody_who_lives(anyio_backend: str, once: bool) -> None:
    chance = random.Random(7)
    for skew in SKEWS:
        here = await site(Machine(ahead=skew), once)
        for _ in range(120):
            here.pass_by(CHECK / 2)
            await here.beat(*(one for one in "abcd" if chance.random() < 0.6))
            here.pass_by(CHECK / 2)
            await here.beat(*(one for one in "abcd" if chance.random() < 0.9))
            assert await here.check() == []
        assert await here.graces() == []


async def test_the_tasks_of_the_silent_move_once_whichever_machine_finds_it(anyio_backend: str) -> None:
    for skew in SKEWS:
        here = await site(Machine(ahead=skew), once=True)
        tasks = [await here.team.assign("b") for _ in range(3)]
        await here.watch(900, "a", "c", "d")
        moved = [(await here.team.task(task)) for task in tasks]
        assert {task.assignee for task in moved} <= {"a", "c", "d"}
        assert len(await here.team.entries("task.reassign")) == 3


@pytest.mark.parametrize("once", [False, True])
async def test_a_machine_that_starts_again_beside_another_suspects_nobody_and_hides_nobody(
    anyio_backend: str, once: bool
) -> None:
    here = await site(Machine(), once)
    await here.watch(600, "a", "b", "c", "d")
    # d is gone for good; the other machine and c come back after two minutes, its watchdog as a new one
    assert await here.watch(120, "a", "b") == []
    here.there.clock.reboot()
    here.there = memory_hub(PLENTY, store=here.team.world.store, clock=here.there.clock)
    assert await here.watch(2 * THRESHOLD, "a", "b", "c") == [("silent", "d"), ("escalated", "d")]
    assert await here.graces() == []


async def test_a_machine_whose_clock_is_set_moves_no_date_of_another_s(anyio_backend: str) -> None:
    here = await site(Machine(ahead=-40), once=False)
    assert await here.watch(300, "a", "b", "c") == [("silent", "d")]
    before = await here.team.world.store.read(lambda tx: tx.silences.list())
    await here.team.check(here.team.world)
    here.there.clock.jump(40)
    assert told(await here.team.check(here.there)) == []
    assert await here.team.world.store.read(lambda tx: tx.silences.list()) == before
    assert await here.graces() == ["clock"]


async def test_one_machine_that_starts_again_is_never_taken_for_two(anyio_backend: str) -> None:
    for down in (1, 20, 100, 140, 160, 1000):
        team = await gathered("backend", "tests")
        team.clock.advance(3600)
        await team.watch(180, "a", "b", "c")
        team.clock.advance(down)
        team.clock.reboot()
        team.clock.advance(5)
        hub = beside(team.world)
        assert await team.check(hub) == []
        assert [facts["why"] for _, facts in await team.entries("watchdog.grace")] == ["started"]
        assert await team.watch(240, "a", "c", hub=hub) == []
        assert told(await team.watch(60, "a", "c", hub=hub)) == [("silent", "b")]


@pytest.mark.parametrize("seed", range(8))
async def test_an_hour_of_two_machines_raises_one_alert_for_the_one_that_is_gone(anyio_backend: str, seed: int) -> None:
    """Watchdogs that start anew, clocks that are set by some seconds, checks at odd moments; d is gone from the beginning."""
    chance = random.Random(seed)
    here = await site(Machine(ahead=chance.choice(SKEWS)), once=False)
    began, found = here.team.clock.now(), []
    skew = here.there.clock.now() - here.team.clock.now()
    for second in range(10, 3601, 10):
        here.pass_by(10)
        await here.beat(*(one for one in "abc" if chance.random() < 0.3 or second % 90 == 0))
        if second in (1210, 2430):
            # back to where it was, by what NTP found
            here.there.clock.jump(-skew / SECOND)
            skew = 0
        for one in (here.team.world, here.there):
            if chance.random() < 1 / 5:
                looking = beside(here.team.world, one.clock) if chance.random() < 0.3 else one
                for alert in await here.team.check(looking):
                    found.append((alert.kind, alert.session_id, (here.team.clock.now() - began) // SECOND))
    assert [one[:2] for one in found] == [("silent", "d"), ("escalated", "d")]
    assert found[0][2] <= 2 * THRESHOLD
