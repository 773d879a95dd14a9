from __future__ import annotations

import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotFound, Refused, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.services.tasks import Shown
from multiagent_bridge.services.topics import inbox
from multiagent_bridge.testing.hubs import agent, memory_hub

from .conftest import Pair, paired

pytestmark = pytest.mark.anyio

PLENTY = Limits(writes=(Window(1000, 60),))


async def assign(pair: Pair, title: str = "add a health check", **words: object) -> str:
    return (await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, title, **words)).task_id


async def update(pair: Pair, who: Caller, task_id: str, action: str, **words: object) -> dict[str, object]:
    return (await pair.hub.tasks.update(who, NO_CREDENTIALS, task_id, action, **words)).fields()


async def listed(pair: Pair, who: Caller, **words: object) -> list[Shown]:
    return list(await pair.hub.tasks.list(who, NO_CREDENTIALS, **words))


async def test_a_task_is_handed_out_accepted_reported_on_and_finished(pair: Pair) -> None:
    number = await assign(pair, description="GET /healthz", to="frontend", priority="P1")
    told = (await pair.check(pair.bob)).letters[-1]
    assert (told.message.sender, told.message.action_type) == ("bridge", "task_assignment")
    assert number in told.text
    accepted = await update(pair, pair.bob, number, "accept")
    assert (accepted["state"], accepted["fence"]) == ("accepted", 2)
    assert accepted["lease_expires_at"]
    await update(pair, pair.bob, number, "progress", progress="half of it", fence=2)
    done = await update(pair, pair.bob, number, "complete", result="merged as 12ab", fence=2)
    assert (done["state"], done["lease_expires_at"]) == ("complete", None)
    [shown] = await listed(pair, pair.alice)
    fields = shown.fields()
    assert (fields["state"], fields["assignee"], fields["result"]) == ("complete", "b", "merged as 12ab")
    assert [note["note"] for note in fields["progress"]] == ["half of it"]  # type: ignore[attr-defined]
    assert any("complete" in letter.text for letter in (await pair.check(pair.alice)).letters)


async def test_a_task_for_nobody_in_particular_goes_to_the_first_who_accepts(anyio_backend: str) -> None:
    pair = await paired(memory_hub(), "reviewer")
    carol = agent("carol")
    await pair.hub.conversations.join(carol, NO_CREDENTIALS, pair.made.invites[2])
    number = await assign(pair)
    await update(pair, pair.bob, number, "accept")
    with pytest.raises(Conflict):
        await update(pair, carol, number, "accept")


async def test_a_task_for_one_is_not_taken_by_another(anyio_backend: str) -> None:
    pair = await paired(memory_hub(), "reviewer")
    carol = agent("carol")
    await pair.hub.conversations.join(carol, NO_CREDENTIALS, pair.made.invites[2])
    number = await assign(pair, to="b")
    with pytest.raises(Refused):
        await update(pair, carol, number, "accept")
    for action in ("complete", "fail", "release", "progress"):
        with pytest.raises(Conflict):
            await update(pair, carol, number, action, progress="x")


async def test_what_was_given_away_cannot_be_finished_by_who_had_it(pair: Pair) -> None:
    number = await assign(pair, to="b")
    fence = (await update(pair, pair.bob, number, "accept"))["fence"]
    await update(pair, pair.alice, number, "release")
    again = await update(pair, pair.alice, number, "accept")
    assert again["fence"] == 4
    for words in ({"fence": fence}, {}):
        with pytest.raises(Conflict):
            await update(pair, pair.bob, number, "complete", **words)
    await update(pair, pair.alice, number, "release")
    await update(pair, pair.bob, number, "accept")
    with pytest.raises(Conflict, match="handed over since fence 2"):
        await update(pair, pair.bob, number, "complete", fence=fence)


async def test_accepting_again_gives_a_worker_that_starts_anew_what_it_had(pair: Pair) -> None:
    number = await assign(pair, to="b")
    first = await update(pair, pair.bob, number, "accept")
    pair.clock.advance(60)
    again = await update(pair, pair.bob, number, "accept")
    assert again["fence"] == first["fence"]
    assert str(again["lease_expires_at"]) > str(first["lease_expires_at"])


