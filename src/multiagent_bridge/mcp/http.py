"""`/mcp`: Streamable HTTP of both protocol eras, with or without sessions, answered as JSON or as event streams.

Every request is one exchange with a connection of its own, so that mail is settled by what became of this one answer:
read when the kernel took it, unread in every other case. Who asks was established by the door in front of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import anyio
from mcp.server import _streamable_http_modern
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette import EventSourceResponse
from starlette.types import Message, Receive, Scope, Send

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Unavailable
from multiagent_bridge.mcp import exchange as exchanges
from multiagent_bridge.mcp.connection import Connection, Pace, Refusals, RequestId, current
from multiagent_bridge.mcp.exchange import Exchange, Kind
from multiagent_bridge.mcp.forms import SESSION_HEADER, misfit, problem
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services.hub import Hub

STILL_SECONDS = 3.0
"""How often it is looked whether a key was revoked or somebody's time is over, while they wait."""

EVERYBODY_SECONDS = 60.0
"""How often everybody who waits is asked for again, whatever the journal says."""

ENTRIES = 200
"""More entries than that between two looks are not read one by one."""

FINISH_SECONDS = 5.0
"""What has begun gets so long to end by itself when the hub stops."""

GRACE_SECONDS = 1.0
"""What was told to end gets so long to say so."""

LOOK_SECONDS = 0.02

PING_SECONDS = 30.0
"""Between two signs of life on a stream that says nothing. Every one costs as much as three looks for mail; proxies wait
for 50 seconds and more.
"""

SESSIONS = 2_000
SESSIONS_EACH = 500
"""Sessions of one identity; the one that was used least lately makes way, so that nobody takes the room of all."""

AT_ONCE = 500
"""Requests of one identity that are answered side by side, those that wait included."""

SESSION_SECONDS = 1_800.0
REMEMBERED, CROWD = 4_096, 20
"""Agents whose refusals are remembered between their requests, and as how many all those of one identity are refused."""

AGENT_HEADER = b"mab-agent"
CONNECTION_HEADER = b"mab-connection"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_KEY = re.compile(r"[0-9a-f]{32}")

EventSourceResponse.DEFAULT_PING_INTERVAL = PING_SECONDS  # type: ignore[assignment]
_streamable_http_modern._SSE_PING_INTERVAL = PING_SECONDS

for _name in ("mcp.server.streamable_http_manager", "mcp.server.streamable_http"):
    # they name sessions, and say something about every request
    logging.getLogger(_name).setLevel(logging.ERROR)

Still = Callable[[Identity], Awaitable[bool]]


