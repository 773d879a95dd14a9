"""One HTTP request and its answer: the tool calls in it, which can be ended, and the mail that its answer carries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from starlette.types import Message

from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.mcp.connection import Connection, RequestId
from multiagent_bridge.model.identities import Identity

Kind = Literal["works", "waits", "stands"]
"""What a request is about: to do something, to wait for something, or to bring events until one side ends it."""


class Exchange:
    """One request and its answer. `flushed` waits until what was sent is with the kernel, and says whether it is."""

    def __init__(
        self,
        identity: Identity,
        connection: Connection,
        request: RequestId | None,
        tool: str,
        flushed: Callable[[], Awaitable[bool]],
        kind: Kind,
    ) -> None:
        self.identity = identity
        self.connection = connection
        self.kind = kind
        self.scope = anyio.CancelScope()
        self.started = False
        self._request = request
        self._tool = tool
        self._flushed = flushed
        self._calls: set[anyio.CancelScope] = set()
        self._cut: BridgeError | None = None

    @property
    def busy(self) -> bool:
        """Whether a tool is at work for it."""
        return bool(self._calls)

    @property
    def stopped(self) -> Unavailable:
        """What a call hears that the hub's end cut off: whether to repeat it."""
        if self._tool == "check_messages":
            return Unavailable("the hub is stopping", "call again in a few seconds: nothing was lost")
        return Unavailable("the hub stopped during this call", "look before you repeat it: it may have taken effect")

    @property
    def ended_by(self) -> BridgeError | None:
        return self._cut

    async def run(self, tool: Callable[[], Awaitable[Any]]) -> Any:
        """What the tool answers; when `cut` ended it, the reason."""
        answer: Any = None
        with anyio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                if self._cut is not None:
                    scope.cancel()
                answer = await tool()
            finally:
                self._calls.discard(scope)
        return _refusal(self._cut) if answer is None else answer

    def cut(self, error: BridgeError | None) -> None:
        """End what is at work. With `error` that is its answer, without it nobody is left to hear one."""
        self._cut = self._cut or error or Unavailable("the client left", "call again")
        for scope in tuple(self._calls):
            scope.cancel()

    async def sent(self, message: Message) -> None:
        """After `message` went out: whether it carried the answer, and whether that arrived in the kernel."""
        if message["type"] == "http.response.start":
            self.started = True
        request = self._request
        if request is None or not self.connection.holds(request):
            return
        if not _answers(message.get("body", b""), request):
            return
        # an answer handed over looks like a client that left, and the SDK cancels whoever looks after it
        with anyio.CancelScope(shield=True):
            if await self._flushed():
                self.connection.written(request)

    async def settle(self) -> None:
        """Wait for tools that are being ended, then settle the mail; cut off, give everything back."""
        try:
            while self.busy:
                await asyncio.sleep(0.01)
            await self.connection.finish()
        finally:
            await self.connection.close()


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""The exchange that is being served."""


def cuttable(server: Server[Any]) -> None:
    """Have the server's tool calls end when their exchange is cut: a client of the older era that leaves ends none."""
    own = server.get_request_handler("tools/call")
    assert own is not None
    handler = own.handler

    async def call_tool(ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> Any:
        exchange = current.get()
        if exchange is None:
            return await handler(ctx, params)
        return await exchange.run(lambda: handler(ctx, params))

    server.add_request_handler("tools/call", types.CallToolRequestParams, call_tool)


def _refusal(error: BridgeError | None) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)


def _answers(chunk: bytes, request: RequestId) -> bool:
    """Whether this piece of a response, JSON or one event, is the result of `request`."""
    if b'"result"' not in chunk:
        return False
    _, event, content = chunk.partition(b"data: ")
    with suppress(ValueError, RecursionError):
        found = json.loads(content if event and not chunk.startswith(b"{") else chunk)
        return isinstance(found, dict) and found.get("id") == request and "result" in found
    return False
