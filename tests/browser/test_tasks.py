"""The page Tasks in the system's Chromium: what moves elsewhere moves there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_conversations import WIDE
from tests.browser.visits import at, live, signed_in
from tests.machines.places import Place

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_task_moves_from_column_to_column_as_agents_work_on_it(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, bob, mine = place.pair()
    page = signed_in(chromium, place, said)
    at(page, f"/tasks?conversation={mine}")
    live(page)
    task = alice.good("assign_task", title="build the page", priority="P1")["task_id"]
    card = page.locator(f"#card-{mine}-{task}")
    expect(page.get_by_role("region", name="Open 1").locator(card)).to_be_visible()
    fence = bob.good("update_task", task_id=task, action="accept")["fence"]
    accepted = page.get_by_role("region", name="Accepted 1")
    expect(accepted.locator(card)).to_be_visible()
    expect(accepted.get_by_text(re.compile(r"lease ends\s+in \d+ (s|min)"))).to_be_visible()
    bob.good("update_task", task_id=task, action="progress", progress="half of it", fence=fence)
    expect(page.get_by_role("region", name="In progress 1").get_by_text("half of it")).to_be_visible()
    page.get_by_role("link", name="build the page").click()
    live(page)
    expect(page.get_by_role("heading", name=f"Task {task}")).to_be_visible()
    bob.good("update_task", task_id=task, action="complete", result="it is built", fence=fence)
    expect(page.locator("#sheet").get_by_text("it is built")).to_be_visible()
    assert said == []
    page.context.close()


def test_a_lease_runs_down_by_the_clock_of_the_hub(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, bob, mine = place.pair()
    task = alice.good("assign_task", title="short", lease_seconds=100)["task_id"]
    bob.good("update_task", task_id=task, action="accept")
    page = signed_in(chromium, place, said)
    page.clock.install(time=0)
    at(page, f"/tasks?conversation={mine}")
    left = page.locator(f"#card-{mine}-{task} [data-at]").first
    expect(left).to_have_text(re.compile(r"in \d+ (s|min)"))
    # what the hub says now would set the clock right again
    page.context.set_offline(True)
    page.clock.run_for(130_000)
    expect(left).to_have_text(re.compile(r"\d+ (s|min) ago"))
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_board_and_the_drawing_whole_and_keys_are_enough(
    chromium: Browser, place: Place, scheme: str
) -> None:
    said: list[str] = []
    alice, _, mine = place.pair()
    first = alice.good("assign_task", title="x" * 200, description="\u202eturned")["task_id"]
    second = alice.good("assign_task", title="after it", depends_on=[first])["task_id"]
    page = signed_in(chromium, place, said, color_scheme=scheme, viewport={"width": 320, "height": 640})
    at(page, f"/tasks?conversation={mine}")
    live(page)
    assert page.evaluate(WIDE) <= 320
    expect(page.get_by_role("img", name=f"{second} waits for {first}")).to_be_attached()
    page.keyboard.press("j")
    expect(page.locator(f"#card-{mine}-{first}")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Task {first}")).to_be_visible()
    live(page)
    assert page.evaluate(WIDE) <= 320
    expect(page.locator(".unseen").first).to_have_text("\\u202e")
    assert said == []
    page.context.close()


def test_filters_work_without_javascript_and_stand_in_the_address(chromium: Browser, place: Place) -> None:
    alice, _, mine = place.pair()
    alice.good("assign_task", title="urgent thing", priority="P0", to="b")
    alice.good("assign_task", title="later thing", priority="P3")
    page = signed_in(chromium, place, [], script=False)
    at(page, "/tasks", script=False)
    page.get_by_label("Conversation").fill(mine)
    page.get_by_label("Assignee").fill("b")
    page.get_by_label("Priority").select_option("P0")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(rf"/tasks\?conversation={mine}&assignee=b&priority=P0$"))
    expect(page.get_by_role("link", name="urgent thing")).to_be_visible()
    expect(page.get_by_text("later thing")).to_have_count(0)
    page.context.close()
