"""The dashboard of a hub in memory behind the real HTTP face, and a browser as bytes on the wire see it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from multiagent_bridge.mcp.http import Endpoint
from multiagent_bridge.mcp.server import build
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.testing.hubs import OWNER, TestHub, memory_hub
from multiagent_bridge.web.dashboard import Dashboard
from multiagent_bridge.web.face import HttpFace, Place
from tests.faces.http_yard import UNLIMITED, certified

OURS = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
"""What a browser says of itself when a page of ours asks."""

SECONDS = 60.0


@dataclass
class Site:
    world: TestHub
    face: HttpFace
    dashboard: Dashboard
    certificate: Path | None = None

    @property
    def url(self) -> str:
        return self.face.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stranger(self, **headers: str) -> httpx2.AsyncClient:
        """A browser that is not signed in, on a page of ours."""
        verify: Any = True
        if self.certificate is not None:
            import ssl

            verify = ssl.create_default_context(cafile=str(self.certificate))
        return httpx2.AsyncClient(
            base_url=self.url, headers={**OURS, **headers}, verify=verify, trust_env=False, timeout=SECONDS
        )

    @asynccontextmanager
    async def browser(self, caller: Caller = OWNER) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser that came by a link of `caller`."""
        made = await self.world.hub.browsers.link(caller)
        async with self.stranger() as browser:
            answer = await self.post(browser, "/sign-in", code=made.code)
            assert answer.status_code == 303, answer.text
            yield browser

    async def post(self, browser: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
        """A form of a page of ours, sent."""
        return await browser.post(path, data=fields, headers={"origin": self.url})


@asynccontextmanager
async def site(world: TestHub | None = None, tls: Path | None = None, **place: Any) -> AsyncIterator[Site]:
    """The face with its dashboard, open. `tls` is a folder for a certificate of its own."""
    found = world or memory_hub(UNLIMITED)
    certificate = None
    if tls is not None:
        authority = certified(tls, "ca")
        certificate = authority[0]
        served, key = certified(tls, "server", authority)
        place |= {"tls_cert": str(served), "tls_key": str(key)}
    hub = found.hub
    dashboard = Dashboard(hub, found.clock.now)
    endpoint = Endpoint(build(hub), hub, hub.identities.still)
    at = Place(**({"listen": "127.0.0.1:0"} | place))
    face = HttpFace(at, endpoint, hub.identities, hub.journal.refused, hub.journal.head, (), dashboard)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(endpoint.serving())
        await face.open(stack, endpoint.leave)
        yield Site(found, face, dashboard, certificate)


class Events:
    """What a stream said, event by event."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last = ""

    async def next(self) -> tuple[str, str]:
        """(event, data) of the next one; keeps the last id. Raises StopAsyncIteration at the end of the stream."""
        event, data = "", ""
        async with asyncio.timeout(SECONDS):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    data = value
                elif name == "id":
                    self.last = value
                elif not line and event == "mab-here":
                    event = ""
                elif not line and event:
                    return event, data
        raise StopAsyncIteration


@asynccontextmanager
async def events(browser: httpx2.AsyncClient, after: int | None = None, **more: Any) -> AsyncIterator[Events]:
    """A stream of `/events`, open."""
    params = {"after": str(after)} if after is not None else {}
    headers = more.pop("headers", {})
    async with browser.stream("GET", "/events", params={**params, **more}, headers=headers) as answer:
        assert answer.status_code == 200, answer.status_code
        yield Events(answer.aiter_lines())


def text(html: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()
