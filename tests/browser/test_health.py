"""The page *Health* in the system's Chromium: light and dark, narrow, by keyboard, and moving by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visits import at, goes, live, signed_in
from tests.machines.places import Place

NO_CLOCK = "const every = setInterval; setInterval = (look, pause) => (pause < 10000 ? every(look, pause) : 0)"
"""Takes from a page what it looks at by itself, every fifteen seconds: what moves it then was told of."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_in_light_and_dark_on_a_narrow_phone_without_a_word_on_the_console(
    chromium: Browser, place: Place, scheme: str
) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said, color_scheme=scheme, viewport={"width": 320, "height": 640})
    goes(page, "h", "**/health")
    expect(page.get_by_role("heading", name="Findings")).to_be_visible()
    expect(page.locator("#finding-journal")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.locator("body").press("j")
    expect(page.locator("main .row").first).to_be_focused()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
    assert said == []
    page.context.close()


def test_a_backup_that_is_made_elsewhere_moves_the_page(chromium: Browser, place: Place, tmp_path: Path) -> None:
    said: list[str] = []
    page = signed_in(chromium, place, said)
    page.add_init_script(NO_CLOCK)
    at(page, "/health")
    live(page)
    before = page.locator("#finding-journal").text_content()
    place.mab("backup", f"{tmp_path}/bridge.age")
    expect(page.locator("#finding-journal")).not_to_have_text(before or "")
    assert said == []
    page.context.close()
