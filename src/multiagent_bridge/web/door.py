"""The door of every route: the request's shape, Host and Origin, who asks, and a bounded body. Then the route."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from email.utils import formatdate
from typing import Any, Protocol

import anyio
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, TooFast, Unavailable
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.web import rules as judge
from multiagent_bridge.web.proof import PATH as PROOF
from multiagent_bridge.web.rules import Headers, Refusal, Rules

BODY_BYTES = 4 << 20
"""Longest body, as the SDK's own limit and the longest line on a socket."""

NOTED = 20
NOTED_SECONDS = 10.0
"""Refusals before anybody is known are written down so many at once, then one in so many seconds: each costs a write."""

METADATA = "/.well-known/oauth-protected-resource"
OPEN = frozenset({"/healthz", "/readyz", METADATA, f"{METADATA}/mcp"})
"""Routes that need no credential, since they tell nothing. Every other path does, whether there is a route or not."""

PROBES = frozenset({"/healthz", "/readyz", PROOF})

log = logging.getLogger(__name__)


class Authenticator(Protocol):
    """Who a bearer credential speaks for; `services/identities.py` has it."""

    async def authenticate(self, bearer: str, peer: str) -> Identity:
        """Raises NotAllowed, TooFast, Unavailable."""
        ...

    def resource_metadata(self, url: str) -> Mapping[str, object] | None:
        """Protected-resource metadata (RFC 9728) of the resource at `url`; None without an issuer."""
        ...


Lines = tuple[tuple[bytes, bytes], ...]

PREFLIGHT: Lines = (
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, mab-agent",
    ),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
)

SIGNING_IN_BYTES = 4_096
"""Longest body of somebody who is not signed in."""


class Window(Protocol):
    """The pages of the dashboard, which know who asks by a cookie; `web/dashboard.py` has it."""

    lines: Lines
    """Header lines of each of its answers."""

    def routes(self, rules: Rules) -> Sequence[BaseRoute]:
        """Its routes, for a face of these rules."""
        ...

    async def leave(self) -> None:
        """The hub stops: end what is held open."""
        ...

    def covers(self, path: str) -> bool:
        """Whether the path is one of its own. The cookie is read for no other."""
        ...

    async def known(self, rules: Rules, method: str, path: str, headers: Headers) -> Identity | None:
        """Who is signed in, once the request is one of its own pages'. Raises Refusal, Unavailable."""
        ...


Note = Callable[[Caller, str, BridgeError], Awaitable[None]]
"""Writes a refusal into the journal."""


