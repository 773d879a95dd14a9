"""JSON-RPC lines over one duplex byte stream: a shim's Unix socket, or the standard streams of `--standalone`."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage

from multiagent_bridge.errors import BridgeError, Invalid
from multiagent_bridge.mcp.connection import Connection, current
from multiagent_bridge.mcp.subscriptions import LISTEN
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.services.hub import Hub

LINE_BYTES = 4 << 20
"""Longest line read, as the SDK's own limit for a request body."""

ENDS = 1024
"""Bytes kept of either end of a line that is too long."""

CHUNK = 65_536
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
UNAVAILABLE = -32000
CONNECTION_CLOSED = types.CONNECTION_CLOSED
REFUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


_ID = rb'"id"\s*:\s*("(?:[^"\\]|\\.){0,200}"|-?[0-9]{1,18})\s*'
_ID_AT_START = re.compile(rb"\s*\{[^{}\[\]]*?" + _ID + rb"[,}]")
_ID_AT_END = re.compile(_ID + rb"\}\s*$")


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over the limit; it was read to its end and thrown away, but for its first and last bytes."""

    head: bytes
    tail: bytes

    @property
    def request(self) -> str | int | None:
        """The id of the request it was, if it stands at either end."""
        found = _ID_AT_START.match(self.head) or _ID_AT_END.search(self.tail)
        with suppress(ValueError):
            return json.loads(found[1]) if found else None
        return None


async def lines(reader: asyncio.StreamReader, limit: int = LINE_BYTES) -> AsyncIterator[bytes | TooLong]:
    """Complete lines without their newline; a `TooLong` in place of one over `limit`. A last one cut off is dropped."""
    held = bytearray()
    head = b""
    while chunk := await reader.read(CHUNK):
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            held += part
            if head or len(held) > limit:
                yield TooLong(head or bytes(held[:ENDS]), bytes(held[-ENDS:]))
            else:
                yield bytes(held)
            held.clear()
            head = b""
        held += rest
        if head or len(held) > limit:
            head = head or bytes(held[:ENDS])
            del held[:-ENDS]


class Stream:
    """Serves one client until it leaves. Every line is answered, whatever is in it."""

    def __init__(
        self,
        server: Server[Any],
        hub: Hub,
        caller: Caller,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        relayed: bool = True,
    ) -> None:
        self._server = server
        self._hub = hub
        self._reader = reader
        self._writer = writer
        self._connection = Connection(hub, caller, relayed)
        self._caller = caller
        self._asked: set[str | int] = set()
        self._held = False

    @property
    def busy(self) -> bool:
        """Whether a request was read that has no answer yet."""
        return bool(self._asked)

    def hold(self) -> None:
        """Take no further request: the hub is about to leave, and what it has begun is to be finished."""
        self._held = True

    async def serve(self) -> None:
        """Until the client closes its end. What was on its way to it then is unread again."""
        current.set(self._connection)
        # an answer counts as written when the kernel has it, not when it waits in this process
        self._writer.transport.set_write_buffer_limits(0)
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        self._hub.presence.enter(self._caller.agent)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._connection.settle)
                group.start_soon(self._read, to_server)
                group.start_soon(self._write, from_server)
                await serve_dual_era_loop(
                    self._server,
                    from_client,
                    to_client,
                    lifespan_state={},
                    init_options=self._server.create_initialization_options(
                        NotificationOptions(resources_changed=True)
                    ),
                )
                group.cancel_scope.cancel()
        finally:
            self._hub.presence.leave(self._caller.agent)
            await self._connection.close()

    async def _read(self, to_server: anyio.abc.ObjectSendStream[SessionMessage | Exception]) -> None:
        with suppress(ConnectionError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            async with to_server:
                async for line in lines(self._reader):
                    if isinstance(line, TooLong):
                        sentence = Invalid(f"the message is longer than {LINE_BYTES >> 20} MiB", "send it in parts")
                        await self._refuse(line.request, INVALID_REQUEST, sentence)
                        continue
                    if not line.strip():
                        continue
                    try:
                        message = types.jsonrpc_message_adapter.validate_json(line)
                    except ValueError:
                        await self._malformed(line)
                        continue
                    if isinstance(message, types.JSONRPCNotification) and "id" in json.loads(line):
                        # a request whose id is none: its sender waits for an answer
                        await self._malformed(line)
                        continue
                    if isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
                        wanted = (message.params or {}).get("requestId")
                        if isinstance(wanted, (str, int)):
                            self._asked.discard(wanted)
                            self._connection.cancelled(wanted)
                    if self._held:
                        await anyio.sleep_forever()
                    if isinstance(message, types.JSONRPCRequest) and message.method != LISTEN:
                        self._asked.add(message.id)
                    await to_server.send(SessionMessage(message))

    async def _write(self, from_server: anyio.abc.ObjectReceiveStream[SessionMessage]) -> None:
        async with from_server:
            async for out in from_server:
                message = out.message
                if self._held and isinstance(message, types.JSONRPCError) and message.error.code == CONNECTION_CLOSED:
                    # the SDK's word for a call cut off; the shim knows whether to repeat it
                    continue
                line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                try:
                    self._writer.write(line)
                    await self._writer.drain()
                except ConnectionError:
                    return
                if isinstance(message, (types.JSONRPCResponse, types.JSONRPCError)) and message.id is not None:
                    self._asked.discard(message.id)
                if isinstance(message, types.JSONRPCResponse):
                    self._connection.written(message.id)
                elif isinstance(message, types.JSONRPCError) and message.id is not None:
                    self._connection.failed(message.id)

    async def _malformed(self, line: bytes) -> None:
        """Answer a line the protocol cannot read, under its id if it shows one: a client waits for that."""
        code, request = INVALID_REQUEST, None
        sentence = Invalid("the message is not a JSON-RPC 2.0 message", "see the MCP specification")
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            code, sentence = PARSE_ERROR, Invalid("the message is not JSON", "send one JSON object a line, in UTF-8")
        else:
            if isinstance(content, dict):
                identity = content.get("id")
                request = identity if isinstance(identity, (str, int)) and not isinstance(identity, bool) else None
                if "method" in content and b"\\u" in line:
                    sentence = Invalid("a text is not valid Unicode (a lone surrogate)", "encode it as UTF-8")
        await self._refuse(request, code, sentence)

    async def _refuse(self, request: str | int | None, code: int, error: Invalid) -> None:
        with suppress(BridgeError):
            # a store that is down is no reason to leave the client without its answer
            await self._hub.journal.refused(self._caller, "connection.read", error)
        answer = {"jsonrpc": "2.0", "id": request, "error": {"code": code, "message": str(error)}}
        # as the SDK writes it: the shim knows by this beginning which of its client's requests is answered
        self._writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
        await self._writer.drain()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, error: BridgeError) -> None:
    """Tell a client that cannot be served why, in answer to its first request, or give up when it soon asks nothing."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(REFUSE_SECONDS):
            async for line in lines(reader):
                request = None if isinstance(line, TooLong) else _request(line)
                if request is None:
                    continue
                answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.id}
                if request.method == "tools/call":
                    content = [{"type": "text", "text": str(error)}]
                    answer["result"] = {"content": content, "isError": True, "resultType": "complete"}
                else:
                    answer["error"] = {"code": UNAVAILABLE, "message": str(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
                return


def _request(line: bytes) -> types.JSONRPCRequest | None:
    try:
        message = types.jsonrpc_message_adapter.validate_json(line)
    except ValueError:
        return None
    return message if isinstance(message, types.JSONRPCRequest) else None