async def test_a_lease_that_is_over_frees_the_task_unless_its_holder_is_heard_from(pair: Pair) -> None:
    number = await assign(pair, to="b", lease_seconds=100)
    await update(pair, pair.bob, number, "accept")
    pair.clock.advance(90)
    await pair.hub.status.heartbeat(pair.bob, NO_CREDENTIALS)
    pair.clock.advance(90)
    with pytest.raises(Conflict):
        await update(pair, pair.alice, number, "accept")
    pair.clock.advance(11)
    assert (await update(pair, pair.alice, number, "accept"))["fence"] == 3
    with pytest.raises(Conflict):
        await update(pair, pair.bob, number, "complete")


async def test_a_task_is_ready_when_what_it_depends_on_is_complete(pair: Pair) -> None:
    first = await assign(pair, "build")
    second = await assign(pair, "deploy", depends_on=[first], priority="P0")
    assert [(one.title, one.ready) for one in await listed(pair, pair.bob)] == [("build", True), ("deploy", False)]
    with pytest.raises(Conflict, match="not complete"):
        await update(pair, pair.bob, second, "accept")
    await update(pair, pair.bob, first, "accept")
    await update(pair, pair.bob, first, "complete")
    assert (await listed(pair, pair.bob))[0].title == "deploy"
    await update(pair, pair.bob, second, "accept")


async def test_a_task_can_depend_on_nothing_that_is_not_there_yet(pair: Pair) -> None:
    with pytest.raises(Invalid, match="not there"):
        await assign(pair, depends_on=["task_000000000000"])


async def test_a_task_can_not_wait_for_one_that_has_failed(pair: Pair) -> None:
    failed = await assign(pair)
    await update(pair, pair.alice, failed, "fail")
    with pytest.raises(Conflict, match="has failed"):
        await assign(pair, depends_on=[failed])
    assert len(await listed(pair, pair.bob)) == 1


async def test_the_urgent_come_first(pair: Pair) -> None:
    for priority in ("P3", "P0", "P2"):
        await assign(pair, priority, priority=priority)
    assert [one.title for one in await listed(pair, pair.bob)] == ["P0", "P2", "P3"]
    assert await listed(pair, pair.bob, mine=True) == []
    assert await listed(pair, pair.bob, state="complete") == []


async def test_a_finished_task_stays_finished(pair: Pair) -> None:
    number = await assign(pair)
    await update(pair, pair.bob, number, "accept")
    await update(pair, pair.bob, number, "fail", result="no access")
    for action in ("accept", "progress", "complete", "fail", "release"):
        with pytest.raises(Conflict, match="failed already"):
            await update(pair, pair.bob, number, action, progress="x")


async def test_who_made_a_task_can_take_it_back_or_end_it(pair: Pair) -> None:
    one, two = await assign(pair, to="b"), await assign(pair, to="b")
    await update(pair, pair.bob, one, "accept")
    assert (await update(pair, pair.alice, one, "release"))["state"] == "released"
    assert (await update(pair, pair.alice, two, "fail"))["state"] == "failed"


@pytest.mark.parametrize(("action", "state"), [("release", "released"), ("fail", "failed"), ("accept", "accepted")])
async def test_who_worked_on_a_task_hears_that_it_was_taken_from_it(pair: Pair, action: str, state: str) -> None:
    number = await assign(pair, to="b", lease_seconds=100)
    await update(pair, pair.bob, number, "accept")
    await pair.check(pair.bob)
    # by its maker, or, once the lease is over, by whoever accepts it
    pair.clock.advance(101)
    async with pair.hub.bell.listen(inbox(pair.made.conversation.id, "b")) as ear:
        await update(pair, pair.alice, number, action)
        assert await ear.wait(60)
    assert [letter.text for letter in (await pair.check(pair.bob)).letters] == [
        f"task {number} is {state} (session a): it is no longer yours, stop working on it"
    ]


async def test_secrets_in_tasks_are_redacted_and_bodies_are_not_in_the_store_in_clear(pair: Pair) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    number = await assign(pair, f"use {key}", description=f"with {key}")
    await update(pair, pair.bob, number, "accept")
    await update(pair, pair.bob, number, "progress", progress=f"tried {key}")
    await update(pair, pair.bob, number, "complete", result=f"{key} works")
    [shown] = await listed(pair, pair.alice)
    assert "AKIA" not in str(shown.fields())
    assert str(shown.fields()).count("AWS_KEY_REDACTED") == 4
    stored = await pair.world.store.read(lambda tx: tx.tasks.get(pair.made.conversation.id, number))
    assert stored is not None
    assert b"works" not in stored.body


