"""The page *Journal* in the system's Chromium: new entries by themselves, filters, verification, checkpoint and export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import MILLISECONDS, at, goes, live, signed_in
from tests.machines.places import Place, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def newest(page: Page) -> int:
    return int((page.locator("#entries li.row").first.get_attribute("id") or "").removeprefix("entry-"))


def test_new_entries_appear_on_top_an_open_one_stays_open_and_a_pause_holds_them(
    chromium: Browser, place: Place
) -> None:
    said: list[str] = []
    alice, _, _ = place.pair()
    page = signed_in(chromium, place, said)
    at(page, "/journal")
    live(page)
    first = newest(page)
    opened = page.locator(f"#whole-{first}")
    opened.locator("summary").click()
    expect(opened.get_by_text('"v":1}')).to_be_visible()
    alice.good("send_to_partner", message="<script>document.title='planted'</script>")
    expect(page.locator(f"#entry-{first + 1}")).to_be_visible()
    expect(opened.get_by_text('"v":1}')).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    sent = place.entries()[-1]["seq"]
    alice.good("send_to_partner", message="while it is paused")
    after = place.entries()[-1]["seq"]
    # what another page of the same browser is told has reached this one, too
    beside = page.context.new_page()
    beside.goto(page.url)
    expect(beside.locator(f"#entry-{after}")).to_be_visible()
    assert page.locator(f"#entry-{after}").count() == 0
    assert newest(page) <= sent
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(f"#entry-{after}")).to_be_visible()
    assert page.title() == "Journal · Multiagent Bridge"
    assert said == []
    page.context.close()


def test_filters_go_into_the_address_by_keyboard_alone(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said)
    goes(page, "j", "**/journal")
    page.keyboard.press("/")
    expect(page.locator("#target")).to_be_focused()
    page.locator("#action").focus()
    page.keyboard.type("browser")
    page.keyboard.press("Enter")
    page.wait_for_url("**/journal?*action=browser*")
    live(page)
    rows = page.locator("#entries li.row")
    expect(rows.first).to_be_visible()
    assert {one.split(".")[0] for one in page.locator("#entries li.row > code").all_text_contents()} == {"browser"}
    page.locator("body").press("j")
    expect(rows.first).to_be_focused()
    assert said == []
    page.context.close()


def test_a_verification_shows_what_it_came_to_by_itself(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said)
    at(page, "/journal")
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url("**/journal/verification")
    expect(page.locator("#verification .badge.good")).to_have_text("verified")
    expect(page.get_by_role("button", name="Verify again")).to_be_visible()
    assert said == []
    page.context.close()


def test_a_checkpoint_and_an_export_are_files_that_verify_elsewhere(
    chromium: Browser, place: Place, tmp_path: Path
) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said)
    at(page, "/journal/checkpoint")
    page.get_by_role("button", name="Make a checkpoint").click()
    expect(page.locator("#note")).to_be_visible()
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save the note").click()
    saving.value.save_as(tmp_path / "note")
    place.mab("audit", "--against", str(tmp_path / "note"))
    at(page, "/journal")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Export").click()
    saving.value.save_as(tmp_path / "journal.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert lines == list(place.entries())[: len(lines)]
    assert lines[-1]["action"] in ("journal.export", "store.checkpoint")
    assert said == []
    page.context.close()


def test_everything_works_without_javascript_on_a_narrow_phone(chromium: Browser, place: Place) -> None:
    page = signed_in(chromium, place, [], script=False, viewport={"width": 320, "height": 640})
    at(page, "/journal?action=browser.link", script=False)
    expect(page.locator("#entries li.row").first).to_be_visible()
    page.locator("#entries details summary").first.click()
    expect(page.locator("#entries details pre").first).to_be_visible()
    wide = "document.documentElement.scrollWidth"
    context = page.context
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url("**/journal/verification")

    def verified() -> bool:
        page.reload()
        return page.locator("#verification .badge.good").count() > 0

    until(verified, "the verification has ended", MILLISECONDS / 1000)
    expect(page.locator("#verification .badge.good")).to_have_text("verified")
    context.close()
    scripted = signed_in(chromium, place, [], viewport={"width": 320, "height": 640})
    for path in ("/journal", "/journal/entries/1", "/journal/verification", "/journal/checkpoint"):
        at(scripted, path)
        if scripted.locator("#entries details summary").count():
            scripted.locator("#entries details summary").first.click()
        assert scripted.evaluate(wide) <= 320, path
    scripted.context.close()
