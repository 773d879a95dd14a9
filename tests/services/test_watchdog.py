"""Who is silent, who only waits, who is told, and how often."""

from __future__ import annotations

import random

import pytest

from multiagent_bridge.errors import Refused
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .teams import CHECK, PLENTY, THRESHOLD, Team, beside, gathered, told

pytestmark = pytest.mark.anyio


async def test_a_session_is_reported_once_it_was_silent_for_the_threshold_and_at_most_one_check_later(
    anyio_backend: str,
) -> None:
    team = await gathered("backend", "tests")
    found = []
    for second in range(THRESHOLD + CHECK):
        team.clock.advance(1)
        if second % 20 == 0:
            await team.beat("a", "c")
        if (second + 1) % CHECK == 0:
            found += [(second + 1, *one) for one in told(await team.check())]
    assert found == [(THRESHOLD, "silent", "b")]


async def test_it_warns_once_then_escalates_at_twice_the_threshold_and_reports_who_is_back(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    assert told(await team.watch(900, "a", "c")) == [("silent", "b"), ("escalated", "b")]
    assert told(await team.watch(3600, "a", "c")) == []
    await team.beat("b")
    [alert] = await team.check()
    assert (alert.kind, alert.fields()["silent_seconds"]) == ("recovered", 900 + 3600)
    assert await team.check() == []
    assert told(await team.watch(300, "a", "c")) == [("silent", "b")]
    assert [action for action, _ in await team.entries("silence.")] == [
        "silence.warn", "silence.escalate", "silence.recover", "silence.warn",
    ]  # fmt: skip
    await team.world.hub.journal.verify()


async def test_an_alert_carries_ids_role_and_durations_and_its_place_in_the_journal(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.send("a", "a secret plan", to="b")
    [alert] = await team.watch(300, "a", "c")
    [entry] = [e for e in await team.world.hub.journal.entries(0, 1000) if e.action == "silence.warn"]
    assert alert.fields() == {
        "id": entry.seq,
        "at": "2026-09-21T14:18:20.000000Z",
        "kind": "silent",
        "conversation_id": team.id,
        "session_id": "b",
        "role": "backend",
        "status": "working",
        "silent_seconds": 300,
        "unread": 1,
        "tasks": [],
    }
    assert dict(entry.facts) == {"seconds": 300, "status": "working", "unread": 1, "given": 0, "held": 0}
    assert (entry.conversation, entry.session, entry.actor) == (team.id, "b", "operator uid:1000")


@pytest.mark.parametrize("status", ["waiting", "complete"])
async def test_who_waits_by_choice_is_not_silent_until_something_has_waited_for_the_threshold(
    anyio_backend: str, status: str
) -> None:
    team = await gathered("backend", "tests")
    await team.status("b", status)
    assert await team.watch(2400, "a", "c") == []
    await team.send("a", "wake up", to="b")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(60, "a", "c")) == [("silent", "b")]


async def test_who_waits_by_choice_owes_an_answer_to_a_task_too(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.status("b", "waiting")
    await team.watch(1200, "a", "c")
    await team.assign("b")
    # the notice is read, the task is not taken up
    await team.mail("b")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(60, "a", "c")) == [("silent", "b")]


async def test_a_task_that_waits_for_another_is_no_duty_until_it_is_ready(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    first = await team.assign("c")
    await team.assign("b", depends_on=[first])
    await team.status("b", "waiting")
    await team.mail("b")
    await team.update("c", first, "accept")
    assert await team.watch(1200, "a", "c") == []
    await team.update("c", first, "complete")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(60, "a", "c")) == [("silent", "b")]


@pytest.mark.parametrize("status", ["working", "blocked"])
async def test_who_says_it_works_or_is_stuck_is_silent_even_with_nothing_to_do(anyio_backend: str, status: str) -> None:
    team = await gathered("backend", "tests")
    await team.status("b", status)
    assert told(await team.watch(300, "a", "c")) == [("silent", "b")]


async def test_who_was_never_seen_is_not_silent(anyio_backend: str) -> None:
    world = memory_hub(PLENTY)
    made = await world.hub.conversations.create(agent("x"), "backend", "frontend")
    team = Team(world, made.conversation.id, {"a": agent("x")})
    await team.send("a", "are you there", to="b")
    assert await team.watch(1200, "a") == []


async def test_the_revoked_and_the_expired_are_nobody_s_worry(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", "docs")
    await team.watch(240, "a", "d")
    await team.world.hub.conversations.revoke(OWNER, team.id, "b")
    assert told(await team.watch(60, "a", "d")) == [("silent", "c")]
    await team.world.hub.conversations.revoke(OWNER, team.id, "c")
    assert await team.watch(300, "a", "d") == []
    other = await gathered("backend", world=team.world)
    await team.watch(300, "a", "d")
    team.clock.advance(24 * 3600)
    assert await team.check() == []
    ends = [facts["why"] for action, facts in await other.entries("silence.end")]
    assert ends == ["revoked", "expired", "expired"]
    await team.world.hub.conversations.extend(OWNER, other.id, None)
    assert sorted(told(await team.check())) == [("silent", "a"), ("silent", "b")]


async def test_only_the_owner_may_run_a_check(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    with pytest.raises(Refused):
        await team.world.hub.watchdog.check(team.workers["a"])
    assert [e.outcome for e in await team.world.hub.journal.newest(1)] == ["refused"]


async def test_many_silences_are_found_in_one_check_however_many_transactions_it_takes(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.services import watchdog

    monkeypatch.setattr(watchdog, "MOST", 2)
    team = await gathered("backend", "tests", "docs", "deploy", "review")
    await team.assign("b")
    alerts = await team.watch(300, "a")
    assert told(alerts) == [("silent", one) for one in "bcdef"]
    assert await team.check() == []
    assert told(await team.watch(300, "a")) == [("escalated", one) for one in "bcdef"]
    await team.beat(*"bcdef")
    alerts = await team.check()
    assert [one for one in told(alerts) if one[0] == "recovered"] == [("recovered", one) for one in "bcdef"]
    assert await team.check() == []


async def test_the_orchestrator_and_the_maker_of_the_task_are_told_by_mail(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", "docs")
    task = await team.assign("b", by="d")
    for session in "abcd":
        await team.mail(session)
    await team.watch(300, "a", "c", "d")
    [for_a] = await team.mail("a")
    assert for_a == (
        f"session b (backend) has been silent for 300 s (status working, unread 0); "
        f"task {task} (P2) was given to session c"
    )
    assert await team.mail("d") == [for_a]
    assert [line.startswith(f"task {task} (P2) was given to you") for line in await team.mail("c")] == [True]


async def test_when_the_orchestrator_falls_silent_the_others_are_told(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.watch(300, "b", "c")
    for session in "bc":
        assert [line.startswith("session a (orchestrator) has been silent") for line in await team.mail(session)] == [
            True
        ]


async def test_who_is_back_hears_that_its_tasks_went_to_others(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.assign("b")
    await team.watch(300, "a", "c")
    await team.mail("b")
    await team.check()
    [line] = await team.mail("b")
    assert line == "you were not heard from for 300 s: 1 task of yours went to others; see list_tasks"


async def test_a_notice_of_a_silence_does_not_make_who_waits_silent_at_once(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for session in "ac":
        await team.status(session, "waiting")
    alerts = await team.watch(300, "c")
    assert told(alerts) == [("silent", "b")]
    # a has mail now, and a threshold of its own to look at it
    assert await team.watch(240, "c") == []
    assert told(await team.watch(60, "c")) == [("silent", "a"), ("escalated", "b")]


async def test_rings_reach_who_was_given_a_task(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.assign("b")
    await team.mail("c")
    async with (
        team.world.hub.bell.listen(f"inbox:{team.id}/c") as mail,
        team.world.hub.bell.listen(f"tasks:{team.id}") as tasks,
    ):
        await team.watch(300, "a", "c")
        assert await mail.wait(60)
        assert await tasks.wait(60)


async def test_of_two_watchdogs_one_acts(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    other = beside(team.world)
    task = await team.assign("b")
    found = []
    for _ in range(20):
        team.clock.advance(CHECK)
        await team.beat("a", "c")
        found += [*await team.check(), *await team.check(other)]
    assert told(found) == [("silent", "b"), ("escalated", "b")]
    assert (await team.task(task)).fence == 2
    await team.beat("b")
    assert told([*await team.check(other), *await team.check()]) == [("recovered", "b")]


async def test_a_watchdog_that_starts_takes_up_where_another_stood(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.watch(240, "a", "c")
    assert told(await team.watch(60, "a", "c", hub=beside(team.world))) == [("silent", "b")]
    assert told(await team.watch(300, "a", "c", hub=beside(team.world))) == [("escalated", "b")]


async def test_an_hour_of_mixed_load_raises_no_false_alarm_and_finds_each_dead_worker(anyio_backend: str) -> None:
    """Busy, slow, waiting and dying workers in a dozen conversations, while the clock is set now and then."""
    chance, world = random.Random(5), memory_hub(PLENTY)
    teams = [await gathered("backend", "tests 1", "tests 2", "docs", world=world) for _ in range(12)]
    died: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], int] = {}
    for second in range(0, 3600, 10):
        world.clock.advance(10)
        if second in (1000, 2200, 2900):
            world.clock.jump(chance.choice((3600, -3600, 40)))
        for team in teams:
            for session, caller in team.workers.items():
                await _acted(team, session, caller, chance, died, second)
        if second % CHECK == 0:
            for alert in (await world.hub.watchdog.check(OWNER)).alerts:
                assert (alert.conversation_id, alert.session_id) in died, alert
                if alert.kind == "silent":
                    found.setdefault((alert.conversation_id, alert.session_id), second)
    assert set(found) <= set(died)
    assert len(died) > 10
    late = {one for one in died if died[one] < 3600 - 2 * THRESHOLD - 2 * CHECK}
    assert late <= set(found)
    quick = [found[one] - died[one] for one in found]
    assert max(quick) <= 2 * THRESHOLD + CHECK
    left = [t for team in teams for t in await world.store.read(lambda tx, i=team.id: tx.tasks.list(i, 1000))]
    assert not [t for t in left if (t.conversation_id, t.assignee) in found and t.state not in ("complete", "failed")]
    await world.hub.journal.verify()


async def _acted(
    team: Team, session: str, caller: Caller, chance: random.Random, died: dict[tuple[str, str], int], second: int
) -> None:
    """What one worker does in ten seconds: something at least every 240, unless it waits or is dead."""
    place = (team.id, session)
    if place in died or (chance.random() > 0.2 and second % 240):
        return
    dice = chance.random()
    if session != "a" and second % 240 == 0 and chance.random() < 0.03 and second > 240:
        died[place] = second
        await team.status(session, "working")
    elif session == "a" and dice < 0.3:
        await team.assign(chance.choice("bcde"))
    elif dice < 0.5:
        await team.mail(session)
    elif dice < 0.6:
        await team.status(session, "working")
    else:
        await team.beat(session)
        held = await team.world.store.read(lambda tx: tx.tasks.held(team.id, session))
        if held:
            action = {"accepted": "complete", "in_progress": "complete"}.get(held[0].state, "accept")
            await team.update(session, held[0].id, action)