@pytest.mark.parametrize(
    "words",
    [
        {"title": ""},
        {"title": "a\nb"},
        {"title": 3},
        {"title": "x" * 201},
        {"description": "x" * 10_001},
        {"to": "nobody"},
        {"priority": "P9"},
        {"lease_seconds": 0},
        {"lease_seconds": 86_401},
        {"depends_on": 7},
        {"depends_on": [7]},
        {"depends_on": [str(n) for n in range(21)]},
    ],
)
async def test_words_that_make_no_task_are_invalid(pair: Pair, words: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await pair.hub.tasks.assign(pair.alice, NO_CREDENTIALS, **({"title": "a task"} | words))


@pytest.mark.parametrize(
    "words",
    [
        {"action": "finish"},
        {"action": "progress"},
        {"action": "accept", "fence": 0},
        {"action": "accept", "fence": "1"},
        {"action": "accept", "result": "done"},
        {"action": "complete", "result": 3},
    ],
)
async def test_words_that_make_no_step_are_invalid(pair: Pair, words: dict[str, object]) -> None:
    number = await assign(pair)
    with pytest.raises(Invalid):
        await pair.hub.tasks.update(pair.bob, NO_CREDENTIALS, number, **words)


async def test_a_task_of_another_conversation_is_not_found(pair: Pair) -> None:
    number = await assign(pair)
    carol = agent("carol")
    await pair.hub.conversations.create(carol, "other", "partner")
    with pytest.raises(NotFound):
        await pair.hub.tasks.update(carol, NO_CREDENTIALS, number, "accept")


async def test_tasks_count_as_writes_and_too_many_open_ones_are_refused(anyio_backend: str) -> None:
    pair = await paired(memory_hub())
    for _ in range(10):
        await assign(pair)
    with pytest.raises(TooFast):
        await assign(pair)
    pair = await paired(memory_hub(Limits(writes=(Window(1000, 60),), open_tasks=2)))
    await assign(pair)
    await assign(pair)
    with pytest.raises(Refused, match="2 tasks are open"):
        await assign(pair)


async def test_every_step_and_refusal_of_a_task_is_an_entry(pair: Pair) -> None:
    number = await assign(pair, to="b")
    await update(pair, pair.bob, number, "accept")
    with pytest.raises(Conflict):
        await update(pair, pair.alice, number, "accept")
    await update(pair, pair.bob, number, "progress", progress="half")
    await update(pair, pair.bob, number, "complete")
    entries = [e for e in await pair.hub.journal.entries(0, 1000) if e.action.startswith("task.")]
    assert [(e.action, e.outcome) for e in entries] == [
        ("task.assign", "done"), ("task.accept", "done"), ("task.update", "refused"), ("task.progress", "done"),
        ("task.complete", "done"),
    ]  # fmt: skip
    assert (await pair.hub.evidence.verify()).messages > 0


async def test_what_is_urgent_and_ones_own_is_listed_however_many_tasks_are_open() -> None:
    pair = await paired(memory_hub(Limits(writes=(Window(1000, 60),), tasks_page=5, open_tasks=50)))
    for number in range(12):
        await assign(pair, f"later {number}", to="backend", priority="P3")
    urgent = await assign(pair, "now", to="frontend", priority="P0")
    assert (await listed(pair, pair.bob))[0].task.id == urgent
    assert [one.task.id for one in await listed(pair, pair.bob, mine=True)] == [urgent]
    assert len(await listed(pair, pair.bob)) == 5


async def test_what_is_finished_is_not_ready_and_comes_last(pair: Pair) -> None:
    done = await assign(pair, "first", to="frontend", priority="P0")
    await update(pair, pair.bob, done, "accept")
    await update(pair, pair.bob, done, "complete", fence=2)
    left = await assign(pair, "second", to="frontend", priority="P3")
    assert [(one.task.id, one.ready) for one in await listed(pair, pair.bob)] == [(left, True), (done, False)]


async def test_the_newest_of_what_is_finished_is_listed_however_much_is_finished() -> None:
    pair = await paired(memory_hub(Limits(writes=(Window(1000, 60),), tasks_page=3)))
    done = []
    for number in range(6):
        done.append(await assign(pair, f"task {number}", priority=f"P{number % 2}"))
        pair.clock.advance(1)
        await update(pair, pair.bob, done[-1], "accept")
        await update(pair, pair.bob, done[-1], "complete", result=f"result {number}")
    for state in (None, "complete"):
        assert [one.task.id for one in await listed(pair, pair.alice, state=state)] == done[:2:-1]
