"""The routes: `/mcp`, two probes, and where a client learns who gives out credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.web.door import METADATA, Authenticator
from multiagent_bridge.web.rules import Rules

READY_SECONDS = 1.0
"""How long one look at the store answers for all who ask."""

LOOK_SECONDS = 5.0


class Ready:
    """Whether the store answers, asked at most once a second however many ask."""

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self._look = look
        self._turn = anyio.Lock()
        self._looked_at = float("-inf")
        self._good = False

    async def good(self) -> bool:
        async with self._turn:
            if anyio.current_time() - self._looked_at >= READY_SECONDS:
                self._good = False
                try:
                    with anyio.fail_after(LOOK_SECONDS):
                        await self._look()
                    self._good = True
                except (BridgeError, TimeoutError):
                    # that is the answer
                    pass
                self._looked_at = anyio.current_time()
            return self._good


def build(
    mcp: ASGIApp,
    rules: Rules,
    authenticator: Authenticator,
    look: Callable[[], Awaitable[object]],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The routes, to be put behind a `Door`. `look` reads from the store; `more` are those of other faces."""
    ready = Ready(look)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        if await ready.good():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("unavailable\n", 503, {"retry-after": "2"})

    async def metadata(request: Request) -> Response:
        found = authenticator.resource_metadata(f"{rules.base(request.scope['headers'])}/mcp")
        if found is None:
            hint = "its owner gives out keys: mab key create NAME"
            return JSONResponse(
                {"error": "not_found", "message": "this hub has no issuer of its own", "hint": hint}, 404
            )
        return JSONResponse(dict(found))

    app = Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route(METADATA, metadata, methods=["GET"]),
            Route(f"{METADATA}/mcp", metadata, methods=["GET"]),
            Route("/mcp", mcp),
            *more,
        ]
    )
    app.router.redirect_slashes = False
    return app
