"""Pictures of `mab top`: drawn by the program, the same bytes every time."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

import pytest

from tests.faces import top_stage

pytestmark = pytest.mark.anyio


def words(svg: str) -> str:
    return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))).replace("\xa0", " ")


async def test_pictures_are_the_same_bytes_every_time() -> None:
    once, again = await top_stage.drawn(), await top_stage.drawn()
    assert once == again
    assert set(once) == {"top", "top-approve"}


async def test_a_picture_shows_the_scene_and_is_well_formed() -> None:
    pictures = await top_stage.drawn()
    for svg in pictures.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "@font-face" not in svg
    shown = words(pictures["top"])
    for what in ("mab top  live  1 to approve", "Approvals", "silent", "blocked", "waiting", "pytest", "b>a"):
        assert what in shown, what
    asked = words(pictures["top-approve"])
    for what in ("Approve cmd_", '["pytest", "-q", "tests/api"]', "bubblewrap", "digest", "Type the code "):
        assert what in asked, what
