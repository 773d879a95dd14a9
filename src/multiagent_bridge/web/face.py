"""The HTTP face as a whole: where it listens, what that asks for, and its beginning and end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from multiagent_bridge.errors import Invalid
from multiagent_bridge.web import addresses
from multiagent_bridge.web import app as routes
from multiagent_bridge.web.door import Authenticator, Door, Note, Window
from multiagent_bridge.web.listener import Listener
from multiagent_bridge.web.rules import LOOPBACK, Rules, networks
from multiagent_bridge.web.tls import Certificates


@dataclass(frozen=True, slots=True)
class Place:
    """Where the hub is on the network, as the settings say it."""

    listen: str
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    public_url: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    proxies: Sequence[str] = ()
    connections: int = 4_096


class HttpFace:
    """Serves the routes at a place. Raises Invalid for a place that would carry credentials in clear, Unavailable for one
    that cannot be had.
    """

    def __init__(
        self,
        place: Place,
        mcp: ASGIApp,
        authenticator: Authenticator,
        note: Note,
        look: Callable[[], Awaitable[object]],
        more: Sequence[BaseRoute] = (),
        window: Window | None = None,
    ) -> None:
        """`mcp` serves `/mcp`; `note` writes down who was refused; `look` reads from the store; `more` are other routes;
        `window` is the dashboard.
        """
        proxies, certificates = networks(place.proxies), _certificates(place)
        sockets = addresses.listening(place.listen)
        try:
            if certificates is None and not proxies and not addresses.on_loopback(sockets):
                raise Invalid(
                    f"{place.listen} can be reached from other machines, and has no TLS",
                    "--tls-cert and --tls-key; or --behind-proxy ADDRESS, when a proxy there brings TLS",
                )
            self.rules = Rules(
                _hosts(place, [made.getsockname()[0] for made in sockets]),
                frozenset(origin.lower().rstrip("/") for origin in place.origins),
                proxies,
                certificates is not None,
                place.public_url,
            )
        except BaseException:
            for made in sockets:
                made.close()
            raise
        host, port = sockets[0].getsockname()[:2]
        own = addresses.shown(host, port, certificates is not None)
        self.url = place.public_url.rstrip("/") or own
        self.asked = "" if place.tls_client_ca else own
        """Where this machine may ask without a credential; empty where nobody may without a certificate."""
        self._window = window
        if window is not None:
            more = [*more, *window.routes(self.rules)]
        self.app: Starlette = routes.build(mcp, self.rules, authenticator, look, more)
        self.door = Door(self.app, self.rules, authenticator, note, window)
        self._certificates = certificates
        self.listener = Listener(self.door, sockets, place.connections, certificates.context if certificates else None)

    async def open(self, stack: AsyncExitStack, leave: Callable[[], Awaitable[None]]) -> None:
        """Serve until `stack` unwinds. `leave` has the requests under way end."""
        if self._certificates is not None:
            following = asyncio.create_task(self._certificates.follow())
            stack.callback(following.cancel)
        self.listener.open()

        async def close() -> None:
            self.door.leaving = True
            self.listener.hold()
            if self._window is not None:
                await self._window.leave()
            await leave()
            await self.listener.close()

        stack.push_async_callback(close)


def _certificates(place: Place) -> Certificates | None:
    if not place.tls_cert and not place.tls_key:
        if place.tls_client_ca:
            raise Invalid("client certificates need TLS", "--tls-cert and --tls-key")
        return None
    if not place.tls_cert or not place.tls_key:
        raise Invalid("TLS needs a certificate and its key", "give both --tls-cert and --tls-key")
    client_ca = Path(place.tls_client_ca).expanduser() if place.tls_client_ca else None
    return Certificates(Path(place.tls_cert).expanduser(), Path(place.tls_key).expanduser(), client_ca)


def _hosts(place: Place, bound: Sequence[str]) -> frozenset[str]:
    """The names that the hub answers to: loopback's, the one it listens at, the public one, and those of the settings."""
    names = set(LOOPBACK)
    if place.listen != addresses.SYSTEMD:
        names.add(addresses.parsed(place.listen)[0])
    names.update(bound)
    if place.public_url:
        url = urlsplit(place.public_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
            raise Invalid("public_url is not the URL of a host", "https://NAME or https://NAME:PORT")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise Invalid("public_url would carry credentials in clear", "https://NAME")
        names.add(url.hostname)
    names.update(name.strip("[]").lower() for name in place.hosts)
    # the wildcards are no names of anybody
    return frozenset(names - {"0.0.0.0", "::", ""})  # noqa: S104
