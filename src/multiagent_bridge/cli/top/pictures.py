"""`mab top` as a picture, for the documents: the program itself, drawn by Textual."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from multiagent_bridge.cli.top.app import Top

if TYPE_CHECKING:
    from multiagent_bridge.cli.top.feed import Feed
    from multiagent_bridge.ports import Clock

_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""Rules that fetch fonts from elsewhere: a picture of ours asks nobody for anything."""

SECONDS = 20.0
"""Longest wait for anything that is to be drawn."""


async def picture(
    feed: Feed, clock: Clock, columns: int = 100, lines: int = 30, keys: Sequence[str] = (), dialog: bool = False
) -> str:
    """The screen as SVG, once the feed has told of everything and `keys` were pressed; with `dialog` once one is open.

    The same words on the screen give the same bytes: with a clock that stands still and fixed ids nothing else differs.
    """
    app = Top(feed, clock)
    async with app.run_test(size=(columns, lines)) as pilot:
        async with asyncio.timeout(SECONDS):
            await feed.settled.wait()
            await pilot.pause()
            await pilot.press(*keys)
            while dialog and not isinstance(app.screen, ModalScreen):
                await pilot.pause(0.01)
            await pilot.pause()
        drawn = app.export_screenshot(title="mab top")
    return _FONTS.sub("", drawn)
