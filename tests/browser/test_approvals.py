"""Approving in the system's Chromium: the code is read at a terminal, and a real command runs in the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.sites import Site
from tests.browser.visits import MILLISECONDS, at, signed_in
from tests.faces.desk import CODE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.tidies()


def code(site: Site, *words: str) -> str:
    """What the terminal shows."""
    done = site.person("yolo", "code", *words)
    assert done.status == 0, done.out
    return str(CODE.findall(done.out)[-1])


def test_a_command_asked_for_elsewhere_is_approved_on_the_page_and_its_output_reaches_the_agent(
    chromium: Browser, site: Site
) -> None:
    said: list[str] = []
    page = signed_in(chromium, site.place, said)
    page.get_by_role("link", name="Approvals").click()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    number = site.asks("python3 --version")
    link = page.get_by_role("link", name=number)
    expect(link).to_be_visible(timeout=MILLISECONDS)
    link.click()
    expect(page.get_by_role("button", name="Approve once")).to_be_visible()
    assert [page.locator(".argv .word").nth(n).inner_text() for n in range(2)] == ['"python3"', '"--version"']
    assert site.rows()[0]["digest"] in page.content()
    page.get_by_label("Code from the terminal").fill("aaaaaa")
    page.get_by_role("button", name="Approve once").click()
    expect(page.get_by_role("alert")).to_contain_text("not the code", timeout=MILLISECONDS)
    # Chromium itself notes the status of the page that was refused
    assert all("409" in line for line in said), said
    said.clear()
    page.get_by_label("Code from the terminal").fill(code(site, number))
    page.get_by_role("button", name="Approve once").click()
    expect(page.get_by_role("status").filter(has_text="1 approved")).to_be_visible(timeout=MILLISECONDS)
    done = site.runs(number, wait_seconds=50)
    assert (done.fields["state"], done.fields["exit_code"]) == ("done", 0), done.text
    assert str(done.fields["stdout"]).startswith("Python 3.")
    expect(page.locator("#others").get_by_text("exit status 0").first).to_be_visible(timeout=MILLISECONDS)
    assert said == []
    page.context.close()


def test_what_was_chosen_stays_chosen_while_others_come_and_is_approved_with_one_code(
    chromium: Browser, site: Site
) -> None:
    said: list[str] = []
    page = signed_in(chromium, site.place, said)
    one, two = site.asks(), site.asks()
    at(page, "/approvals")
    page.get_by_label(f"choose {one}").check()
    page.get_by_label(f"choose {two}").check()
    late = site.asks()
    expect(page.get_by_label(f"choose {late}")).to_be_visible(timeout=MILLISECONDS)
    assert [page.get_by_label(f"choose {number}").is_checked() for number in (one, two, late)] == [True, True, False]
    page.get_by_role("button", name="Decide the chosen together").click()
    expect(page.get_by_role("heading", name="2 commands together")).to_be_visible()
    page.get_by_label("Code from the terminal").fill(code(site, two, one))
    page.get_by_role("button", name="Approve these 2").click()
    expect(page.get_by_role("status").filter(has_text="2 approved")).to_be_visible(timeout=MILLISECONDS)
    assert [site.state(number) for number in (one, two, late)] == ["approved", "approved", "pending"]
    for number in (one, two):
        assert site.runs(number, wait_seconds=50).fields["state"] == "done"
    assert site.ran == 2
    assert said == []
    page.context.close()


def test_of_two_browsers_one_decides_and_the_other_is_told_at_once_with_what_was_typed_kept(
    chromium: Browser, site: Site
) -> None:
    said: list[str] = []
    number = site.asks()
    one, two = signed_in(chromium, site.place, said), signed_in(chromium, site.place, said)
    for page in (one, two):
        page.goto(page.url.rstrip("/") + f"/approvals/{number}")
        expect(page.locator("#connection")).to_have_text("live", timeout=MILLISECONDS)
    two.get_by_label("Reason, for the agent").fill("wait until Monday")
    one.get_by_label("Code from the terminal").fill(code(site, number))
    one.get_by_role("button", name="Approve once").click()
    expect(one.get_by_role("status").filter(has_text="1 approved")).to_be_visible(timeout=MILLISECONDS)
    expect(two.locator("#standing")).to_contain_text("approved", timeout=MILLISECONDS)
    assert two.get_by_label("Reason, for the agent").input_value() == "wait until Monday"
    assert said == []
    two.get_by_role("button", name="Deny", exact=True).click()
    expect(two.get_by_role("alert")).to_contain_text("does not wait for anybody", timeout=MILLISECONDS)
    expect(two.get_by_text("wait until Monday")).to_be_visible()
    assert site.state(number) == "approved"
    one.context.close()
    two.context.close()


def test_without_javascript_the_code_form_works(chromium: Browser, site: Site) -> None:
    number = site.asks()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    made = json.loads(site.place.mab("dashboard", "--json").stdout)
    page.goto(made["url"])
    page.get_by_label("One-time code").fill(made["code"])
    page.get_by_role("button", name="Sign in").click()
    page.goto(made["url"].partition("/sign-in")[0] + f"/approvals/{number}")
    page.get_by_label("First words").fill("3")
    page.get_by_role("button", name="Say what that allows").click()
    expect(page.get_by_text("with any arguments in")).to_be_visible()
    page.get_by_label("Code from the terminal").fill(code(site, number, "--words", "3"))
    page.get_by_role("button", name="Approve it and what is said of it").click()
    expect(page.get_by_role("status").filter(has_text="1 approved")).to_be_visible(timeout=MILLISECONDS)
    assert site.runs(number, wait_seconds=50).fields["state"] == "done"
    context.close()


def test_a_phone_shows_it_whole_and_keys_are_enough(chromium: Browser, site: Site) -> None:
    said: list[str] = []
    number = site.asks(f"python3 count.py {'x' * 300} '<script>document.title=1</script>'")
    page = signed_in(chromium, site.place, said, viewport={"width": 320, "height": 640})
    at(page, "/approvals")
    page.keyboard.press("j")
    expect(page.locator(f"#{number}")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=number)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_label("Reason, for the agent").press_sequentially("no")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 denied")).to_be_visible(timeout=MILLISECONDS)
    assert page.title() == "Approvals · Multiagent Bridge"
    assert site.state(number) == "denied"
    assert said == []
    page.context.close()
