"""Every page of the dashboard, full of what agents wrote: for everybody, on a phone, by keyboard, and as text alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.content import PLANTED, Content
from tests.browser.visits import MILLISECONDS, at, goes, hub_of, link, live, opened

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NAMES = (
    "live", "conversations", "conversation", "its search", "tasks", "task", "approvals", "approval", "approvals together",
    "passkeys", "journal", "entry", "verification", "health", "error",
)  # fmt: skip

WRITTEN = frozenset(NAMES) - {"passkeys", "journal", "entry", "verification", "health", "error"}
"""Pages where words of agents stand."""

MARKUP = """() => [...document.querySelectorAll("*")].filter((one) =>
  one.matches("img, iframe, object, embed, [href^='javascript:' i], [hx-get='/sign-in'], [autofocus]") ||
  (one.localName === "script" && !one.src.startsWith(location.origin + "/static/")) ||
  [...one.attributes].some((held) => /^(on|hx-on|style)/i.test(held.name))).map((one) => one.outerHTML.slice(0, 200))"""
"""Elements that no template has."""

OPEN_ALL = "() => document.querySelectorAll('details').forEach((one) => { one.open = true })"


def visit(chromium: Browser, content: Content, name: str, said: list[str], **context: object) -> Page:
    page = opened(chromium, said, storage_state=content.state, **context)
    page.goto(content.url + content.paths[name])
    if name == "error":
        expect(page.locator("#connection")).to_have_text("not live")
    else:
        live(page)
    return page


def expected(said: list[str], name: str) -> bool:
    """Whether the console said nothing but what Chromium itself says of a page that is not there."""
    return all(name == "error" and "404" in line for line in said)


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_in_light_and_dark_and_the_console_says_nothing(
    chromium: Browser, content: Content, name: str
) -> None:
    said: list[str] = []
    page = visit(chromium, content, name, said)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe.violations(page) == []
    assert expected(said, name), said
    page.context.close()


def test_axe_finds_nothing_on_the_sign_in_page_and_the_list_of_keys(chromium: Browser, content: Content) -> None:
    said: list[str] = []
    stranger = opened(chromium, said)
    stranger.goto(content.url + "/sign-in")
    page = visit(chromium, content, "live", said, viewport={"width": 320, "height": 640})
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    for one in (stranger, page):
        for scheme in ("light", "dark"):
            one.emulate_media(color_scheme=scheme)
            assert axe.violations(one) == []
        one.context.close()
    assert said == []


@pytest.mark.parametrize("name", NAMES)
def test_what_agents_wrote_is_text_and_fits_a_phone(chromium: Browser, content: Content, name: str) -> None:
    said: list[str] = []
    # without the policy: it is the second lock, and here the first alone must hold
    page = visit(chromium, content, name, said, bypass_csp=True, viewport={"width": 320, "height": 640})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(MARKUP) == []
    assert page.evaluate("window.planted") is None
    assert ("window.planted=1" in page.locator("main").inner_text()) == (name in WRITTEN)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 320
    assert expected(said, name), said
    page.context.close()


def test_what_arrives_at_an_open_page_is_text_too(chromium: Browser, content: Content) -> None:
    said: list[str] = []
    page = visit(chromium, content, "conversation", said, bypass_csp=True)
    carol = content.site.place.agents[2]
    sent = carol.good("send_to_partner", message=PLANTED, files_involved=[PLANTED])["message_id"]
    expect(page.locator(f"#message-{sent}").get_by_text("{{7*7}}").first).to_be_visible(timeout=MILLISECONDS)
    assert page.evaluate(MARKUP) == []
    assert page.evaluate("window.planted") is None
    assert said == []
    page.context.close()


def test_both_looks_find_what_is_wrong(chromium: Browser, content: Content) -> None:
    page = visit(chromium, content, "health", [], bypass_csp=True)
    page.evaluate("(words) => document.querySelector('main').insertAdjacentHTML('beforeend', words)", PLANTED)
    assert len(page.evaluate(MARKUP)) >= 4
    assert any(line.startswith("image-alt") for line in axe.violations(page))
    page.wait_for_function("window.planted === 1")
    page.context.close()


def test_keys_alone_lead_to_every_page_through_its_rows_and_to_a_decision(chromium: Browser, content: Content) -> None:
    said: list[str] = []
    number = content.site.asks()
    page = visit(chromium, content, "live", said)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys = page.locator("#help dt:has(kbd:nth-child(2))").all_inner_texts()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    letters = [words.split()[1] for words in keys if words.startswith("g")]
    assert len(letters) == page.locator("nav a").count() >= 6
    for letter in letters:
        goal = page.locator(f"nav [data-go={letter}]").get_attribute("href")
        goes(page, letter, content.url + str(goal))
        walks(page)
        if page.locator("main input[type=search]").count():
            page.keyboard.press("/")
            expect(page.locator("main input[type=search]").first).to_be_focused()
            leaves(page)
    at(page, "/approvals")
    page.get_by_role("link", name=number).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=number)).to_be_visible()
    tabs_to(page, "reason")
    page.keyboard.type("not today")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 denied")).to_be_visible(timeout=MILLISECONDS)
    assert content.site.state(number) == "denied"
    assert said == []
    page.context.close()


def walks(page: Page) -> None:
    """`j` and `k` go down and up the rows."""
    rows = page.locator("main .row:visible")
    assert rows.count() >= 2
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()


def leaves(page: Page) -> None:
    """Back out of the fields, in which letters are letters."""
    for _ in range(20):
        if not page.evaluate("document.activeElement.matches('input, select, textarea')"):
            return
        page.keyboard.press("Shift+Tab")
    pytest.fail("the focus stays in the fields")


def tabs_to(page: Page, wanted: str) -> None:
    """Tab leads from the top of the page to that field: nothing on the way keeps the focus."""
    seen: list[str] = []
    page.locator("#main").focus()
    for _ in range(200):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.outerHTML.slice(0, 80)"))
        if seen[-1] == wanted:
            return
    pytest.fail(f"not reached: {seen}")


def test_a_wrong_clock_and_another_time_zone_change_no_time_that_is_shown(chromium: Browser, content: Content) -> None:
    said: list[str] = []
    carol = content.site.place.agents[2]
    sent = carol.good("send_to_partner", message="what time is it")["message_id"]
    page = opened(chromium, said, storage_state=content.state, timezone_id="Asia/Tokyo")
    page.clock.install(time="2001-02-03T04:05:06")
    page.goto(content.url + content.paths["conversation"])
    shown = page.locator(f"#message-{sent} time")
    said_at = str(shown.get_attribute("datetime"))
    expect(shown.locator(".clock")).to_have_text(said_at[11:19])
    began = page.evaluate("new Date().toISOString()")
    assert str(began).startswith("2001-02-0"), began
    shown.locator(".ago").evaluate("(one) => { one.textContent = 'gone' }")
    # the script writes it again at its next tick
    page.clock.run_for(6_000)
    expect(shown.locator(".ago")).to_have_text(re.compile(r"^(just now|\d+ s ago|\d min ago)$"))
    assert said == []
    page.context.close()


def test_without_javascript_a_code_signs_in_filters_filter_and_a_conversation_is_read(
    chromium: Browser, content: Content
) -> None:
    said: list[str] = []
    page = opened(chromium, said, java_script_enabled=False)
    made = link(content.site.place)
    page.goto(made["url"].partition("#")[0])
    page.get_by_label("One-time code").fill(made["code"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Live")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("not live")
    page.get_by_label("Show").select_option("refusals")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#timeline .badge", has_text="refused").first).to_be_visible()
    expect(page.locator("#timeline .badge", has_text="done")).to_have_count(0)
    page.get_by_role("link", name="Conversations", exact=True).click()
    page.get_by_label("Id or role").fill(content.site.conversation)
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name=content.site.conversation).click()
    expect(page.get_by_role("heading", name=f"Conversation {content.site.conversation}")).to_be_visible()
    expect(page.locator("#thread").get_by_text("window.planted=1").first).to_be_visible()
    page.goto(hub_of(page) + f"/journal?action=message.send&conversation={content.site.conversation}")
    expect(page.locator("#entries .row").first).to_contain_text("message.send")
    assert said == []
    page.context.close()
