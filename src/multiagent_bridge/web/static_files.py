"""The dashboard's own files: read once, under an address that changes with their content, and kept by browsers for good."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "/static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """Every file of `static/` with one of the suffixes of `TYPES`."""

    def __init__(self) -> None:
        folder = files(__package__) / "static"
        self._found: dict[str, tuple[bytes, str]] = {}
        self._addresses: dict[str, str] = {}
        for one in sorted(folder.iterdir(), key=lambda one: one.name):
            suffix = f".{one.name.rpartition('.')[2]}"
            if suffix in TYPES:
                content = one.read_bytes()
                address = f"{PREFIX}/{hashlib.sha256(content).hexdigest()[:16]}/{one.name}"
                self._found[address] = content, TYPES[suffix]
                self._addresses[one.name] = address

    def address(self, name: str) -> str:
        """Where a file is to be had. Raises KeyError for one that is not there."""
        return self._addresses[name]

    def route(self) -> Route:
        async def served(request: Request) -> Response:
            found = self._found.get(request.scope["path"])
            if found is None:
                return PlainTextResponse("no such file\n", 404)
            content, kind = found
            return Response(content, headers={"content-type": kind, "cache-control": FOREVER})

        return Route(PREFIX + "/{hash}/{name}", served, methods=["GET"])
