"""Who is told when what a task waits for is complete, or has failed."""

from __future__ import annotations

import pytest

from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import OWNER

from .teams import Team, gathered

pytestmark = pytest.mark.anyio


async def letters(team: Team, session: str) -> list[tuple[str, str, str]]:
    """Sender, type and text of what the session reads now."""
    hub, claim = team.world.hub, team.world.hub.ids.claim()
    found = await hub.messages.check(team.workers[session], NO_CREDENTIALS, claim, limit=100)
    await hub.messages.confirm(claim)
    return [(one.message.sender, one.message.action_type, one.text) for one in found.letters]


async def emptied(team: Team) -> None:
    for session in team.workers:
        await letters(team, session)


async def done(team: Team, session: str, task: str, action: str = "complete") -> None:
    await team.update(session, task, "accept")
    await team.update(session, task, action)


async def test_the_assignee_of_a_task_that_becomes_ready_is_told_when_the_last_it_waited_for_is_complete(
    anyio_backend: str,
) -> None:
    team = await gathered("backend", "tests", "docs")
    first, second = await team.assign("b"), await team.assign("b")
    last = await team.assign("c", depends_on=[first, second], priority="P1")
    await emptied(team)
    await done(team, "b", first)
    assert await team.mail("c") == [], "one of two is not enough"
    async with team.world.hub.bell.listen(f"inbox:{team.id}/c") as ear:
        await done(team, "b", second)
        assert await ear.wait(60)
    assert await letters(team, "c") == [
        (
            "bridge",
            "task_assignment",
            f"task {last} (P1) is ready for you: what it waited for is complete. list_tasks shows what is ready",
        )
    ]
    assert await team.mail("d") == []
    await done(team, "c", last)


async def test_each_hears_of_its_own_tasks_in_one_letter_and_everybody_of_those_for_nobody(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", "docs")
    first = await team.assign("b")
    own = [await team.assign("c", depends_on=[first]) for _ in range(2)]
    again = await team.assign("b", depends_on=[first])
    free = await team.assign(None, depends_on=[first], priority="P0")
    await emptied(team)
    await done(team, "b", first)
    for_all = f"task {free} (P0) is ready for whoever accepts it: what it waited for is complete"
    assert await team.mail("c") == [
        f"tasks {own[0]} (P2), {own[1]} (P2) are ready for you: what they waited for is complete. "
        "list_tasks shows what is ready",
        for_all,
    ]
    assert await team.mail("b") == [
        f"task {again} (P2) is ready for you: what it waited for is complete. list_tasks shows what is ready",
        for_all,
    ]
    assert await team.mail("d") == [for_all]
    assert (await team.mail("a"))[-1] == for_all


async def test_when_a_task_fails_those_it_holds_up_and_their_makers_are_told_that_it_is_for_good(
    anyio_backend: str,
) -> None:
    team = await gathered("backend", "tests", "docs")
    first = await team.assign("b")
    stuck = await team.assign("c", by="d", depends_on=[first])
    await team.assign("c", by="d")
    await emptied(team)
    await done(team, "b", first, "fail")
    words = (
        f"task {first} has failed (session b): task {stuck} (P2) cannot start any more. "
        "Whoever made it can end it with update_task, action fail, and assign it anew without that dependency"
    )
    assert await letters(team, "c") == [("bridge", "blocked", words)]
    assert await letters(team, "d") == [("bridge", "blocked", words)]
    assert await team.mail("b") == []
    await team.update("d", stuck, "fail")


async def test_many_that_become_ready_at_once_make_one_short_letter(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    first = await team.assign("b")
    for _ in range(30):
        await team.assign("c", depends_on=[first])
    await emptied(team)
    await done(team, "b", first)
    [line] = await team.mail("c")
    assert line.count("task_") == 10
    assert " and 20 more are ready" in line


async def test_who_ended_or_was_revoked_is_told_nothing(anyio_backend: str) -> None:
    team = await gathered("backend", "tests", "docs")
    first = await team.assign("b")
    over = await team.assign("c", depends_on=[first])
    await team.assign("d", depends_on=[first])
    await team.update("a", over, "fail")
    await emptied(team)
    await team.world.hub.conversations.revoke(OWNER, team.id, "d")
    before = len(await team.entries("message.send"))
    await done(team, "b", first)
    assert await team.mail("c") == []
    sent = [facts["to"] for _, facts in (await team.entries("message.send"))[before:]]
    assert sent == ["a", "a"], "the maker hears of the two steps"
    await team.world.hub.journal.verify()
