"""Passkeys in the system's Chromium, with its virtual authenticator in place of a finger (WebDriver, W3C level 2, 11)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.attacks.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

MILLISECONDS = 60_000


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.tidies()
    for row in json.loads(shared.place.mab("passkey", "list", "--json").stdout):
        shared.place.mab("passkey", "remove", row["passkey_id"])


def signed_in(chromium: Browser, site: Site, said: list[str], verifies: bool = True) -> tuple[Page, CDPSession, str]:
    """A page opened by the name localhost, its authenticator, and that authenticator's id."""
    page = chromium.new_context(reduced_motion="reduce").new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(json.loads(site.place.mab("dashboard", "--json").stdout)["url"].replace("127.0.0.1", "localhost"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#connection")).to_have_text("live", timeout=MILLISECONDS)
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": verifies, "automaticPresenceSimulation": True,
    }  # fmt: skip
    return page, session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def registered(page: Page, site: Site) -> None:
    done = site.person("passkey", "add")
    [code] = re.findall(r"Type the code (\w{43}) ", done.out)
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + "/approvals/passkeys")
    page.get_by_label("Code from the terminal").fill(code)
    page.get_by_role("button", name="Register a passkey").click()
    expect(page.locator(".cards li")).to_have_count(1, timeout=MILLISECONDS)


def test_a_passkey_that_the_terminal_let_in_approves_exactly_what_the_page_shows(chromium: Browser, site: Site) -> None:
    said: list[str] = []
    page, session, authenticator = signed_in(chromium, site, said)
    registered(page, site)
    home = page.url.removesuffix("/approvals/passkeys")
    for round_ in (1, 2):
        number = site.asks()
        page.goto(f"{home}/approvals/{number}")
        page.get_by_role("button", name="Approve with a passkey").click()
        expect(page.get_by_role("status").filter(has_text="1 approved")).to_be_visible(timeout=MILLISECONDS)
        assert site.runs(number, wait_seconds=50).fields["state"] == "done"
        assert site.ran == round_
    [row] = json.loads(site.place.mab("passkey", "list", "--json").stdout)
    assert (row["name"], row["host"]) == ("operator", "localhost")
    assert row["used_at"] is not None
    assert said == []
    # gone from the terminal, gone from the page
    number = site.asks()
    page.goto(f"{home}/approvals/{number}")
    site.place.mab("passkey", "remove", row["passkey_id"])
    page.get_by_role("button", name="Approve with a passkey").click()
    expect(page.locator("#passkey-said")).to_contain_text("no passkey of this name", timeout=MILLISECONDS)
    page.goto(f"{home}/approvals/{number}")
    expect(page.get_by_role("button", name="Approve once")).to_be_visible()
    assert page.get_by_role("button", name="Approve with a passkey").count() == 0
    assert site.state(number) == "pending"
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})
    page.context.close()


def test_a_clone_of_a_passkey_and_a_user_who_was_not_verified_approve_nothing(chromium: Browser, site: Site) -> None:
    said: list[str] = []
    page, session, authenticator = signed_in(chromium, site, said)
    registered(page, site)
    home = page.url.removesuffix("/approvals/passkeys")
    [copied] = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    number = site.asks()
    page.goto(f"{home}/approvals/{number}")
    page.get_by_role("button", name="Approve with a passkey").click()
    expect(page.get_by_role("status").filter(has_text="1 approved")).to_be_visible(timeout=MILLISECONDS)
    site.runs(number, wait_seconds=50)
    # the clone still counts where the passkey stood before
    session.send("WebAuthn.clearCredentials", {"authenticatorId": authenticator})
    session.send("WebAuthn.addCredential", {"authenticatorId": authenticator, "credential": copied | {"signCount": 0}})
    number = site.asks()
    page.goto(f"{home}/approvals/{number}")
    page.get_by_role("button", name="Approve with a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="not what was asked for")).to_be_visible(timeout=MILLISECONDS)
    assert site.state(number) == "pending"
    session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.goto(f"{home}/approvals/{number}")
    page.get_by_role("button", name="Approve with a passkey").click()
    expect(page.locator("#passkey-said")).not_to_be_empty(timeout=MILLISECONDS)
    assert site.state(number) == "pending"
    page.context.close()


def test_under_an_address_the_page_says_by_which_name_passkeys_work(chromium: Browser, site: Site) -> None:
    page = chromium.new_context().new_page()
    page.set_default_timeout(MILLISECONDS)
    url = json.loads(site.place.mab("dashboard", "--json").stdout)["url"]
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#connection")).to_have_text("live", timeout=MILLISECONDS)
    home = url.partition("/sign-in")[0]
    page.goto(f"{home}/approvals/passkeys")
    expect(page.get_by_text(home.replace("127.0.0.1", "localhost") + "/approvals/passkeys")).to_be_visible()
    assert page.get_by_role("button", name="Register a passkey").count() == 0
    page.context.close()
