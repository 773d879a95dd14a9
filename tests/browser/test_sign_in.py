"""Signing in at an issuer of another site in the system's Chromium, and what was typed when a sign-in ended."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import axe
from tests.browser.visits import MILLISECONDS, at, hub_of, link, live, opened, signed_in
from tests.machines.places import UNLIMITED, Place, made, until
from tests.oidc_issuer import AUDIENCE, CLIENT, Issuer, issuing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BOX = "Message, as the operator"
KEPT = "Object.keys(sessionStorage).filter((key) => key.startsWith('mab-'))"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    # the hub is at 127.0.0.1: for a browser these are two sites
    with issuing(host="localhost") as found:
        found.identity["roles"] = ["mab-operator"]
        yield found


@pytest.fixture(scope="module")
def place(issuer: Issuer) -> Iterator[Place]:
    """A hub where people sign in at the issuer."""
    settings = {
        "MAB_OIDC__ISSUER": issuer.url,
        "MAB_OIDC__AUDIENCE": json.dumps([AUDIENCE]),
        "MAB_OIDC__CLIENT_ID": CLIENT,
        "MAB_OIDC__OPERATOR": json.dumps(["mab-operator"]),
    }
    with made(**UNLIMITED, **settings) as here:
        here.serve("--http", "127.0.0.1:0")
        yield here


def agrees(page: Page, answer: str = "Yes") -> None:
    """Through the issuer, from the sign-in page on."""
    page.get_by_role("link", name="Sign in with localhost").click()
    expect(page.get_by_role("heading", name="Issuer")).to_be_visible(timeout=MILLISECONDS)
    page.get_by_role("link", name=answer).click()


def arrived(chromium: Browser, place: Place, said: list[str], **context: bool) -> Page:
    """A page of somebody who signed in at the issuer."""
    page = opened(chromium, said, **context)
    page.goto(link(place)["url"].partition("#")[0])
    agrees(page)
    expect(page.get_by_role("heading", name="Live")).to_be_visible(timeout=MILLISECONDS)
    return page


def typed(page: Page, conversation: str, words: str) -> None:
    at(page, f"/conversations/{conversation}")
    page.get_by_label(BOX).fill(words)


def ended(page: Page, place: Place) -> None:
    """The sign-in of the page is ended elsewhere, and the page notices."""
    place.mab("dashboard", "--sign-out", "all")
    page.wait_for_url("**/sign-in", timeout=MILLISECONDS)


def forgotten(page: Page) -> None:
    """The hub has heard that the sign-in ended: another process wrote it, and it looks once a second."""
    held = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies(hub_of(page)))
    asked = urllib.request.Request(f"{hub_of(page)}/", headers={"Cookie": held})
    # whatever proxy this machine is set up with
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def refused() -> bool:
        try:
            straight.open(asked, timeout=60).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        return False

    until(refused, "the hub forgets the sign-in", MILLISECONDS / 1000)


def found_again(page: Page, words: str) -> None:
    """From Live to the box in which those words stand."""
    page.get_by_role("link", name="go on writing").click()
    expect(page.get_by_label(BOX)).to_have_value(words, timeout=MILLISECONDS)


def test_a_person_signs_in_at_an_issuer_of_another_site_and_no_address_keeps_the_code(
    chromium: Browser, place: Place
) -> None:
    said: list[str] = []
    page = opened(chromium, said)
    page.goto(link(place)["url"].partition("#")[0])
    assert axe.violations(page) == []
    agrees(page)
    live(page)
    expect(page.locator(".who")).to_contain_text("zoe")
    (cookie,) = [one for one in page.context.cookies() if one["name"].startswith("mab_")]
    assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
    held = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    ours = [one["url"] for one in held if one["url"].startswith(hub_of(page))]
    assert {url.removeprefix(hub_of(page)) for url in ours} == {"/sign-in", "/"}
    assert said == []
    page.context.close()


def test_without_javascript_a_person_signs_in_at_the_issuer(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = arrived(chromium, place, said, java_script_enabled=False)
    expect(page.locator(".who")).to_contain_text("zoe")
    assert said == []
    page.context.close()


def test_who_says_no_reads_why_and_may_try_again(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = opened(chromium, said)
    page.goto(link(place)["url"].partition("#")[0])
    agrees(page, "No")
    expect(page.get_by_role("alert")).to_contain_text("the issuer did not sign you in")
    assert "state" not in page.url
    assert axe.violations(page) == []
    agrees(page)
    live(page)
    assert said == []
    page.context.close()


def test_what_was_typed_is_there_again_after_signing_in_again_and_gone_once_it_was_sent(
    chromium: Browser, place: Place
) -> None:
    said: list[str] = []
    _, bob, mine = place.pair()
    page = arrived(chromium, place, said)
    typed(page, mine, "half a thought\nand more")
    page.get_by_text("To whom, and of what type").click()
    page.get_by_role("checkbox", name="b frontend").check()
    page.get_by_label("Type", exact=True).first.select_option("question")
    ended(page, place)
    assert "half a thought" not in page.content()
    agrees(page)
    expect(page.get_by_role("heading", name="Live")).to_be_visible(timeout=MILLISECONDS)
    assert axe.violations(page) == []
    found_again(page, "half a thought\nand more")
    expect(page.get_by_role("checkbox", name="b frontend")).to_be_checked()
    assert axe.violations(page) == []
    page.get_by_role("button", name="Send as operator").click()
    expect(page.locator("#message-1")).to_contain_text("half a thought")
    expect(page.get_by_label(BOX)).to_have_value("")
    assert page.evaluate(KEPT) == []
    (got,) = bob.good("check_messages", wait_seconds=5)["messages"]
    assert (got["message"], got["action_type"]) == ("half a thought\nand more", "question")
    assert [line for line in said if "401" not in line] == []
    page.context.close()


@pytest.mark.parametrize("words", ["sent too late", "late " * 2_000], ids=["short", "longer than the hub listens"])
def test_what_was_sent_after_the_end_was_not_and_is_not_lost(chromium: Browser, place: Place, words: str) -> None:
    said: list[str] = []
    _, _, mine = place.pair()
    page = arrived(chromium, place, said)
    # a page that has not heard yet
    page.route("**/events*", lambda route: route.abort())
    page.goto(f"{hub_of(page)}/conversations/{mine}")
    page.get_by_label(BOX).fill(words)
    kept = page.evaluate(KEPT)
    assert len(kept) == 1, "what was typed is kept as it is typed"
    place.mab("dashboard", "--sign-out", "all")
    forgotten(page)
    page.get_by_role("button", name="Send as operator").click()
    expect(page.get_by_role("status").first).to_contain_text("Your sign-in has ended")
    assert words.strip() not in page.locator("body").inner_text()
    page.unroute_all()
    page.wait_for_load_state()
    assert page.evaluate(KEPT) == kept
    agrees(page)
    live(page)
    assert page.evaluate(KEPT) == kept
    found_again(page, words)
    expect(page.locator("#message-1")).to_have_count(0)
    page.context.close()


def test_what_one_person_typed_is_not_there_for_another_on_the_same_browser(
    chromium: Browser, place: Place, issuer: Issuer
) -> None:
    said: list[str] = []
    _, _, mine = place.pair()
    page = arrived(chromium, place, said)
    typed(page, mine, "for zoe alone")
    ended(page, place)
    try:
        # of the same name, and another person
        issuer.identity["sub"] = "user-8"
        agrees(page)
        live(page)
    finally:
        del issuer.identity["sub"]
    expect(page.get_by_role("link", name="go on writing")).to_have_count(0)
    assert page.evaluate(KEPT) == []
    at(page, f"/conversations/{mine}")
    expect(page.get_by_label(BOX)).to_have_value("")
    page.context.close()


def tabs(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    live(page)
    return page


def test_signing_out_leaves_nothing_typed_in_any_tab(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    _, _, mine = place.pair()
    page = signed_in(chromium, place, said)
    url = hub_of(page)
    other = tabs(page.context, f"{url}/conversations/{mine}")
    other.get_by_label(BOX).fill("in another tab")
    typed(page, mine, "in this tab")
    assert len(other.evaluate(KEPT)) == len(page.evaluate(KEPT)) == 1
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in", timeout=MILLISECONDS)
    other.wait_for_url("**/sign-in", timeout=MILLISECONDS)
    for one in (page, other):
        assert one.evaluate(KEPT) == []
    page.context.close()


def test_signing_out_leaves_nothing_typed_in_a_tab_that_is_elsewhere_meanwhile(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = arrived(chromium, place, said)
    _, _, mine = place.pair()
    hub, other = hub_of(page), page.context.new_page()
    other.goto(f"{hub}/")
    typed(other, mine, "a draft of mine")
    other.goto("about:blank")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in", timeout=MILLISECONDS)
    other.goto(f"{hub}/sign-in")
    assert other.evaluate(KEPT) == []
    # what is typed from then on is kept as ever
    agrees(other)
    typed(other, mine, "another draft")
    at(other, "/")
    found_again(other, "another draft")
    page.context.close()


def test_a_reason_is_kept_and_a_code_never(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    _, _, mine = place.pair()
    page = signed_in(chromium, place, said)
    at(page, "/journal")
    page.get_by_text("Against a checkpoint that was kept elsewhere").click()
    page.get_by_label("The note, whole").fill("a note")
    at(page, f"/conversations/{mine}")
    at(page, "/journal")
    expect(page.get_by_label("The note, whole")).to_have_value("a note")
    at(page, "/approvals/passkeys")
    for field in page.locator("main input:not([type=hidden])").all():
        field.fill("typed-code")
    at(page, "/")
    assert "typed-code" not in page.evaluate("JSON.stringify(sessionStorage)")
    page.context.close()