class Door:
    """ASGI. What passes finds `identity`, `peer` and `body` in its state; `leaving` says that the hub takes no more."""

    def __init__(
        self, app: ASGIApp, rules: Rules, authenticator: Authenticator, note: Note, window: Window | None = None
    ) -> None:
        self._window = window
        self._app = app
        self._rules = rules
        self._authenticator = authenticator
        self._note = note
        self._spent = 0.0
        self.leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Anything but HTTP is refused by not answering it."""
        if scope["type"] != "http":
            return
        window = self._window if self._window is not None and self._window.covers(scope["path"]) else None
        answer = _dressed(send, window.lines if window else ())
        try:
            state = scope["state"]
            state["peer"] = await self._let_in(scope)
            if window is not None:
                state["identity"] = await self._seen(window, scope, state["peer"])
                most = BODY_BYTES if state["identity"] is not None else SIGNING_IN_BYTES
                state["body"] = await _body(scope, receive, most)
                await self._app(scope, _again(state["body"], receive), answer)
                return
            origin = judge.one(scope["headers"], b"origin") or ""
            if origin.lower().rstrip("/") in self._rules.origins:
                answer = _dressed(send, _shared(origin))
                if scope["method"] == "OPTIONS":
                    # browsers ask so before they send a credential, and send none with it
                    await answer({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
                    await answer({"type": "http.response.body", "body": b""})
                    return
            if scope["path"] in OPEN:
                # who is unknown is not listened to for longer than a header
                await self._app(scope, receive, answer)
                return
            state["identity"] = await self._known(scope, state["peer"])
            state["body"] = await _body(scope, receive)
        except Refusal as refusal:
            # what has no clear end is not read any further
            ends = (("connection", "close"),) if refusal.status in (400, 413, 431) else ()
            await _say(answer, refusal.status, refusal.error, (*refusal.extra, *ends))
            return
        except _Gone:
            return
        await self._app(scope, _again(state["body"], receive), answer)

    async def _let_in(self, scope: Scope) -> str:
        """The client's address as limits know it. Raises Refusal."""
        if self.leaving:
            stopping = Unavailable("the hub is stopping", "try again in a few seconds")
            raise Refusal(503, stopping, (("retry-after", "2"), ("connection", "close")))
        peer = (scope["client"] or ("",))[0]
        try:
            rules = self._rules
            if scope["path"] in PROBES:
                # they come to the machine itself, not through the proxy
                rules = Rules(rules.hosts, rules.origins, (), rules.tls)
            client = judge.checked(
                rules, scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], peer
            )
        except Refusal as refusal:
            await self._noted(f"ip:{peer}", refusal.error)
            raise
        except ValueError as error:
            raise Refusal(400, Invalid("the address has too many parameters", "send none")) from error
        return f"ip:{client}"

    async def _known(self, scope: Scope, peer: str) -> Identity:
        """Who asks. Raises Refusal: 401 with where to get a credential, 429 or 503 with when to try again."""
        headers: Headers = scope["headers"]
        try:
            bearer = judge.bearer(headers)
        except Refusal as refusal:
            await self._noted(peer, refusal.error)
            raise
        if bearer is None:
            error = NotAllowed("this request has no credential", "send Authorization: Bearer KEY")
            await self._noted(peer, error)
            raise Refusal(401, error, self._challenge(headers, ""))
        try:
            return await self._authenticator.authenticate(bearer, peer)
        except TooFast as slower:
            wait = str(max(1, int(slower.retry_after)))
            raise Refusal(429, slower, (("retry-after", wait),)) from slower
        except Unavailable as down:
            raise Refusal(503, down, (("retry-after", "5"),)) from down
        except NotAllowed as wrong:
            raise Refusal(401, wrong, self._challenge(headers, 'error="invalid_token"')) from wrong

    async def _seen(self, window: Window, scope: Scope, peer: str) -> Identity | None:
        """Who looks at the dashboard; None for who is not signed in. Raises Refusal."""
        try:
            return await window.known(self._rules, scope["method"], scope["path"], scope["headers"])
        except Refusal as refusal:
            await self._noted(peer, refusal.error)
            raise
        except Unavailable as down:
            raise Refusal(503, down, (("retry-after", "5"),)) from down

    def _challenge(self, headers: Headers, error: str) -> tuple[tuple[str, str], ...]:
        """Says where a client finds who gives out credentials (RFC 9728, section 5.1)."""
        base = self._rules.base(headers)
        parts = [error] if error else []
        if self._authenticator.resource_metadata(f"{base}/mcp") is not None:
            parts.append(f'resource_metadata="{base}{METADATA}/mcp"')
        return (("www-authenticate", f"Bearer {', '.join(parts)}".strip()),)

    async def _noted(self, peer: str, error: BridgeError) -> None:
        now = anyio.current_time()
        self._spent = max(self._spent, now - NOTED * NOTED_SECONDS) + NOTED_SECONDS
        if self._spent > now:
            self._spent -= NOTED_SECONDS
            return
        with suppress(BridgeError):
            # a store that is down is no reason to leave a stranger without its answer
            await self._note(Caller("", "without identity", peer), "http.enter", error)


class _Gone(Exception):
    """The client left before its request was whole."""


async def _body(scope: Scope, receive: Receive, most: int = BODY_BYTES) -> bytes:
    """The whole body; its time is bounded by the connection. Raises Refusal when it is too long."""
    declared = judge.one(scope["headers"], b"content-length")
    too_long = Refusal(413, Invalid(f"the body is longer than {most >> 10} KiB", "send it in parts"))
    if declared is not None and int(declared) > most:
        raise too_long
    held = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        held += message.get("body", b"")
        if len(held) > most:
            raise too_long
        if not message.get("more_body", False):
            return bytes(held)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more for the route, then whatever comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


def _shared(origin: str) -> Lines:
    """Lets a page of an allowed origin read the answer (CORS)."""
    exposed = b"mcp-session-id, www-authenticate, retry-after"
    name = b"access-control-expose-headers"
    return ((b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin"), (name, exposed))


def _dressed(send: Send, more: Lines = ()) -> Send:
    """Answers with the header lines that all of them have, and `more`."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            named = {name.lower() for name, _ in given}
            for name, value in (
                *more,
                (b"date", formatdate(usegmt=True).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
                (b"referrer-policy", b"no-referrer"),
            ):
                if name not in named:
                    given.append((name, value))
                    named.add(name)
            message = {**message, "headers": given}
        await send(message)

    return sent


async def _say(send: Send, status: int, error: BridgeError, extra: tuple[tuple[str, str], ...]) -> None:
    """A refusal as JSON."""
    said: dict[str, Any] = {"error": error.code, "message": error.sentence, "hint": error.hint}
    body = json.dumps(said).encode()
    lines = [("content-type", "application/json"), ("content-length", str(len(body))), *extra]
    headers = [(name.encode(), value.encode()) for name, value in lines]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
