"""Clocks that are set, machines that sleep and start, stores that are locked: nobody is blamed for them."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.cli.watchdog import inside
from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.guard.liveness import Rules
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.tasks import HELD
from multiagent_bridge.ports import Store
from multiagent_bridge.services import watchdog
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .teams import CHECK, PLENTY, THRESHOLD, Team, beside, gathered, told

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seconds", [3600, 300, 45, -45, -300, -3600, -86_400])
async def test_a_clock_that_is_set_makes_nobody_look_silent_and_hides_nobody_for_long(
    anyio_backend: str, seconds: int
) -> None:
    for restarted in (False, True):
        team = await gathered("backend", "tests")
        await team.watch(180, "a", "b", "c")
        team.clock.jump(seconds)
        hub = beside(team.world) if restarted else team.world
        assert await team.check(hub) == []
        # b is never heard from again; of the others nobody is ever suspected
        found: list[tuple[int, str, str]] = []
        for minute in range(1, 31):
            found += [(minute, *one) for one in told(await team.watch(CHECK, "a", "c", hub=hub))]
        assert [one[1:] for one in found][:2] == [("silent", "b"), ("escalated", "b")]
        assert found[0][0] * CHECK <= 2 * THRESHOLD + CHECK
        assert {session for _, _, session in found} == {"b"}
        assert len(found) == 2


async def test_a_clock_that_is_set_leaves_silences_and_their_durations_as_they_are(anyio_backend: str) -> None:
    for seconds in (3600, -3600):
        team = await gathered("backend", "tests")
        other = beside(team.world)
        await team.watch(300, "a", "c")
        assert await team.check(other) == []
        team.clock.jump(seconds)
        # each of them lives through the step, and a third one finds it done
        for hub in (team.world, other, beside(team.world)):
            assert await team.check(hub) == []
        team.clock.advance(60)
        await team.beat("b", "a", "c")
        [alert] = await team.check()
        assert (alert.kind, alert.fields()["silent_seconds"]) == ("recovered", 360)


async def test_a_waiting_session_is_not_suspected_for_mail_from_before_a_clock_was_set(anyio_backend: str) -> None:
    for seconds in (3600, -3600):
        team = await gathered("backend", "tests")
        await team.status("b", "waiting")
        await team.watch(1200, "a", "c")
        await team.send("a", "hello", to="b")
        team.clock.jump(seconds)
        assert await team.watch(240, "a", "c") == []
        assert told(await team.watch(360, "a", "c")) == [("silent", "b")]


async def test_after_another_boot_everybody_has_a_threshold_to_come_back(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.watch(180, "a", "b", "c")
    team.clock.advance(1800)
    team.clock.reboot()
    hub = beside(team.world)
    assert await team.check(hub) == []
    assert await team.watch(240, "a", "c", hub=hub) == []
    assert told(await team.watch(60, "a", "c", hub=hub)) == [("silent", "b")]
    assert [facts["why"] for _, facts in await team.entries("watchdog.grace")] == ["started"]


async def test_while_there_was_no_hub_nobody_could_be_heard_and_nobody_loses_a_task_for_it(anyio_backend: str) -> None:
    said: list[str] = []
    team = await gathered("backend", "tests")
    task = await team.assign("b")
    await team.update("b", task, "accept")
    await team.watch(180, "a", "b", "c")
    team.clock.advance(1800)
    hub = beside(team.world)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inside, hub.hub, OWNER, None, said.append)
            while not await team.entries("watchdog.grace"):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert said == []
    await team.update("b", task, "complete", fence=2)
    team.rules = Rules(inside=True)
    assert await team.watch(240, "a", "c", hub=hub) == []
    assert told(await team.watch(120, "a", "c", hub=hub)) == [("silent", "b")]


async def test_a_hub_that_was_away_for_less_than_a_threshold_takes_up_where_it_stood(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", rules=Rules(inside=True))
    await team.watch(120, "a", "c")
    team.clock.advance(120)
    assert told(await team.watch(60, "a", "c", hub=beside(team.world))) == [("silent", "b")]


class Asleep(FakeClock):
    """A machine that sleeps: the wall clock and the time since the boot go on, the monotonic one does not."""

    slept = 0

    def sleep(self, seconds: int) -> None:
        self.slept += seconds * 1_000_000
        self.jump(seconds)

    def boottime(self) -> int:
        return super().boottime() + self.slept


async def test_the_sleep_of_a_machine_is_nobody_s_silence(anyio_backend: str) -> None:
    clock = Asleep()
    team = await gathered("backend", "tests", world=memory_hub(PLENTY, clock=clock))
    other = beside(team.world, clock)
    await team.watch(180, "a", "b", "c")
    await team.check(other)
    clock.sleep(8 * 3600)
    assert [*await team.check(), *await team.check(other)] == []
    found = []
    for _ in range(6):
        found += told(await team.watch(CHECK, "a", "c"))
        found += told(await team.check(other))
    assert found == [("silent", "b")]


async def test_a_heartbeat_from_the_future_counts_from_when_it_was_first_seen(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.check()
    ahead = team.clock.now() + 3600 * 1_000_000
    await team.world.store.write(lambda tx: tx.sessions.heartbeat(team.id, "b", ahead))
    assert await team.watch(300, "a", "c") == []
    # a machine whose clock runs ahead and that goes on beating is never suspected
    for step in range(1, 20):
        at = ahead + step * 1_000_000
        await team.world.store.write(lambda tx, t=at: tx.sessions.heartbeat(team.id, "b", t))
        assert await team.watch(60, "a", "c") == []
    assert told(await team.watch(300, "a", "c")) == [("silent", "b")]


class Boots(FakeClock):
    """A system that does not tell its boot."""

    def boot(self) -> str:
        return ""


async def test_where_no_boot_is_known_a_watchdog_that_starts_goes_by_the_wall_clock(anyio_backend: str) -> None:
    clock = Boots()
    team = await gathered("backend", "tests", world=memory_hub(PLENTY, clock=clock))
    await team.watch(240, "a", "c")
    assert told(await team.watch(60, "a", "c", hub=beside(team.world, clock))) == [("silent", "b")]
    clock.jump(-3600)
    assert await team.watch(240, "a", "c", hub=beside(team.world, clock)) == []


class Locked(MemoryStore):
    """A store that cannot be written to while it is locked."""

    locked = False

    async def write(self, work: Any, *, brief: bool = False) -> Any:
        if self.locked:
            raise Unavailable("somebody holds the lock", "try again")
        return await super().write(work)


async def test_a_store_that_could_not_be_used_is_nobody_s_silence(anyio_backend: str) -> None:
    store = Locked()
    held: Store = store
    team = await gathered("backend", "tests", world=memory_hub(PLENTY, store=held))
    await team.watch(180, "a", "b", "c")
    store.locked = True
    for _ in range(10):
        team.clock.advance(CHECK)
        with pytest.raises(Unavailable):
            await team.check()
    store.locked = False
    assert await team.check() == []
    await team.beat("a", "b", "c")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(120, "a", "c")) == [("silent", "b")]


class Failing(Locked):
    """A store that is locked after its next write."""

    last = False

    async def write(self, work: Any, *, brief: bool = False) -> Any:
        done = await super().write(work)
        self.locked = self.last
        return done


async def test_what_was_found_before_the_store_failed_within_a_check_is_said_all_the_same(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "MOST", 2)
    store = Failing()
    held: Store = store
    team = await gathered("backend", "tests", "docs", world=memory_hub(PLENTY, store=held))
    await team.watch(240, "a")
    team.clock.advance(CHECK)
    await team.beat("a")
    store.last = True
    assert told(await team.check()) == [("silent", "b"), ("silent", "c")]
    with pytest.raises(Unavailable):
        await team.check()
    store.locked = store.last = False
    assert told(await team.watch(600, "a")) == [("silent", "d")], "what was said is not said again"


async def test_an_hour_in_which_nobody_dies_raises_no_alert_and_moves_no_task(anyio_backend: str) -> None:
    """Busy and waiting workers, tasks that wait for others, sessions that come late, clocks that are set, two watchdogs."""
    chance, world = random.Random(11), memory_hub(PLENTY)
    teams, late = [await _hired(chance, world) for _ in range(4)], {}
    for team in teams:
        late[team.id] = {"d": chance.randrange(20, 280), "e": chance.randrange(20, 280)}
    other, acted = beside(world), 0
    for second in range(0, 3600, 10):
        world.clock.advance(10)
        if second in (900, 1810, 2750):
            world.clock.jump(chance.choice((3600, -3600, 45, -45)))
        for team in teams:
            for session in [one for one, at in late[team.id].items() if at <= second and one not in team.workers]:
                code = await world.hub.conversations.invite(OWNER, team.id, session)
                team.workers[session] = agent(f"{team.id} {session}")
                await world.hub.conversations.join(team.workers[session], NO_CREDENTIALS, code)
            for session in team.workers:
                if chance.random() < 0.2 or second % 240 == 0:
                    await _worked(team, session, chance)
                    acted += 1
        if second % CHECK == 0:
            assert await teams[0].check() == []
            assert await teams[0].check(other) == []
    assert acted > 1000
    entries = await world.hub.journal.entries(0, 1_000_000)
    taken = {entry.action for entry in entries}
    assert {"task.complete", "watchdog.grace", "conversation.join"} <= taken
    assert not {"silence.warn", "silence.reassign", "task.reassign"} & taken


async def _hired(chance: random.Random, world: Any) -> Team:
    """A team whose workers d and e have yet to come, and already have a task each."""
    boss = agent(f"boss {chance.random()}")
    made = await world.hub.conversations.create(boss, "orchestrator", "backend", ["tests", "docs", "review"])
    team = Team(world, made.conversation.id, {"a": boss})
    for session in "bc":
        team.workers[session] = agent(f"{team.id} {session}")
        await world.hub.conversations.join(team.workers[session], NO_CREDENTIALS, made.invites["abcde".index(session)])
    for session in "de":
        await team.assign(session)
    return team


async def _worked(team: Team, session: str, chance: random.Random) -> None:
    """One thing that a living agent does: look, say how it stands, hand out work, or go on with its own."""
    dice = chance.random()
    await team.mail(session)
    if session == "a":
        made = await team.world.store.read(lambda tx: tx.tasks.list(team.id, 5))
        if dice < 0.4 and len(made) < 5:
            needed = [chance.choice(made).id] if made and dice < 0.2 else []
            await team.assign(chance.choice("bcde"), depends_on=needed)
        return
    held = await team.world.store.read(lambda tx: tx.tasks.held(team.id, session))
    for task in held:
        try:
            await team.update(session, task.id, "complete" if task.state in HELD else "accept")
        except Conflict:
            # it waits for another
            continue
    await team.status(session, "working" if held or dice < 0.5 else "waiting")
