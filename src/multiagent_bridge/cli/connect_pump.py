"""Lines both ways between a client's standard streams and `/mcp` of a hub elsewhere.

Each request is a POST of its own, so a hub that restarts is found again by the next one. A call that may have reached
the hub before the connection broke is answered with whether to repeat it; one that did not is sent again.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from multiagent_bridge import __version__
from multiagent_bridge.mcp.stream import LINE_BYTES, TooLong, lines
from multiagent_bridge.shim import answers

Message = dict[str, Any]

PATIENCE_SECONDS = 20.0
"""How long a hub that does not answer is looked for before a request is refused."""

PAUSE_SECONDS = 0.25
LONGEST_PAUSE = 4.0
CONNECT_SECONDS = 10.0
MUTE_SECONDS = 45.0
"""A hub that works on a request says something at least every 30 seconds."""

FINISH_SECONDS = 1.0
KEPT_SECONDS = 15.0
"""Shorter than the hub keeps an idle connection, so that none is used while it closes."""

VERSION_META = "io.modelcontextprotocol/protocolVersion"
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
SAFE = frozenset(
    {"initialize", "server/discover", "ping", "tools/list", "resources/list", "resources/templates/list"}
    | {"resources/read", "prompts/list", "resources/subscribe", "resources/unsubscribe"}
)
"""Requests without effect: they are simply sent again."""


LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Remote:
    """A hub elsewhere. `name` tells agents of one key apart and finds their conversations again."""

    url: str
    key: str = field(repr=False)
    name: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def near(self) -> bool:
        """Whether it is on this machine: no proxy lies on the way."""
        return urlsplit(self.url).hostname in LOOPBACK


class Lost(Exception):
    """The connection broke when the hub may have had the request."""


class Refused(Exception):
    """The hub, or the way to it, said no. The text is for the client."""


class RemotePump:
    """Pumps until the client closes its end."""

    def __init__(self, remote: Remote, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._remote = remote
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._initialize: Message | None = None
        self._session = ""
        self._version = ""
        self._opening = asyncio.Lock()
        self._followed: dict[str, Message] = {}
        headers = {
            "authorization": f"Bearer {remote.key}",
            "accept": "application/json, text/event-stream",
            "user-agent": f"mab/{__version__}",
            # tells this process apart from others with the same key, over all its connections
            "mab-connection": secrets.token_hex(16),
        }
        if remote.name:
            headers["mab-agent"] = remote.name
        self._http = httpx2.AsyncClient(
            headers=headers,
            verify=remote.tls if remote.tls is not None else True,
            trust_env=not remote.near,
            timeout=httpx2.Timeout(MUTE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=KEPT_SECONDS),
        )

    async def run(self) -> None:
        """Raises ConnectionError when nobody reads the answers any more."""
        async with self._http:
            try:
                async for line in lines(self._reader):
                    await self._taken(line)
                if self._flying:
                    await asyncio.wait(tuple(self._flying.values()), timeout=FINISH_SECONDS)
            finally:
                # a request that is let go of leaves its mail unread
                left = [*self._flying.values(), *self._others]
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
                await self._close_session()

    async def _taken(self, line: bytes | TooLong) -> None:
        """One line of the client."""
        if isinstance(line, TooLong):
            return await self._say(
                _error(line.request, -32600, f"invalid: the message is longer than {LINE_BYTES >> 20} MiB")
            )
        if not line.strip():
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return await self._say(_error(None, -32700, "invalid: the message is not JSON"))
        if not isinstance(message, dict):
            return await self._say(_error(None, -32600, "invalid: the message is not a JSON-RPC 2.0 message"))
        if "method" in message and "id" in message:
            key = json.dumps(message["id"])
            if key in self._flying:
                return await self._say(_error(message["id"], -32600, "invalid: that request id is in use"))
            task = asyncio.create_task(self._asked(message))
            self._flying[key] = task
            task.add_done_callback(lambda _: self._flying.pop(key, None))
            return None
        if message.get("method") == "notifications/cancelled" and self._cancelled(message):
            return None
        # in the order they came: the handshake depends on it
        with suppress(Refused, Lost):
            await self._posted(message)
        if message.get("method") == "notifications/initialized":
            self._others.add(asyncio.create_task(self._listen()))
        return None

    def _cancelled(self, message: Message) -> bool:
        """Let go of the request: closing its connection says so to the hub, in either era of the protocol."""
        params = message.get("params")
        task = self._flying.get(json.dumps(params.get("requestId"))) if isinstance(params, dict) else None
        if task is not None:
            task.cancel()
        return True

    async def _asked(self, request: Message) -> None:
        """Carry one request to its answer, whatever that is."""
        with suppress(ConnectionError):
            # the client is gone: the end of its lines says so
            await self._carried(request)

    async def _carried(self, request: Message) -> None:
        try:
            if request["method"] == "initialize":
                self._initialize, self._session, self._version = request, "", ""
            try:
                await self._posted(request)
            except Lost:
                if request["method"] not in SAFE:
                    raise
                await self._posted(request)
        except Lost:
            said = f"unavailable: the connection to the hub was lost during this call ({answers.advice(request)})"
            await self._line(answers.refusal(request, said))
        except Refused as refused:
            await self._line(answers.refusal(request, str(refused)))

    async def _posted(self, message: Message) -> None:
        """Send it, and hand on what comes back. Raises Lost, Refused."""
        content = _body(message)
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + PATIENCE_SECONDS, PAUSE_SECONDS
        renewed = False
        while True:
            session = self._session
            try:
                async with self._http.stream(
                    "POST", self._remote.url, content=content, headers=self._lines(message)
                ) as response:
                    if response.status_code < 300:
                        return await self._handed_on(message, response)
                    body = await response.aread()
            except UNSENT as error:
                if doubt := _unvouched(error):
                    # no wait mends it, and clients give a start less time than our patience
                    said = f"unavailable: the certificate of the hub at {self._remote.url} is not believed: {doubt}"
                    raise Refused(f"{said} (nothing was done; --ca FILE names its authority)") from error
                said = f"unavailable: the hub at {self._remote.url} cannot be reached: {_why(error)}"
                pause = await self._later(until, pause, said)
                continue
            except httpx2.HTTPError as error:
                raise Lost from error
            if response.status_code == 404 and session and self._initialize is not None and not renewed:
                # the hub forgot the session, or is another one by now: nothing of this was done
                renewed = True
                await self._renewed(session)
                continue
            said = _refusal(response.status_code, body)
            if response.status_code != 503:
                if (answer := _protocol_answer(message, body)) is not None:
                    return await self._say(answer)
                raise Refused(said)
            pause = await self._later(until, pause, said)

    async def _later(self, until: float, pause: float, said: str) -> float:
        """Wait before the next try; the hub did not take this one. Raises Refused when patience is at its end."""
        if asyncio.get_running_loop().time() + pause > until:
            raise Refused(f"{said} (nothing was done; try again later)")
        await asyncio.sleep(pause)
        return min(LONGEST_PAUSE, pause * 2)

    async def _handed_on(self, message: Message, response: httpx2.Response) -> None:
        if message.get("method") == "initialize":
            self._session = response.headers.get("mcp-session-id", "")
        answered = "id" not in message or "method" not in message
        async for part in _messages(response):
            if "method" not in part and part.get("id") == message.get("id"):
                answered = True
                if "result" in part:
                    self._follow(message)
                if message.get("method") == "initialize":
                    self._version = str((part.get("result") or {}).get("protocolVersion", ""))
            await self._say(part)
        if not answered:
            raise Lost

    def _follow(self, request: Message) -> None:
        """Keep in mind what the client is subscribed to: the next session must hear of it."""
        if request.get("method") == answers.SUBSCRIBE:
            self._followed[answers.resource(request)] = request
        elif request.get("method") == answers.UNSUBSCRIBE:
            self._followed.pop(answers.resource(request), None)

    async def _renewed(self, session: str) -> None:
        """Say handshake and subscriptions again for the client, once for all that found the session gone. Raises Refused."""
        async with self._opening:
            if self._session != session or self._initialize is None:
                return
            hello = self._initialize | {"id": answers.REPLAY}
            try:
                response = await self._http.post(self._remote.url, json=hello)
                await response.aread()
                if response.status_code >= 300:
                    raise Refused(_refusal(response.status_code, response.content))
                self._session = response.headers.get("mcp-session-id", "")
                ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
                await self._http.post(self._remote.url, json=ready, headers=self._lines(ready))
                for uri, request in tuple(self._followed.items()):
                    again = request | {"id": answers.REPLAY + uri}
                    # refused, its client is told why when it looks
                    await self._http.post(self._remote.url, json=again, headers=self._lines(again))
            except httpx2.HTTPError as error:
                raise Refused(f"unavailable: the hub cannot be reached: {_why(error)} (nothing was done)") from error

    async def _listen(self) -> None:
        """What the hub says by itself to a client of the older era, for as long as there is a session."""
        pause = PAUSE_SECONDS
        while session := self._session:
            # a hub that cannot be reached is asked again
            with suppress(httpx2.HTTPError, Lost, Refused):
                async with self._http.stream("GET", self._remote.url, headers=self._lines({})) as response:
                    if response.status_code == 200:
                        pause = PAUSE_SECONDS
                        for uri in tuple(self._followed):
                            # it may have moved while nobody listened
                            await self._line(answers.updated(uri))
                        async for part in _messages(response):
                            await self._say(part)
                if response.status_code == 404:
                    # who only follows asks for nothing that would find the session gone
                    await self._renewed(session)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _close_session(self) -> None:
        if self._session:
            with suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(FINISH_SECONDS):
                    await self._http.delete(self._remote.url, headers=self._lines({}))

    def _lines(self, message: Mapping[str, Any]) -> dict[str, str]:
        """The header lines that the protocol wants beside this body."""
        given = message.get("params")
        params: Mapping[str, Any] = given if isinstance(given, dict) else {}
        meta = params.get("_meta")
        version = meta.get(VERSION_META) if isinstance(meta, dict) else None
        found = {"content-type": "application/json"}
        if isinstance(version, str) and message.get("method") != "initialize":
            name = params.get("uri") if message.get("method") == "resources/read" else params.get("name")
            said = {"mcp-protocol-version": version, "mcp-method": message.get("method"), "mcp-name": name}
            return found | {line: str(value) for line, value in said.items() if _fits(value)}
        found |= {"mcp-session-id": self._session} if self._session else {}
        return found | ({"mcp-protocol-version": self._version} if self._version else {})

    async def _say(self, message: Message) -> None:
        await self._line(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _line(self, line: bytes) -> None:
        async with self._turn:
            self._writer.write(line)
            await self._writer.drain()


async def _messages(response: httpx2.Response) -> AsyncIterator[Message]:
    """The JSON-RPC messages of a response, one body or a stream of events. Raises Lost for what is neither."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        body = await response.aread()
        if body:
            yield _message(body)
        return
    held: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            held.append(line[5:].removeprefix(" "))
        elif not line and held:
            whole, held = "\n".join(held), []
            if whole:
                yield _message(whole.encode())