class Endpoint:
    """Serves `/mcp`, as ASGI. `still` says whether an identity may go on; `gate` opens commands to it (SPEC section 5)."""

    def __init__(self, server: Server[Any], hub: Hub, still: Still, gate: bool = False) -> None:
        self._server = server
        self._hub = hub
        self._still = still
        self._gate = gate
        self._exchanges: set[Exchange] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self._at_once: Counter[str] = Counter()
        self._sessions: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        self._faces = {
            (stateless, as_json): StreamableHTTPSessionManager(
                server,
                json_response=as_json,
                stateless=stateless,
                session_idle_timeout=None if stateless else SESSION_SECONDS,
                max_sessions=None if stateless else SESSIONS,
            )
            for stateless in (False, True)
            for as_json in (False, True)
        }
        exchanges.cuttable(server)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Until the end of this context requests are served; then those under way are ended and settled."""
        ready, over = asyncio.Event(), asyncio.Event()
        hosting = asyncio.create_task(self._host(ready, over))
        beginning = asyncio.create_task(ready.wait())
        await asyncio.wait((hosting, beginning), return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self.leave()
            if self._settling:
                await asyncio.wait(tuple(self._settling), timeout=GRACE_SECONDS)
            for task in tuple(self._settling):
                task.cancel()
            await asyncio.gather(*self._settling, return_exceptions=True)
            over.set()
            await hosting

    async def _host(self, ready: asyncio.Event, over: asyncio.Event) -> None:
        """Hold the SDK's task groups in a task of their own: in that of the hub they would wrap every error of the hub."""
        async with AsyncExitStack() as stack:
            for face in self._faces.values():
                await stack.enter_async_context(face.run())
            ready.set()
            await over.wait()

    @property
    def waiting(self) -> int:
        """How many requests are being answered."""
        return len(self._exchanges)

    async def leave(self) -> None:
        """Have every exchange end: who waits is told to call again, what has begun is finished and answered."""
        for exchange in tuple(self._exchanges):
            if exchange.kind == "waits":
                exchange.cut(exchange.stopped)
            elif exchange.kind == "stands":
                exchange.scope.cancel()
        await self._until_quiet(FINISH_SECONDS)
        for exchange in tuple(self._exchanges):
            exchange.cut(exchange.stopped)
        await self._until_quiet(GRACE_SECONDS)
        for exchange in tuple(self._exchanges):
            exchange.scope.cancel()
        await self._until_quiet(GRACE_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that passed the door."""
        state: Mapping[str, Any] = scope["state"]
        identity: Identity = state["identity"]
        try:
            request, method, tool, waits = _asked(state["body"])
            headers = _read(scope["headers"])
            if scope["query_string"]:
                raise Invalid("/mcp takes no parameters in its address", "send them in the body")
            caller = self._caller(identity, state["peer"], headers)
        except Invalid as error:
            await problem(400, error.code, error.sentence, error.hint)(scope, receive, send)
            return
        face, as_json = self._face(scope["method"], method, headers)
        if (answer := misfit(scope, headers, as_json)) is not None:
            await answer(scope, receive, send)
            return
        if self._at_once[identity.id] >= AT_ONCE:
            # one key must not take the connections of all
            sentence = f"more than {AT_ONCE} requests at once"
            await problem(429, "too_fast", sentence, "wait for some", {"retry-after": "5"})(scope, receive, send)
            return
        connection = Connection(self._hub, caller, relayed=False, pace=self._pace(identity, caller.agent))
        stands = scope["method"] == "GET" or method == "subscriptions/listen"
        kind: Kind = "stands" if stands else "waits" if waits else "works"
        exchange = Exchange(identity, connection, request, tool, state["wire"].flushed, kind)
        # a session is good for whoever opened it, and for nobody else
        scope["user"] = _user(identity)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and method == "initialize":
                self._opened(identity, dict(message["headers"]).get(SESSION_HEADER, b"").decode(), as_json)
            await send(message)
            await exchange.sent(message)

        self._exchanges.add(exchange)
        self._at_once[identity.id] += 1
        self._hub.presence.enter(caller.agent)
        token, mine = current.set(connection), exchanges.current.set(exchange)
        try:
            with exchange.scope:
                await face.handle_request(scope, receive, sent)
            if exchange.scope.cancelled_caught:
                await _ended(exchange, scope, receive, send)
        finally:
            exchanges.current.reset(mine)
            current.reset(token)
            self._hub.presence.leave(caller.agent)
            self._exchanges.discard(exchange)
            self._at_once[identity.id] -= 1
            if not self._at_once[identity.id]:
                del self._at_once[identity.id]
            exchange.cut(None)
            task = asyncio.create_task(exchange.settle())
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    def _face(
        self, verb: str, method: str, headers: Mapping[bytes, bytes]
    ) -> tuple[StreamableHTTPSessionManager, bool]:
        """Legacy clients that keep no session are served without one; those that read no events get JSON (True)."""
        accepted = headers.get(b"accept", b"").lower()
        as_json = b"application/json" in accepted and b"text/event-stream" not in accepted and b"*/*" not in accepted
        session = headers.get(SESSION_HEADER, b"").decode("latin-1")
        if session in self._sessions:
            self._sessions.move_to_end(session)
            as_json = self._sessions[session][1]
        stateless = verb == "POST" and not session and method != "initialize"
        return self._faces[stateless, as_json], as_json

    def _opened(self, identity: Identity, session: str, as_json: bool) -> None:
        """Remember the new session, and end the one that its owner has used least lately when there are too many."""
        if not session:
            return
        self._sessions[session] = (identity.id, as_json)
        for name in [name for name, (_, in_json) in self._sessions.items() if not self._stands(name, in_json)]:
            # ended by its client or by time: it takes nobody's room
            del self._sessions[name]
        mine = [name for name, (owner, _) in self._sessions.items() if owner == identity.id]
        if len(mine) > SESSIONS_EACH:
            _, in_json = self._sessions.pop(mine[0])
            task = asyncio.create_task(_end_session(self._faces[False, in_json], identity, mine[0]))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    def _stands(self, session: str, in_json: bool) -> bool:
        """Whether it has not ended. SDK 2.3 has no public way to ask."""
        return session in self._faces[False, in_json]._server_instances

    def _caller(self, identity: Identity, peer: str, headers: Mapping[bytes, bytes]) -> Caller:
        """The identity, told apart by session or by what `mab mcp --connect` says about itself. Raises Invalid."""
        caller = replace(identity.caller(peer, self._gate), alias=f"http:{identity.id}")
        name = headers.get(AGENT_HEADER, b"").decode("latin-1")
        key = headers.get(CONNECTION_HEADER, b"").decode("latin-1")
        if AGENT_HEADER in headers and not _NAME.fullmatch(name):
            raise Invalid("that is no name for an agent", "1 to 64 letters, digits, dots, dashes")
        if CONNECTION_HEADER in headers and not _KEY.fullmatch(key):
            raise Invalid("that is no connection key", "32 hex characters")
        if name:
            caller = replace(caller, alias=f"http:{identity.id}:as:{name}", agent=f"{caller.agent}:as:{name}")
        # a process outlives its sessions
        own = key.encode() or headers.get(SESSION_HEADER, b"")
        if own:
            # only a digest is kept: who reads the store cannot take up a session
            digest = hashlib.sha256(b"http" + identity.id.encode() + b"\0" + own).hexdigest()[:32]
            caller = replace(caller, agent=f"http:{identity.id}:{digest}")
        return caller

    def _pace(self, identity: Identity, agent: str) -> Pace:
        """How fast this agent may go, whatever connections it comes by: a key may call itself by ever new ones."""
        everybody = self._paces.pop(identity.id, None) or Pace(Refusals(share=CROWD))
        pace = self._paces.pop(agent, None) or Pace(above=everybody)
        self._paces.update({identity.id: everybody, agent: pace})
        while len(self._paces) > REMEMBERED:
            self._paces.popitem(last=False)
        return pace

    async def _watch(self) -> None:
        """Every few seconds: those whose credential has ended are told so, and let go of.

        A key is revoked in one transaction with its entry, so only what the journal has new needs to be looked at.
        """
        seen, asked_all = -1, 0.0
        while True:
            await asyncio.sleep(STILL_SECONDS)
            if not self._exchanges:
                seen = -1
                continue
            try:
                head = (await self._hub.journal.head()).size
                everybody = anyio.current_time() - asked_all >= EVERYBODY_SECONDS or await self._keys_moved(seen, head)
                now = int(time.time() * SECOND)
                # a person of an issuer may have two tokens at once: each ends by itself
                for identity in {exchange.identity for exchange in self._exchanges}:
                    over = identity.expires_at is not None and identity.expires_at <= now
                    if (everybody or over) and not await self._still(identity):
                        await self._turn_out(identity)
            except BridgeError:
                # nobody can tell just now; the next look does
                continue
            seen = head
            if everybody:
                asked_all = anyio.current_time()

    async def _keys_moved(self, seen: int, head: int) -> bool:
        if head == seen:
            return False
        entries = await self._hub.journal.entries(max(0, seen), ENTRIES)
        return seen < 0 or len(entries) == ENTRIES or any(entry.action.startswith("key.") for entry in entries)

    async def _turn_out(self, identity: Identity) -> None:
        ended = NotAllowed("this credential is no longer valid", "ask whoever gave it to you")
        with suppress(BridgeError):
            # a store that is down is no reason to let them go on
            await self._hub.journal.refused(identity.caller(""), "http.wait", ended)
        for exchange in tuple(self._exchanges):
            # what has begun ends by itself: cut off, nobody could say whether it took effect
            if exchange.identity != identity or exchange.kind == "works":
                continue
            exchange.cut(ended)
            exchange.scope.deadline = anyio.current_time() + (0 if exchange.kind == "stands" else GRACE_SECONDS)

    async def _until_quiet(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._exchanges:
                    await asyncio.sleep(LOOK_SECONDS)


def _user(identity: Identity) -> AuthenticatedUser:
    """The identity as the SDK tells owners of sessions apart."""
    scopes = sorted(identity.roles)
    return AuthenticatedUser(AccessToken(token="-", client_id=identity.id, scopes=scopes, subject=identity.id))  # noqa: S106


async def _end_session(face: StreamableHTTPSessionManager, identity: Identity, session: str) -> None:
    """What its own client would send to end it."""
    scope: Scope = {
        "type": "http",
        "method": "DELETE",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(SESSION_HEADER, session.encode())],
        "user": _user(identity),
    }

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    await face.handle_request(scope, receive, send)


async def _ended(exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
    """The last word of an exchange that was ended from here."""
    if exchange.started:
        with suppress(RuntimeError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    error = exchange.ended_by or NotAllowed("this credential is no longer valid", "ask whoever gave it to you")
    status = 503 if isinstance(error, Unavailable) else 401
    more = {"retry-after": "2"} if status == 503 else {"www-authenticate": "Bearer"}
    await problem(status, error.code, error.sentence, error.hint, more)(scope, receive, send)


def _read(lines: Sequence[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """The header lines by name. Raises Invalid when one that says who asks is there twice: two readers may differ."""
    names = [name for name, _ in lines]
    for name in (SESSION_HEADER, AGENT_HEADER, CONNECTION_HEADER):
        if names.count(name) > 1:
            raise Invalid(f"the request has several {name.decode()} lines", "send one")
    return dict(lines)


def _asked(body: bytes) -> tuple[RequestId | None, str, str, bool]:
    """Id and method of the request, the tool it calls, and whether that is to wait; nothing of what is no request.

    Raises Invalid for a request without an id that it could be answered by: the SDK would take it for a notification.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return None, "", "", False
    request, method, params = asked.get("id"), asked.get("method"), asked.get("params")
    known = request if isinstance(request, (str, int)) and not isinstance(request, bool) else None
    if known is None and isinstance(method, str) and ("id" in asked or method == "initialize"):
        raise Invalid("the request has no id", "id: text or a whole number; only notifications have none")
    called = params if isinstance(params, dict) and method == "tools/call" else {}
    arguments = called.get("arguments")
    waits = isinstance(arguments, dict) and bool(arguments.get("wait_seconds"))
    return known, method if isinstance(method, str) else "", str(called.get("name", "")), waits
