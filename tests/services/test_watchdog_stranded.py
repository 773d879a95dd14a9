"""The tasks of sessions that do not come for them: revoked, or never seen."""

from __future__ import annotations

import anyio
import pytest

from multiagent_bridge.guard.liveness import Rules
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .teams import PLENTY, Team, beside, gathered, told

pytestmark = pytest.mark.anyio


async def expecting(*roles: str, rules: Rules | None = None, clock: FakeClock | None = None) -> Team:
    """A team of which nobody but the orchestrator has come yet."""
    world = memory_hub(PLENTY, clock=clock) if clock else memory_hub(PLENTY)
    boss = agent("boss")
    made = await world.hub.conversations.create(boss, "orchestrator", roles[0], list(roles[1:]))
    return Team(world, made.conversation.id, {"a": boss}, rules or Rules())


async def come(team: Team, session: str) -> None:
    code = await team.world.hub.conversations.invite(OWNER, team.id, session)
    team.workers[session] = agent(f"{team.id} {session}")
    await team.world.hub.conversations.join(team.workers[session], NO_CREDENTIALS, code)


async def test_the_tasks_of_the_revoked_move_at_the_next_check_under_a_new_fence(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    task, other = await team.assign("b"), await team.assign("b", priority="P0")
    await team.update("b", task, "accept")
    for session in "ac":
        await team.mail(session)
    await team.world.hub.conversations.revoke(OWNER, team.id, "b")
    [alert] = await team.watch(60, "a", "c")
    assert (alert.kind, alert.session_id, alert.role) == ("reassigned", "b", "backend")
    assert [(m.task_id, m.to, m.fence) for m in alert.moved] == [(other, "c", 2), (task, "c", 3)]
    assert await team.mail("a") == [
        f"session b (backend) was revoked; task {other} (P0) was given to session c; task {task} (P2) was given to session c"
    ]
    assert (await team.mail("c"))[0] == (
        f"task {other} (P0) was given to you: session b was revoked. list_tasks shows it and its last progress"
    )
    assert await team.watch(1200, "a", "c") == [], "said once"
    await team.update("c", task, "accept")
    await team.update("c", task, "complete", fence=4)
    await team.world.hub.journal.verify()


async def test_what_a_revoked_session_leaves_is_held_when_nobody_has_room_and_given_out_later(
    anyio_backend: str,
) -> None:
    team = await gathered("backend", "tests", rules=Rules(capacity=0))
    task = await team.assign("b")
    await team.world.hub.conversations.revoke(OWNER, team.id, "b")
    [alert] = await team.watch(60, "a", "c")
    assert [(m.to, m.fence) for m in alert.moved] == [("", 2)]
    assert (await team.task(task)).state == "released"
    assert await team.watch(120, "a", "c") == []
    team.rules = Rules()
    await team.mail("a")
    [alert] = await team.watch(60, "a", "c")
    assert (alert.kind, [(m.to, m.fence) for m in alert.moved]) == ("reassigned", [("c", 3)])
    assert await team.mail("a") == [f"session b (backend) was revoked; task {task} (P2) was given to session c"]


async def test_the_task_of_one_that_was_never_seen_moves_a_threshold_after_it_was_assigned(anyio_backend: str) -> None:
    team = await expecting("backend", "tests")
    await come(team, "c")
    team.clock.advance(3600)
    await team.beat("a", "c")
    task = await team.assign("b")
    assert await team.watch(240, "a", "c") == []
    [alert] = await team.watch(60, "a", "c")
    fields = alert.fields()
    assert (fields["kind"], fields["session_id"], fields["status"]) == ("reassigned", "b", "unknown")
    assert fields["silent_seconds"] == 300
    assert ((await team.task(task)).assignee, (await team.task(task)).fence) == ("c", 2)
    assert any(line.startswith("session b (backend) was never seen; ") for line in await team.mail("a"))
    entries = [(facts["why"], facts.get("seconds")) for _, facts in await team.entries("silence.reassign")]
    assert entries == [("unseen", 300)]
    assert [facts["why"] for _, facts in await team.entries("task.reassign")] == ["session b was never seen"]
    assert await team.watch(1200, "a", "c") == []
    await team.world.hub.journal.verify()


@pytest.mark.parametrize("verb", ["invite", "rotate"])
async def test_one_that_was_invited_a_minute_ago_is_still_waited_for(anyio_backend: str, verb: str) -> None:
    team = await expecting("backend", "tests")
    await come(team, "c")
    task = await team.assign("b")
    assert await team.watch(240, "a", "c") == []
    if verb == "invite":
        await team.world.hub.conversations.invite(OWNER, team.id, "b")
    else:
        await team.world.hub.conversations.rotate(OWNER, team.id, "b")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(60, "a", "c")) == [("reassigned", "b")]
    assert (await team.task(task)).assignee == "c"


