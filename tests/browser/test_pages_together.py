"""Several browsers at once, a hub that dies under open pages, and a sign-in that ends under one."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.content import Content
from tests.browser.visits import MILLISECONDS, at, hub_of, live, opened, signed_in
from tests.machines.places import Place, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

UNREACHED = ("ERR_", "htmx:sse:error", "Failed to fetch")

LISTED = "[...document.querySelectorAll('#timeline .row')].map((one) => one.id)"


def test_two_browsers_see_the_same_and_one_that_signs_out_leaves_the_other_signed_in(
    chromium: Browser, own: Place
) -> None:
    said: list[str] = []
    one, two = signed_in(chromium, own, said), signed_in(chromium, own, said)
    alice, bob, _ = own.pair()
    alice.good("send_to_partner", message="for both")
    same_as_the_journal(own, one, two)
    one.get_by_role("button", name="Sign out").click()
    expect(one.get_by_role("heading", name="Sign in")).to_be_visible()
    bob.good("send_to_partner", message="for the one that stayed")
    same_as_the_journal(own, two)
    one.goto(hub_of(one) + "/")
    expect(one.get_by_role("heading", name="Sign in")).to_be_visible()
    assert all("401" in line for line in said), said
    one.context.close()
    two.context.close()


def same_as_the_journal(place: Place, *pages: Page) -> None:
    """Each page lists the newest entries, each once, the newest first."""

    def listed() -> list[list[str]]:
        return [page.evaluate(LISTED) for page in pages]

    def wanted() -> list[str]:
        return [f"entry-{entry['seq']}" for entry in reversed(place.entries())][:40]

    try:
        until(lambda: all(found == wanted() for found in listed()), "every page lists the journal", MILLISECONDS / 1000)
    except AssertionError:
        # which ones are missing, or there twice
        assert listed() == [wanted()] * len(pages)


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(chromium: Browser, content: Content) -> None:
    said: list[str] = []
    number = content.site.asks()
    pages = [opened(chromium, said, storage_state=content.state) for _ in range(2)]
    for page in pages:
        page.goto(f"{content.url}/approvals/{number}")
        live(page)
        page.get_by_label("Reason, for the agent").fill("one of us says no")
    for page in pages:
        # returns before the answer: the two requests are under way together
        page.evaluate("document.querySelector('#deny').requestSubmit()")
    won = [page.get_by_role("status").filter(has_text="1 denied") for page in pages]
    told = [page.get_by_role("alert").filter(has_text="does not wait for anybody") for page in pages]
    for mine, theirs in zip(won, told, strict=True):
        expect(mine.or_(theirs)).to_be_visible(timeout=MILLISECONDS)
    assert sorted(one.count() for one in won) == sorted(one.count() for one in told) == [0, 1]
    assert content.site.state(number) == "denied"
    assert [line for line in said if "409" not in line] == []
    for page in pages:
        page.context.close()


def test_pages_say_that_a_killed_hub_is_gone_and_return_with_every_event_once(chromium: Browser, own: Place) -> None:
    said: list[str] = []
    alice, bob, mine = own.pair()
    page = signed_in(chromium, own, said)
    address = hub_of(page).removeprefix("http://")
    talk = page.context.new_page()
    talk.goto(f"http://{address}/conversations/{mine}")
    live(talk)
    talk.get_by_label("Message, as the operator").fill("half a thought")
    alice.good("send_to_partner", message="before")
    same_as_the_journal(own, page)
    for agent in (alice, bob):
        # an agent's shim would start a hub of its own at once
        agent.close()
    own.kill_hub()
    for one in (page, talk):
        expect(one.locator("#connection")).to_have_attribute("data-state", "lost", timeout=MILLISECONDS)
    own.mab("create", "painter", "sculptor")
    own.serve("--http", address)
    token = json.loads(own.mab("tokens", mine, "--json").stdout)["sessions"][0]["token"]
    again = own.agent()
    again.good("join_conversation", conversation_id=mine, session_id="a", token=token)
    for number in range(3):
        again.good("send_to_partner", message=f"after {number}")
    for one in (page, talk):
        live(one)
    same_as_the_journal(own, page)
    expect(talk.locator("#thread .message")).to_have_count(4, timeout=MILLISECONDS)
    assert talk.locator("#thread .message").evaluate_all("(all) => all.map((one) => one.id)") == [
        f"message-{number}" for number in (4, 3, 2, 1)
    ]
    expect(talk.get_by_label("Message, as the operator")).to_have_value("half a thought")
    # what Chromium and htmx say of a hub that is not reached
    assert [line for line in said if not any(word in line for word in UNREACHED)] == []
    page.context.close()


def test_a_page_whose_sign_in_ended_says_so_and_what_it_sends_afterwards_does_nothing(
    chromium: Browser, own: Place
) -> None:
    _, _, mine = own.pair()
    one = signed_in(chromium, own, [])
    # without scripts it hears nothing of it
    two = opened(chromium, [], java_script_enabled=False, storage_state=one.context.storage_state())
    two.goto(hub_of(one) + f"/conversations/{mine}")
    at(one, f"/conversations/{mine}")
    own.mab("dashboard", "--sign-out", "all")
    expect(one).to_have_url(re.compile(r"/sign-in$"), timeout=MILLISECONDS)
    expect(one.get_by_label("One-time code")).to_be_visible()
    expect(one.get_by_role("status")).to_contain_text("sign-in has ended")
    two.get_by_label("Message, as the operator").fill("too late")
    two.get_by_role("button", name="Send as operator").click()
    expect(two.get_by_role("status")).to_contain_text("sign-in has ended")
    assert not any(entry["action"] == "message.send" for entry in own.entries())
    one.context.close()
    two.context.close()


@pytest.mark.parametrize("late", ["hx-sse", "dashboard.js"])
def test_a_page_is_live_whichever_of_its_scripts_comes_last(chromium: Browser, content: Content, late: str) -> None:
    said: list[str] = []
    held: list[Route] = []
    page = opened(chromium, said, storage_state=content.state)
    page.route(re.compile(f"/static/.*{late}"), lambda route: held.append(route))
    page.goto(content.url + "/health", wait_until="commit")
    # not by wait_for_function: its second look needs eval, which the policy refuses
    until(lambda: page.evaluate("!!(window.htmx && document.querySelector('#stream'))"), "htmx and the page are there")
    # whatever htmx put off until its own script was through has been done
    page.evaluate("new Promise((done) => setTimeout(() => setTimeout(done, 1), 1))")
    # a call into the browser lets the route be told
    until(lambda: page.evaluate("1") and held, "the script was asked for")
    held.pop().continue_()
    live(page)
    assert said == []
    page.context.close()
