"""The dashboard: which pages there are, which paths are its own, and its event stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.web import approvals, conversations, cookies, health, journal, live, sign_in, tasks
from multiagent_bridge.web.feed import Feed
from multiagent_bridge.web.pages import NAVIGATION, Pages, Visit
from multiagent_bridge.web.proof import Proof
from multiagent_bridge.web.rules import Headers, Rules
from multiagent_bridge.web.sharing import Sharing
from multiagent_bridge.web.static_files import PREFIX, StaticFiles

MODULES = (live, approvals, conversations, tasks, journal, health)
"""A line a page: a module with `routes(pages) -> Sequence[BaseRoute]`."""


class Dashboard:
    """The pages as `web/door.py` knows them (`Window`), their routes, and the end of what they hold open."""

    lines = cookies.LINES

    def __init__(self, hub: Hub, now: Callable[[], int]) -> None:
        """`now` is the hub's clock, in microseconds since 1970."""
        self.proof = Proof()
        self.hub = hub
        self.feed = Feed(hub)
        self.static = StaticFiles()
        self.pages = Pages(hub, now, self.static, Sharing(lambda: self.feed.seq))
        self._firsts: frozenset[str] = frozenset()

    def routes(self, rules: Rules) -> Sequence[BaseRoute]:
        """Every route of the dashboard, for a face of these rules."""
        own: list[BaseRoute] = [
            self.static.route(),
            self.proof.route(),
            self.pages.get("/events", self._events),
            *sign_in.routes(self.pages, self.feed, rules),
        ]
        for module in MODULES:
            own.extend(module.routes(self.pages))
        paths = {one.path for one in own if isinstance(one, Route)}
        self._firsts = frozenset(_first(path) for path in paths)
        self.pages.navigation[:] = [row for row in NAVIGATION if row[1] in paths]
        # what lies below a path of ours and is no page
        own.extend(Route(f"/{first}/{{rest:path}}", self.pages.missing) for first in sorted(self._firsts - {""}))
        return [*own, sign_in.link_route(self.pages)]

    def covers(self, path: str) -> bool:
        return _first(path) in self._firsts and path != sign_in.LINKS

    async def known(self, rules: Rules, method: str, path: str, headers: Headers) -> Identity | None:
        """Who the cookie speaks for. Raises Refusal for what another page sent, Unavailable."""
        cookies.checked(rules, method, headers)
        if path.startswith(f"{PREFIX}/"):
            return None
        held = cookies.cookie(rules, headers)
        return await self.hub.browsers.authenticate(held) if held else None

    async def leave(self) -> None:
        """End every stream."""
        await self.feed.leave()

    async def _events(self, visit: Visit) -> Response:
        after = _whole(visit.request.headers.get("last-event-id") or visit.query.get("after") or str(visit.seq))
        self.feed.refuse_many(visit.identity)
        topics = [word for word in visit.query.get("topics", "").split(",") if word]
        stream = self.feed.follow(visit.identity, after, topics, visit.query.get("conversation", ""))
        return StreamingResponse(stream, headers={"content-type": "text/event-stream", "x-accel-buffering": "no"})


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else path


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Invalid("that is no place in the journal", "after=N")
    return int(text)
