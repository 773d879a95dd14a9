"""The page *Health* over the wire: findings, versions, the store, backups, and the last hour of the gauges as pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.metrics import Metrics
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.vitals import MachineVitals, made_at, sqlite_engine
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.health import Copies, Counts, Engine, Sample, quantile
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.silences import Silence, Watch
from multiagent_bridge.services import health as service
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from multiagent_bridge.web import health
from tests.faces.browsing import site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio


class Told:
    """Vitals as a test says."""

    def __init__(self) -> None:
        self.store = Engine("SQLite", "3.50.4", 4_096_000, 1_024)
        self.backups = Copies(86_400, 3, None)
        self.broken = False

    def versions(self) -> Mapping[str, str]:
        return {"Multiagent Bridge": "9.9.9", "Python": "3.11.7"}

    async def engine(self) -> Engine:
        if self.broken:
            raise Unavailable("the database file cannot be looked at", "mab doctor")
        return self.store

    async def copies(self) -> Copies:
        return self.backups


def told(world: TestHub, monkeypatch: pytest.MonkeyPatch) -> Told:
    vitals = Told()
    monkeypatch.setattr(world.hub.health, "_vitals", vitals)
    return vitals


async def findings(world: TestHub, caller: Caller = OWNER) -> dict[str, str]:
    return {one.name: one.verdict for one in (await world.hub.health.look(caller)).findings}


async def test_versions_store_and_backups_stand_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    vitals = told(world, monkeypatch)
    vitals.backups = Copies(86_400, 3, world.clock.now() - 3_600 * SECOND)
    async with site(world) as place, place.browser() as browser:
        page = text((await browser.get("/health")).text)
        for wanted in (
            "9.9.9",
            "3.11.7",
            "3.50.4",
            "4,096,000 bytes, log 1,024 bytes",
            "3 kept, the newest",
            "in 23 h",
        ):
            assert wanted in page, wanted
        part = await browser.get("/health/now", headers={"hx-request": "true"})
        assert "4,096,000 bytes" in part.text
        assert "<html" not in part.text


@pytest.mark.parametrize(
    ("copies", "verdict"),
    [
        (Copies(), "warn"),
        (Copies(3_600), "fail"),
        (Copies(3_600, 1, 7_100), "ok"),
        (Copies(3_600, 1, 7_300), "fail"),
        (Copies(3_600, 1, -600), "ok"),
    ],
)
async def test_backups_are_judged_by_the_age_of_the_newest(
    monkeypatch: pytest.MonkeyPatch, copies: Copies, verdict: str
) -> None:
    world = memory_hub(UNLIMITED)
    age = copies.newest_at
    told(world, monkeypatch).backups = Copies(
        copies.every_seconds, copies.number, None if age is None else world.clock.now() - age * SECOND
    )
    assert (await findings(world))["backups"] == verdict


async def test_what_cannot_be_looked_at_is_a_finding_and_the_rest_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    told(world, monkeypatch).broken = True
    found = await findings(world)
    assert found["machine"] == "fail"
    assert {"journal", "watchdog", "approvals"} <= found.keys()


async def test_a_long_log_and_an_unsigned_journal_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    told(world, monkeypatch).store = Engine("SQLite", "3.50.4", 1, service.LOG_BYTES + 1)
    assert await findings(world) | {"store": "warn", "journal": "ok"} == await findings(world)
    monkeypatch.setattr(service, "LOG_BYTES", 1 << 40)

    async def cut(tx: Any) -> None:
        tx.journal._tables.changing().checkpoints.clear()

    for _ in range(200):
        await world.hub.journal.note(OWNER, "test.note")
    assert (await findings(world))["journal"] == "ok"
    await world.store.write(cut)
    assert await findings(world) | {"store": "ok", "journal": "warn"} == await findings(world)


async def test_silent_sessions_are_listed_and_the_watchdog_is_judged() -> None:
    world = memory_hub(UNLIMITED)
    assert (await findings(world))["watchdog"] == "warn"
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend")
    conversation = made.conversation.id
    now = world.clock.now()

    async def silent(tx: Any) -> None:
        await tx.silences.watched(Watch(now, "boot", 1), None)

    await world.store.write(silent)
    assert (await findings(world))["watchdog"] == "ok"
    await world.store.write(lambda tx: tx.silences.add(Silence(conversation, "a", "warned", now, now, now)))
    assert (await findings(world))["watchdog"] == "warn"
    async with site(world) as place, place.browser() as browser:
        page = (await browser.get("/health")).text
        assert f'id="silent-{conversation}-a"' in page
        assert "backend" not in page
    world.clock.advance(service.WATCH_SECONDS + 1)
    assert (await findings(world))["watchdog"] == "warn"


def metrics() -> Metrics:
    return Metrics(["send_to_partner", "check_messages"], "9.9.9")


async def test_samples_tell_what_came_since_the_one_before() -> None:
    world, counted = memory_hub(UNLIMITED), metrics()
    hub = world.hub
    await hub.health.sample()
    assert (await hub.health.look(OWNER)).samples == ()
    hub.health.count(counted.counts)
    for seconds, outcome in ((0.002, "done"), (0.004, "done"), (0.3, "too_fast")):
        counted.begun("send_to_partner", waits=False)
        counted.done("send_to_partner", waits=False, outcome=outcome, seconds=seconds)
    counted.begun("check_messages", waits=True)
    await hub.health.sample()
    # what waited says nothing of how long calls take
    counted.done("check_messages", waits=True, outcome="done", seconds=50.0)
    await hub.health.sample()
    one, two = (await hub.health.look(OWNER)).samples
    assert (one.calls, one.refused, one.p95, one.waiting) == (3, 1, 0.5, 1)
    assert (two.calls, two.refused, two.p95, two.waiting) == (1, 0, None, 0)


async def test_no_more_than_an_hour_of_samples_is_kept() -> None:
    world, counted = memory_hub(UNLIMITED), metrics()
    world.hub.health.count(counted.counts)
    for _ in range(service.SAMPLES + 20):
        world.clock.advance(service.SAMPLE_SECONDS)
        await world.hub.health.sample()
    samples = (await world.hub.health.look(OWNER)).samples
    assert len(samples) == service.SAMPLES
    assert samples[-1].at - samples[0].at < 3_600 * SECOND


async def test_each_gauge_is_a_picture_with_words_and_a_table_has_the_same() -> None:
    world, counted = memory_hub(UNLIMITED), metrics()
    world.hub.health.count(counted.counts)
    for number in range(3):
        for _ in range(number + 1):
            counted.begun("send_to_partner", waits=False)
            counted.done("send_to_partner", waits=False, outcome="done", seconds=0.004)
        world.clock.advance(15)
        await world.hub.health.sample()
    async with site(world) as place, place.browser() as browser:
        page = (await browser.get("/health")).text
        labels = re.findall(r'role="img" aria-label="([^"]+)"', page)
        assert labels[0] == "Calls in 15 s, in the last hour: now 3, at most 3"
        assert "Time of 95 in 100 calls, in the last hour: now 5 ms, at most 5 ms" in labels
        assert len(labels) == 6
        assert page.count("<polyline") == 6
        table = text(page.partition('id="hour"')[2].partition("</table>")[0])
        assert re.search(r"ago 6 0 5 ms 0 0 0", table) or re.search(r"just now 6 0 5 ms 0 0 0", table), table
        assert "send_to_partner 6 none" in text(page)


async def test_a_hub_that_counts_nothing_says_so() -> None:
    async with site() as place, place.browser() as browser:
        assert "Nothing was counted yet" in (await browser.get("/health")).text


def sample(at: int, **more: Any) -> Sample:
    return Sample(
        **({"at": at, "calls": 0, "refused": 0, "p95": None, "transactions": 0, "waiting": 0, "approvals": 0} | more)
    )


def test_pictures_stay_within_their_frame_whatever_is_drawn() -> None:
    now = 3_600 * SECOND * 2
    samples = [sample(now - n * 15 * SECOND, calls=n * 10**9, p95=60.0 if n % 2 else None) for n in range(239, -1, -1)]
    for picture in health.pictures([sample(now + SECOND, calls=1), *samples], now):
        for point in picture.points.split():
            x, y = map(int, point.split(","))
            assert 0 <= x <= health.WIDTH
            assert 0 <= y <= health.HEIGHT
    assert health.pictures([sample(now - health.SPAN)], now) == ()
    assert health.rows([], now) == []
    assert len(health.rows(samples, now)) == health.STEPS


@pytest.mark.parametrize(
    ("counts", "share", "wanted"),
    [
        ((0, 0, 0), 0.95, None),
        ((1, 0, 0), 0.95, 1.0),
        ((94, 6, 0), 0.95, 2.0),
        ((0, 0, 1), 0.5, 2.0),
        ((95, 5, 0), 0.95, 1.0),
    ],
)
def test_a_quantile_is_the_bound_under_which_the_share_lies(
    counts: Sequence[int], share: float, wanted: float | None
) -> None:
    assert quantile(counts, (1.0, 2.0), share) == wanted


def test_counts_leave_out_what_never_was() -> None:
    counted = metrics()
    counted.begun("what an agent called it", waits=False)
    counted.done("what an agent called it", waits=False, outcome="not_allowed", seconds=0.1)
    found = counted.counts()
    assert found.calls == {("unknown", "not_allowed"): 1}
    assert (found.total(), found.refused()) == (1, 1)
    assert Counts({("x", "cancelled"): 2}, 0, (), ()).refused() == 0


async def test_vitals_of_a_real_store_are_its_size_and_the_time_in_a_backups_name(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bridge.db")
    await store.open()
    calls = 0

    async def listed() -> Sequence[str]:
        nonlocal calls
        calls += 1
        return [f"{os.sep}somewhere{os.sep}bridge-20260102T030405Z.age"]

    try:
        await store.write(lambda tx: tx.journal.head())
        vitals = MachineVitals("9.9.9", lambda: sqlite_engine(tmp_path / "bridge.db"), listed, 60)
        engine = await vitals.engine()
        assert engine.name == "SQLite"
        assert engine.size == (tmp_path / "bridge.db").stat().st_size
        assert await vitals.copies() == Copies(60, 1, 1_767_323_045 * SECOND)
        # one look answers whoever asks next
        await vitals.copies()
        assert calls == 1
        assert list(vitals.versions()) == ["Multiagent Bridge", "Python", "MCP SDK"]
    finally:
        await store.close()
    with pytest.raises(Unavailable) as error:
        await sqlite_engine(tmp_path / "gone.db")
    assert str(tmp_path) not in error.value.sentence + error.value.hint


@pytest.mark.parametrize("name", ["bridge.age", "bridge-20261302T030405Z.age", "", "bridge-20260102T0304Z.age"])
def test_a_name_that_is_none_of_ours_has_no_time(name: str) -> None:
    assert made_at(name) is None


@pytest.mark.parametrize("role", ["operator", "auditor"])
async def test_health_is_for_operators_and_auditors(role: str) -> None:
    asks = Caller(f"test:{role}", role, "ip:192.0.2.7", roles=frozenset({role}))
    async with site() as place, place.browser(asks) as browser:
        assert (await browser.get("/health")).status_code == 200


async def test_nothing_that_an_agent_chose_is_on_the_page() -> None:
    world = memory_hub(UNLIMITED)
    alice = agent("alice")
    await world.hub.conversations.create(alice, "role of mine", "role of yours")
    await world.hub.messages.send(alice, NO_CREDENTIALS, "words of mine")
    async with site(world) as place, place.browser() as browser:
        page = (await browser.get("/health")).text
        for words in ("role of mine", "words of mine", "alice"):
            assert words not in page, words
