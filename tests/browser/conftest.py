"""One Chromium and one hub full of content for the tests of a file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.attacks.sites import Site, opened
from tests.browser.content import Content, filled
from tests.browser.visits import started
from tests.machines.places import UNLIMITED, Place, made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def content(chromium: Browser) -> Iterator[Content]:
    """For tests that take nothing away from it."""
    with filled(chromium) as full:
        yield full


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A hub for those tests of a file that do it no harm."""
    with made(**UNLIMITED) as here:
        here.serve("--http", "127.0.0.1:0")
        yield here


@pytest.fixture
def own() -> Iterator[Place]:
    """A hub for one test."""
    with made(**UNLIMITED) as place:
        place.serve("--http", "127.0.0.1:0")
        yield place


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """Commands are enabled there; each test of the file tidies up what it left waiting."""
    workspace = Path(tempfile.mkdtemp(prefix="shop-"))
    try:
        with made(**UNLIMITED) as place:
            place.serve("--http", "127.0.0.1:0")
            yield opened(place, workspace, "restricted")
            place.verified()
    finally:
        shutil.rmtree(workspace)
