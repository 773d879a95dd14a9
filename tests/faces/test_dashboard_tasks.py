"""The page Tasks as a browser gets it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.services import boards
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from multiagent_bridge.testing.store_tasks import task
from multiagent_bridge.web.tasks import DRAWN, drawing
from tests.faces.browsing import site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

ALICE, BOB = agent("alice"), agent("bob")


async def team(world: TestHub) -> str:
    """Alice (session a) and Bob (session b) in one conversation, and its id."""
    made = await world.hub.conversations.create(ALICE, "planner", "builder")
    await world.hub.conversations.join(BOB, NO_CREDENTIALS, made.invites[1])
    return made.conversation.id


async def assign(world: TestHub, title: str, **words: object) -> str:
    return (await world.hub.tasks.assign(ALICE, NO_CREDENTIALS, title, **words)).task_id


async def step(world: TestHub, task_id: str, action: str, **words: object) -> None:
    await world.hub.tasks.update(BOB, NO_CREDENTIALS, task_id, action, **words)


def column(html: str, state: str) -> str:
    """The words of one column of the board."""
    found = re.search(rf'<section aria-labelledby="column-{state}".*?</section>', html, re.DOTALL)
    assert found
    return text(found[0])


async def test_the_board_has_each_task_in_the_column_of_its_state() -> None:
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    ids = {state: await assign(world, f"title of {state}", priority="P1") for state in ("open", "accepted", "complete")}
    ids |= {state: await assign(world, f"title of {state}") for state in ("in_progress", "failed", "released")}
    for state in ("accepted", "complete", "in_progress", "failed", "released"):
        await step(world, ids[state], "accept")
    await step(world, ids["complete"], "complete", result="done")
    await step(world, ids["in_progress"], "progress", progress="half of it")
    await step(world, ids["failed"], "fail")
    await step(world, ids["released"], "release")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get("/tasks")
        assert page.status_code == 200
        for state, one in ids.items():
            words = column(page.text, state)
            assert f"title of {state}" in words
            assert one in words
        assert "None." in column(page.text, "reassigned")
        assert "lease ends in 10 min" in column(page.text, "accepted")
        assert "with session b ( builder )" in column(page.text, "accepted")
        assert "session b: half of it" in column(page.text, "in_progress")
        assert "for whoever accepts it" in column(page.text, "open")
        assert "ready" in column(page.text, "open")
        part = await browser.get("/tasks/board", headers={"hx-request": "true"})
        assert "<html" not in part.text
        assert f'href="/tasks?conversation={mine}"' in part.text


async def test_a_lease_that_is_over_says_so_and_a_heartbeat_counts() -> None:
    world = memory_hub(UNLIMITED)
    await team(world)
    await step(world, await assign(world, "short", lease_seconds=60), "accept")
    world.clock.advance(50)
    await world.hub.status.heartbeat(BOB, NO_CREDENTIALS)
    world.clock.advance(50)
    async with site(world) as s, s.browser() as browser:
        assert "lease ends in 10 s" in column((await browser.get("/tasks")).text, "accepted")
        world.clock.advance(13)
        assert "lease over 3 s ago" in column((await browser.get("/tasks")).text, "accepted")


async def test_what_waits_for_what_stands_in_words_and_in_a_drawing() -> None:
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    first = await assign(world, "schema")
    second = await assign(world, "queries", depends_on=[first])
    third = await assign(world, "page", depends_on=[second, first])
    async with site(world) as s, s.browser() as browser:
        board = (await browser.get(f"/tasks?conversation={mine}")).text
        assert f"waits for {first} open" in column(board, "open")
        drawn = re.search(r'<svg class="drawing"[^>]*role="img" aria-label="([^"]+)"', board)
        assert drawn
        assert f"{second} waits for {first}" in drawn[1]
        assert board.count('class="edge"') == 3
        assert '<svg class="drawing"' not in (await browser.get("/tasks")).text
        sheet = text((await browser.get(f"/tasks/{mine}/{third}")).text)
        assert f"Waits for {second} open {first} open" in sheet
        upper = text((await browser.get(f"/tasks/{mine}/{first}")).text)
        assert f"Waiting for it {second} open {third} open" in upper


async def test_one_task_is_shown_with_all_its_words() -> None:
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    long = "word " * 1_999 + "last"
    one = await assign(world, "the title", description=long, priority="P0", to="b")
    await step(world, one, "accept")
    for number in range(3):
        await step(world, one, "progress", progress=f"checkpoint {number}")
    await step(world, one, "complete", result="all is well")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/tasks/{mine}/{one}")
        words = text(page.text)
        assert long in page.text
        for said in (
            "the title",
            "checkpoint 0",
            "checkpoint 2",
            "all is well",
            "P0",
            "complete",
            "session a ( planner )",
        ):
            assert said in words, said
        assert (await browser.get(f"/tasks/{mine}/{one}/sheet")).status_code == 200
        assert (await browser.get(f"/tasks/{mine}/task_000000000000")).status_code == 404
        assert (await browser.get(f"/tasks/conv_000000000000/{one}")).status_code == 404
        assert (await browser.get("/tasks?conversation=conv_000000000000")).status_code == 404


async def test_filters_stand_in_the_address() -> None:
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    urgent = await assign(world, "urgent", priority="P0", to="b")
    later = await assign(world, "later", priority="P3")
    elsewhere = await world.hub.conversations.create(agent("carol"), "one role", "other role")
    other = (await world.hub.tasks.assign(agent("carol"), NO_CREDENTIALS, "far away")).task_id
    wanted = {
        "": {urgent, later, other},
        "?view=all": {urgent, later, other},
        f"?conversation={mine}": {urgent, later},
        f"?conversation={elsewhere.conversation.id}": {other},
        "?assignee=b": {urgent},
        "?assignee=nobody": {later, other},
        "?assignee=zz": set(),
        "?priority=P0": {urgent},
        "?priority=P9": {urgent, later, other},
        f"?priority=P3&conversation={mine}": {later},
    }
    async with site(world) as s, s.browser() as browser:
        for query, found in wanted.items():
            page = (await browser.get(f"/tasks{query}")).text
            assert {one for one in (urgent, later, other) if f"/{one}" in page} == found, query
        page = (await browser.get("/tasks?priority=P0&assignee=b")).text
        assert 'hx-get="/tasks/board?assignee=b&amp;priority=P0"' in page
        assert '<option value="P0" selected>' in page


async def test_tasks_of_every_conversation_are_reached_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "CONVERSATIONS", 4)
    world = memory_hub(replace(UNLIMITED, tasks_page=3))
    wanted: list[str] = []
    for number in range(9):
        who = agent(f"n{number}")
        await world.hub.conversations.create(who, "planner", "builder")
        wanted.append((await world.hub.tasks.assign(who, NO_CREDENTIALS, f"number {number}")).task_id)
        world.clock.advance(1)
    seen: list[str] = []
    before: str | None = None
    while before != "":
        found = await world.hub.boards.board(OWNER, every=True, before=before)
        assert len(found.cards) <= 3
        seen += [card.task.id for card in found.cards]
        before = found.older
    assert sorted(seen) == sorted(wanted)
    lately = await world.hub.boards.board(OWNER)
    assert (len(lately.cards), lately.more) == (3, True)


async def test_the_newest_of_what_is_finished_is_on_the_board_however_much_is_finished() -> None:
    world = memory_hub(replace(UNLIMITED, tasks_page=3))
    mine = await team(world)
    done = []
    for number in range(6):
        done.append(await assign(world, f"title {number}", priority=f"P{number % 2}"))
        world.clock.advance(1)
        await step(world, done[-1], "accept")
        await step(world, done[-1], "complete")
    for conversation_id in (None, mine):
        found = await world.hub.boards.board(OWNER, conversation_id)
        assert [card.task.id for card in found.cards] == done[:2:-1]


async def test_words_that_would_make_the_page_too_heavy_are_left_to_the_page_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "OPENED_BYTES", 30_000)
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    for number in range(5):
        await assign(world, f"title {number}", description="x" * 10_000)
    found = await world.hub.boards.board(OWNER, mine)
    assert [card.shown is not None for card in found.cards] == [True, True, False, False, False]
    async with site(world) as s, s.browser() as browser:
        assert (await browser.get("/tasks")).status_code == 200


async def test_a_task_whose_dependency_is_gone_says_so() -> None:
    world = memory_hub(UNLIMITED)
    mine = await team(world)
    one = await assign(world, "alone")
    found = await world.store.read(lambda tx: tx.tasks.get(mine, one))
    assert found
    lost = replace(found, id="task_aaaaaaaaaaaa", depends_on=("task_bbbbbbbbbbbb",))
    body = world.keys.open(await conversation(world, mine), f"tasks/body/{one}", found.body)
    lost = replace(lost, body=world.keys.seal(await conversation(world, mine), f"tasks/body/{lost.id}", body))
    await world.store.write(lambda tx: tx.tasks.add(lost))
    async with site(world) as s, s.browser() as browser:
        assert "waits for task_bbbbbbbbbbbb gone" in text((await browser.get("/tasks")).text)
        assert "Waits for task_bbbbbbbbbbbb gone" in text((await browser.get(f"/tasks/{mine}/{lost.id}")).text)
    with pytest.raises(NotFound):
        await world.hub.boards.sheet(OWNER, mine, "task_bbbbbbbbbbbb")


async def conversation(world: TestHub, mine: str) -> Conversation:
    found = await world.store.read(lambda tx: tx.conversations.get(mine))
    assert found
    return found


def test_a_drawing_puts_each_task_to_the_right_of_all_that_it_waits_for() -> None:
    tasks = [
        task(1, depends_on=()),
        task(2, depends_on=("task_1",)),
        task(3, depends_on=("task_1", "task_2")),
        task(4, depends_on=("task_3", "task_gone")),
        task(5, depends_on=()),
    ]
    drawn = drawing(tasks)
    assert drawn
    place = {box.task.id: box.x for box in drawn.boxes}
    assert sorted(place) == ["task_1", "task_2", "task_3", "task_4"]
    assert place["task_1"] < place["task_2"] < place["task_3"] < place["task_4"]
    assert len(drawn.lines) == 4
    assert len({(box.x, box.y) for box in drawn.boxes}) == 4


def test_nothing_is_drawn_where_nothing_waits_or_too_much_does() -> None:
    assert drawing([task(1, depends_on=()), task(2, depends_on=("task_9",))]) is None
    chain = [task(n, depends_on=(f"task_{n - 1}",) if n else ()) for n in range(DRAWN + 1)]
    assert drawing(chain) is None
    assert drawing(chain[:-1])


def test_a_circle_that_cannot_be_is_drawn_all_the_same() -> None:
    drawn = drawing([task(1, depends_on=("task_2",)), task(2, depends_on=("task_1",))])
    assert drawn
    assert len(drawn.boxes) == 2
