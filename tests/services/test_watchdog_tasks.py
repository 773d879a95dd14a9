"""What becomes of the tasks of the silent."""

from __future__ import annotations

import pytest

from multiagent_bridge.errors import Conflict
from multiagent_bridge.guard.liveness import Rules
from multiagent_bridge.testing.hubs import OWNER

from .teams import gathered, told

pytestmark = pytest.mark.anyio


async def test_the_tasks_of_the_silent_go_on_in_the_same_check_under_a_new_fence(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    task = await team.assign("b", lease_seconds=3600)
    await team.update("b", task, "accept")
    await team.update("b", task, "progress", progress="half of it")
    [alert] = await team.watch(300, "a", "c")
    moved = await team.task(task)
    assert (moved.state, moved.assignee, moved.fence) == ("reassigned", "c", 3)
    assert alert.fields()["tasks"] == [{"task_id": task, "priority": "P2", "fence": 3, "to": "c"}]
    for words in ({"fence": 2}, {}):
        with pytest.raises(Conflict):
            await team.update("b", task, "complete", **words)
    await team.update("c", task, "accept")
    await team.update("c", task, "complete", fence=4)
    with pytest.raises(Conflict):
        await team.update("b", task, "complete")


async def test_one_of_the_same_role_comes_first_then_the_least_loaded(anyio_backend: str) -> None:
    team = await gathered("tests 1", "docs", "Tests 2", "docs 2")
    for _ in range(2):
        await team.assign("d")
    one = await team.assign("b")
    await team.watch(300, "a", "c", "d", "e")
    assert (await team.task(one)).assignee == "d", "the role fits, though it has more to do"
    team = await gathered("tests", "docs", "deploy", "review")
    await team.assign("c")
    given = [await team.assign("b") for _ in range(4)]
    await team.watch(300, "a", "c", "d", "e")
    assert [(await team.task(one)).assignee for one in given] == ["d", "e", "c", "d"]


async def test_nobody_is_given_more_than_it_has_room_for_and_the_urgent_go_first(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", rules=Rules(capacity=1))
    late, urgent, other = [await team.assign("b", priority=p) for p in ("P3", "P0", "P2")]
    [alert] = await team.watch(300, "a", "c")
    assert [(m.task_id, m.to) for m in alert.moved] == [(urgent, "c"), (other, "a"), (late, "")]
    assert (await team.task(late)).state == "released"
    assert any(f"task {late} (P3) is held: nobody is left" in line for line in await team.mail("a"))


async def test_what_was_held_is_given_out_when_somebody_has_room(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", rules=Rules(capacity=1))
    tasks = [await team.assign("b", priority=p) for p in ("P1", "P1", "P3", "P2")]
    await team.watch(300, "a", "c")
    assert [(await team.task(one)).assignee for one in tasks] == ["c", "a", "", ""]
    assert await team.watch(120, "a", "c") == [], "said once"
    await team.update("c", tasks[0], "accept")
    await team.update("c", tasks[0], "complete")
    [alert] = await team.watch(60, "a", "c")
    assert (alert.kind, alert.session_id) == ("reassigned", "b")
    assert [(m.task_id, m.to) for m in alert.moved] == [(tasks[3], "c")], "the urgent first"
    assert any("what session b (backend) left" in line for line in await team.mail("a"))


async def test_the_creator_is_asked_last_and_when_it_is_silent_too_the_task_is_held(anyio_backend: str) -> None:
    team = await gathered("backend")
    task = await team.assign("b")
    await team.watch(300, "a")
    assert (await team.task(task)).assignee == "a"
    team = await gathered("backend")
    task = await team.assign("b")
    alerts = await team.watch(300)
    assert told(alerts) == [("silent", "a"), ("silent", "b")]
    held = await team.task(task)
    assert (held.state, held.assignee, held.fence) == ("released", "", 2)
    assert await team.watch(600) != []
    await team.beat("b")
    alerts = await team.check()
    assert ("recovered", "b") in told(alerts)
    assert (await team.task(task)).assignee == "b", "who is back is somebody"


async def test_a_task_goes_neither_to_the_revoked_the_never_seen_nor_those_who_fall_silent_with_it(
    anyio_backend: str,
) -> None:
    team = await gathered("backend", "tests", "docs", "deploy")
    world = team.world.hub
    await world.conversations.revoke(OWNER, team.id, "d")
    task = await team.assign("b")
    alerts = await team.watch(300, "a", "e")
    assert told(alerts) == [("silent", "b"), ("silent", "c")]
    assert (await team.task(task)).assignee == "e"


async def test_who_waits_for_mail_is_given_a_task_before_it_is_held(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for session in "ac":
        await team.status(session, "waiting")
    task = await team.assign("b")
    for session in "ac":
        await team.mail(session)
    await team.watch(300)
    assert (await team.task(task)).assignee == "c"
    assert told(await team.watch(300)) == [("silent", "a"), ("silent", "c"), ("escalated", "b")]
    assert (await team.task(task)).state == "released", "neither of them stirred"


async def test_a_task_given_to_the_silent_later_moves_on_at_the_next_check(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.watch(300, "a", "c")
    task = await team.assign("b")
    [alert] = await team.watch(60, "a", "c")
    assert (alert.kind, alert.session_id, alert.moved[0].to) == ("reassigned", "b", "c")
    assert (await team.task(task)).assignee == "c"


async def test_what_somebody_took_up_himself_meanwhile_is_left_to_him(anyio_backend: str) -> None:
    team = await gathered("backend", rules=Rules(capacity=0))
    task = await team.assign("b")
    await team.watch(300, "a")
    await team.update("a", task, "accept")
    team.rules = Rules()
    assert await team.watch(120, "a") == []
    assert ((await team.task(task)).assignee, (await team.task(task)).fence) == ("a", 3)
    await team.update("a", task, "release")
    assert await team.watch(120, "a") == [], "what was given back by choice is not the watchdog's"


async def test_what_its_maker_ended_while_it_was_held_is_let_be(anyio_backend: str) -> None:
    team = await gathered("backend", rules=Rules(capacity=0))
    task = await team.assign("b")
    await team.watch(300, "a")
    await team.update("a", task, "fail")
    team.rules = Rules()
    assert await team.watch(120, "a") == []
    assert (await team.task(task)).state == "failed"
    assert list(await team.world.store.read(lambda tx: tx.silences.orphans())) == []


async def test_every_handover_is_an_entry(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", rules=Rules(capacity=1))
    for _ in range(3):
        await team.assign("b")
    await team.watch(300, "a", "c")
    found = [(facts["was"], facts["to"], facts["why"]) for _, facts in await team.entries("task.reassign")]
    assert found == [("b", to, "session b has fallen silent") for to in ("c", "a", "")]
