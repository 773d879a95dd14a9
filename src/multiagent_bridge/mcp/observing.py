"""What others see of calls: counts for an observer, spans for OpenTelemetry. Neither holds a word that a client chose."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from multiagent_bridge import __version__

UNKNOWN = "unknown"
"""Stands for a tool or a method that is not there, whatever it was called."""

PARENT = "traceparent"


class Unobserved:
    """`ports.Observer` of whoever does not look."""

    def begun(self, tool: str, waits: bool) -> None: ...

    def done(self, tool: str, waits: bool, outcome: str, seconds: float) -> None: ...


class Spans(ServerMiddleware[Any]):
    """One span a message of a client, in place of the SDK's own, which repeat names, ids and errors as the client sent them."""

    def __init__(self, server: Server[Any], tools: Collection[str]) -> None:
        self._server = server
        self._tools = frozenset(tools)
        self._tracer = trace.get_tracer("multiagent-bridge", __version__)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        method = ctx.method if self._served(ctx.method) else UNKNOWN
        name, attributes = method, {"mcp.method.name": method}
        if method == "tools/call":
            asked = (ctx.params or {}).get("name")
            tool = asked if isinstance(asked, str) and asked in self._tools else UNKNOWN
            name = f"{method} {tool}"
            attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        with self._tracer.start_as_current_span(
            name,
            context=_caused_by(ctx.meta),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
            # an exception's text may repeat the call
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                return await call_next(ctx)
            except MCPError as error:
                failed(str(error.error.code))
                raise
            except Exception as error:
                failed(type(error).__qualname__)
                raise

    def _served(self, method: str) -> bool:
        server = self._server
        found = server.get_request_handler(method) or server.get_notification_handler(method)
        return found is not None or method == "initialize"


def install(server: Server[Any], tools: Collection[str]) -> None:
    """Have `server` make our spans in place of the SDK's; none, at no cost, when nobody was told to take them by now."""
    taken = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    server.middleware[:] = [Spans(server, tools)] if taken else []


def failed(code: str) -> None:
    """The call of the current span, if there is one, came to an error of ours."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("error.type", code)
        span.set_status(trace.StatusCode.ERROR)


def _caused_by(meta: Mapping[str, Any] | None) -> Context | None:
    """The client's span, if it names one. Nothing else that it says travels on: `tracestate` and baggage are free text."""
    parent = (meta or {}).get(PARENT)
    if not isinstance(parent, str):
        return None
    found = TraceContextTextMapPropagator().extract({PARENT: parent}, Context())
    return found if trace.get_current_span(found).get_span_context().is_valid else None
