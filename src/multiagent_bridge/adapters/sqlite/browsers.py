"""Signed-in browsers and sign-in links in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Row, Statements
from multiagent_bridge.model.browsers import Browser, Link

_SQL = named("browsers")


class Browsers:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add_link(self, link: Link) -> None:
        self._run.do(_SQL["add_link"], _values(link))

    async def take_link(self, digest: bytes) -> Link | None:
        row = self._run.row(_SQL["take_link"], {"digest": digest})
        if row is None:
            return None
        held, name, roles, conversations, key, *rest = row
        return Link(held, name, tuple(roles.split()), _confined(conversations), key, *rest)

    async def sweep(self, now: int) -> int:
        return self._run.change(_SQL["sweep_links"], {"now": now}) + self._run.change(_SQL["sweep"], {"now": now})

    async def add(self, browser: Browser) -> None:
        self._run.do(_SQL["add"], _values(browser))

    async def get(self, browser_id: str) -> Browser | None:
        row = self._run.row(_SQL["get"], {"id": browser_id})
        return _browser(row) if row else None

    async def by_digest(self, digest: bytes) -> Browser | None:
        row = self._run.row(_SQL["by_digest"], {"digest": digest})
        return _browser(row) if row else None

    async def list(self) -> Sequence[Browser]:
        return [_browser(row) for row in self._run.rows(_SQL["list"], {})]

    async def touch(self, browser_id: str, now: int) -> None:
        self._run.do(_SQL["touch"], {"id": browser_id, "now": now})

    async def end(self, browser_id: str, now: int) -> bool:
        return bool(self._run.change(_SQL["end"], {"id": browser_id, "now": now}))


def _values(row: Link | Browser) -> dict[str, str | int | bytes | None]:
    confined = None if row.conversations is None else " ".join(row.conversations)
    return {**asdict(row), "roles": " ".join(row.roles), "conversations": confined}


def _confined(words: str | None) -> Sequence[str] | None:
    return None if words is None else tuple(words.split())


def _browser(row: Row) -> Browser:
    number, digest, name, roles, conversations, key, *rest = row
    return Browser(number, digest, name, tuple(roles.split()), _confined(conversations), key, *rest)
