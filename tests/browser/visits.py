"""Visits to the dashboard: the system's Chromium, who signs in, and what their console says."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright

from tests.machines.places import Place

MILLISECONDS = 60_000
"""For whatever must appear: the five seconds of Playwright are little on a machine that others keep busy."""
expect.set_options(timeout=MILLISECONDS)


@contextmanager
def started() -> Iterator[Browser]:
    """The system's Chromium. Fails when there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


def opened(chromium: Browser, said: list[str], **context: Any) -> Page:
    """A page of a browser of its own; what its console says goes to `said`."""
    page = chromium.new_context(**({"reduced_motion": "reduce"} | context)).new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return page


def signed_in(chromium: Browser, place: Place, said: list[str], script: bool = True, **context: Any) -> Page:
    """A page of somebody who followed a new link, or without `script` typed its code."""
    page, made = opened(chromium, said, java_script_enabled=script, **context), link(place)
    page.goto(made["url"])
    if not script:
        page.get_by_label("One-time code").fill(made["code"])
    page.get_by_role("button", name="Sign in").click()
    if script:
        live(page)
    return page


def link(place: Place) -> dict[str, str]:
    """What `mab dashboard` says: `url`, and the `code` in it."""
    made: dict[str, str] = json.loads(place.mab("dashboard", "--json").stdout)
    return made


def hub_of(page: Page) -> str:
    """Scheme, host and port of the hub that is looked at."""
    return "/".join(page.url.split("/", 3)[:3])


def at(page: Page, path: str, script: bool = True) -> None:
    """Another page of the same hub, with `script` once its stream has begun."""
    page.goto(hub_of(page) + path)
    if script:
        live(page)


def goes(page: Page, letter: str, url: str | re.Pattern[str]) -> None:
    """Another page by its two keys, once its stream has begun. The page forgets the first one after a second and a half: on a
    machine that takes longer between the two they are pressed again.
    """
    for turn in (1, 2, 3):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        try:
            page.wait_for_url(url, timeout=MILLISECONDS if turn == 3 else MILLISECONDS / 6)
            break
        except TimeoutError:
            assert turn < 3, f"g {letter} leads nowhere"
    live(page)


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_text("live", timeout=MILLISECONDS)