async def test_one_that_comes_in_time_keeps_its_task(anyio_backend: str) -> None:
    team = await expecting("backend", "tests")
    await come(team, "c")
    task = await team.assign("b")
    await team.watch(240, "a", "c")
    await come(team, "b")
    assert await team.watch(240, "a", "c") == []
    await team.update("b", task, "accept")
    assert await team.watch(1200, "a", "b", "c") == []


async def test_where_nobody_can_take_it_a_task_waits_for_who_was_never_seen(anyio_backend: str) -> None:
    team = await expecting("backend", "tests", rules=Rules(capacity=0))
    task = await team.assign("b")
    assert await team.watch(1200, "a") == []
    await come(team, "b")
    assert ((await team.task(task)).assignee, (await team.task(task)).state) == ("b", "open")
    await team.update("b", task, "accept")


async def test_a_task_that_waits_for_another_stays_with_the_unseen_until_it_could_be_begun(anyio_backend: str) -> None:
    team = await expecting("backend", "tests")
    await come(team, "c")
    first = await team.assign("c")
    task = await team.assign("b", depends_on=[first])
    assert await team.watch(1200, "a", "c") == []
    await team.update("c", first, "accept")
    await team.update("c", first, "complete")
    assert await team.watch(240, "a", "c") == []
    assert told(await team.watch(60, "a", "c")) == [("reassigned", "b")]
    assert (await team.task(task)).assignee == "c"


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_a_clock_that_is_set_moves_no_task_too_early_and_hides_none_for_long(
    anyio_backend: str, seconds: int
) -> None:
    for restarted in (False, True):
        team = await expecting("backend", "tests")
        await come(team, "c")
        await team.watch(60, "a", "c")
        task = await team.assign("b")
        team.clock.jump(seconds)
        hub = beside(team.world) if restarted else team.world
        assert await team.check(hub) == []
        assert await team.watch(240, "a", "c", hub=hub) == []
        assert told(await team.watch(120, "a", "c", hub=hub)) == [("reassigned", "b")]
        assert (await team.task(task)).assignee == "c"


async def test_of_two_watchdogs_one_moves_what_is_stranded(anyio_backend: str) -> None:
    team = await expecting("backend", "tests", "docs")
    await come(team, "c")
    other = beside(team.world)
    task, second = await team.assign("b"), await team.assign("d")
    await team.world.hub.conversations.revoke(OWNER, team.id, "d")
    found = []
    for _ in range(10):
        team.clock.advance(60)
        await team.beat("a", "c")
        found += told([*await team.check(), *await team.check(other)])
    assert found == [("reassigned", "d"), ("reassigned", "b")]
    assert [((await team.task(one)).assignee, (await team.task(one)).fence) for one in (task, second)] == [("c", 2)] * 2


async def test_many_stranded_are_moved_in_one_check_however_many_transactions_it_takes(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.services import stranded

    monkeypatch.setattr(stranded, "MOST", 2)
    team = await gathered("backend", "tests", "docs", "deploy", "review", rules=Rules(capacity=50))
    tasks = [await team.assign(one) for one in "bcdef"]
    for one in "bcdef":
        await team.world.hub.conversations.revoke(OWNER, team.id, one)
    assert told(await team.watch(60, "a")) == [("reassigned", one) for one in "bcdef"]
    assert {(await team.task(one)).assignee for one in tasks} == {"a"}


async def test_a_check_ends_where_many_were_never_seen_and_nobody_has_room_for_what_they_have(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.services import stranded

    monkeypatch.setattr(stranded, "MOST", 2)
    team = await expecting("backend", "tests", "docs", "deploy", rules=Rules(capacity=1))
    tasks = [await team.assign(one) for one in "bcde"]
    with anyio.fail_after(60):
        alerts = await team.watch(600, "a")
    assert [(m.task_id, m.to) for alert in alerts for m in alert.moved] == [(tasks[0], "a")], "a had room for one"
    assert [(await team.task(one)).assignee for one in tasks] == ["a", "c", "d", "e"]


async def test_stranded_tasks_of_an_expired_conversation_stay_where_they_are(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    task = await team.assign("b")
    await team.world.hub.conversations.revoke(OWNER, team.id, "b")
    team.clock.advance(25 * 3600)
    assert await team.check() == []
    assert (await team.task(task)).assignee == "b"
