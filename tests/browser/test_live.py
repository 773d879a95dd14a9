"""The dashboard in the system's Chromium: signing in by a link, and what happens in another process appears by itself."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visits import MILLISECONDS, goes, live, signed_in
from tests.machines.places import Place

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_link_signs_in_once_and_a_message_of_another_process_appears_by_itself(chromium: Browser, own: Place) -> None:
    said: list[str] = []
    page = signed_in(chromium, own, said)
    assert "#" not in page.url
    expect(page.get_by_role("heading", name="Live")).to_be_visible()
    alice, _, _ = own.pair()
    alice.good("send_to_partner", message="hello from elsewhere")
    expect(page.locator("#timeline").get_by_text("message.send").first).to_be_visible(timeout=MILLISECONDS)
    assert said == []
    page.context.close()


def test_the_first_tab_leads_to_the_page_and_keys_lead_through_it(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    for _ in range(3):
        place.mab("create", "backend", "frontend")
    page = signed_in(chromium, place, said)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("main .row").nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("main .row").nth(1)).to_be_focused()
    page.locator("#kind").select_option("messages")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"\?kind=messages$"))
    # the keys are there once the scripts of the page are
    live(page)
    goes(page, "l", re.compile(r"/$"))
    assert said == []
    page.context.close()


def test_a_paused_page_stands_still_and_catches_up(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#connection")).to_have_text("paused")
    other = signed_in(chromium, place, said)
    place.mab("create", "potter", "weaver")
    expect(other.locator("#scenes").get_by_text("potter")).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("#scenes").get_by_text("potter")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#scenes").get_by_text("potter")).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("#connection")).to_have_text("live")
    assert said == []
    page.context.close()
    other.context.close()


def test_a_page_says_that_the_hub_is_gone_and_comes_back_with_what_happened_meanwhile(
    chromium: Browser, own: Place
) -> None:
    page = signed_in(chromium, own, [])
    at = page.url.removeprefix("http://").rstrip("/")
    own.mab("serve", "--stop")
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost", timeout=MILLISECONDS)
    own.mab("create", "painter", "sculptor")
    own.serve("--http", at)
    expect(page.locator("#connection")).to_have_text("live", timeout=MILLISECONDS)
    expect(page.locator("#scenes").get_by_text("painter")).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("#timeline code", has_text="conversation.create")).to_have_count(1)
    page.context.close()


def test_a_page_of_who_is_signed_out_elsewhere_goes_to_the_sign_in(chromium: Browser, own: Place) -> None:
    page = signed_in(chromium, own, [])
    own.mab("dashboard", "--sign-out", "all")
    expect(page).to_have_url(re.compile(r"/sign-in$"), timeout=MILLISECONDS)
    expect(page.get_by_label("One-time code")).to_be_visible()
    page.context.close()


def test_without_scripts_a_code_signs_in_and_a_form_signs_out(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda message: said.append(message.text))
    made = json.loads(place.mab("dashboard", "--json").stdout)
    page.goto(made["url"].partition("#")[0])
    page.get_by_label("One-time code").fill(made["code"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Live")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("not live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_whole_width(chromium: Browser, place: Place, scheme: str) -> None:
    said: list[str] = []
    place.mab("create", "a role of a hundred characters ".ljust(100, "x"), "frontend")
    page = signed_in(chromium, place, said, color_scheme=scheme, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert said == []
    page.context.close()
