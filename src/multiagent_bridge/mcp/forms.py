"""What a request for `/mcp` must look like before the SDK reads it, so that whatever is wrong with it is said in one form."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.server.streamable_http import check_accept_headers
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

VERBS = ("GET", "POST", "DELETE")
SESSION_HEADER = b"mcp-session-id"
VERSION_HEADER = b"mcp-protocol-version"
JSON = "application/json"
EVENTS = "text/event-stream"


def problem(status: int, code: str, sentence: str, hint: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as every route of the hub words it."""
    return JSONResponse({"error": code, "message": sentence, "hint": hint}, status, headers)


def misfit(scope: Scope, headers: Mapping[bytes, bytes], as_json: bool) -> Response | None:
    """The answer to a request that is none of MCP's, or None. `as_json`: it is answered without events.

    Raises nothing. A verb that opens no session never reaches the SDK, which would begin one to refuse it in.
    """
    verb = scope["method"]
    if verb not in VERBS:
        allowed = ", ".join(VERBS)
        return problem(405, "invalid", f"/mcp has no {verb[:20]}", f"use {allowed}", {"allow": allowed})
    takes_json, takes_events = check_accept_headers(Request(scope))
    if verb == "POST":
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != JSON.encode():
            return problem(415, "invalid", "the body is not declared to be JSON", f"Content-Type: {JSON}")
        if not takes_json or not (as_json or takes_events):
            return problem(406, "invalid", "no answer would be taken in this form", f"Accept: {JSON}, {EVENTS}")
        return None
    if _handshake(headers) and SESSION_HEADER not in headers:
        return problem(400, "invalid", "the request names no session", "Mcp-Session-Id, as initialize answered it")
    if _handshake(headers) and verb == "GET" and not takes_events:
        return problem(406, "invalid", "a stream would not be taken in this form", f"Accept: {EVENTS}")
    return None


def _handshake(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client speaks a revision that has sessions, or names none."""
    return headers.get(VERSION_HEADER, b"2025-03-26").decode("latin-1") in HANDSHAKE_PROTOCOL_VERSIONS
