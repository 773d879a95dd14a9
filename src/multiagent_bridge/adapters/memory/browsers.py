"""Signed-in browsers and sign-in links in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.browsers import Browser, Link


class Browsers:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add_link(self, link: Link) -> None:
        table = self._tables.changing().sign_in_links
        if link.digest in table:
            raise Conflict("the link exists already", "make another")
        table[link.digest] = link

    async def take_link(self, digest: bytes) -> Link | None:
        return self._tables.changing().sign_in_links.pop(digest, None)

    async def sweep(self, now: int) -> int:
        tables = self._tables.changing()
        links = [digest for digest, link in tables.sign_in_links.items() if link.expires_at <= now]
        over = [one.id for one in tables.browsers.values() if one.expires_at <= now or one.ended_at is not None]
        for digest in links:
            del tables.sign_in_links[digest]
        for number in over:
            del tables.browsers[number]
        return len(links) + len(over)

    async def add(self, browser: Browser) -> None:
        table = self._tables.changing().browsers
        if browser.id in table or any(one.digest == browser.digest for one in table.values()):
            raise Conflict("the browser is signed in already", "sign in again")
        table[browser.id] = browser

    async def get(self, browser_id: str) -> Browser | None:
        return self._tables.looking().browsers.get(browser_id)

    async def by_digest(self, digest: bytes) -> Browser | None:
        return next((one for one in self._tables.looking().browsers.values() if one.digest == digest), None)

    async def list(self) -> Sequence[Browser]:
        return list(self._tables.looking().browsers.values())

    async def touch(self, browser_id: str, now: int) -> None:
        table = self._tables.changing().browsers
        if browser_id in table:
            table[browser_id] = replace(table[browser_id], seen_at=now)

    async def end(self, browser_id: str, now: int) -> bool:
        table = self._tables.changing().browsers
        found = table.get(browser_id)
        if found is None or found.ended_at is not None:
            return False
        table[browser_id] = replace(found, ended_at=now)
        return True