def _message(content: bytes) -> Message:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Lost from error
    if not isinstance(found, dict):
        raise Lost
    return found


def _fits(value: object) -> bool:
    """Whether a header line can hold it. Without the line the hub says what is wrong."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip()


def _body(message: Message) -> bytes:
    """The message as the hub reads it. Raises Refused for what Python's reader takes and JSON does not know."""
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Refused("invalid: a text is not valid Unicode (a lone surrogate) (encode it as UTF-8)") from error
    except (ValueError, RecursionError) as error:
        raise Refused("invalid: the message is not JSON (no NaN, no Infinity, less nesting)") from error


def _error(request: Any, code: int, said: str) -> Message:
    return {"jsonrpc": "2.0", "id": request, "error": {"code": code, "message": said}}


def _protocol_answer(message: Message, body: bytes) -> Message | None:
    """An error of the protocol itself, which the client knows how to read."""
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
        if isinstance(found, dict) and isinstance(found.get("error"), dict) and "id" in message:
            return found | {"id": message["id"]}
    return None


def _refusal(status: int, body: bytes) -> str:
    """Why the hub said no, in its own words where it has some."""
    with suppress(ValueError, RecursionError):
        said = json.loads(body)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            hint = f" ({said['hint']})" if said.get("hint") else ""
            return f"{said.get('error', 'refused')}: {said['message']}{hint}"
    if 300 <= status < 400:
        return "refused: the hub wants to be called elsewhere, and a key is not carried there (use that URL yourself)"
    return f"refused: the hub answered {status}"


def _why(error: httpx2.HTTPError) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].lower()


def _unvouched(error: BaseException | None) -> str:
    """Why the certificate was not believed; "" when something else went wrong."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""
