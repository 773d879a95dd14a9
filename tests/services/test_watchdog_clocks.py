"""Clocks that are set, machines that sleep and start, stores that are locked: nobody is blamed for them."""

from __future__ import annotations

from typing import Any

import pytest

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import memory_hub

from .teams import CHECK, PLENTY, THRESHOLD, beside, gathered, told

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

    async def write(self, work: Any) -> Any:
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
