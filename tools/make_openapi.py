"""Write docs/reference/openapi.json, the description of the HTTP API, from the program: make_openapi.py [DIRECTORY]."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.mcp import http
from multiagent_bridge.mcp.server import TOOLS
from multiagent_bridge.mcp.tools import Tool
from multiagent_bridge.web import metrics
from multiagent_bridge.web.door import BODY_BYTES, METADATA

DIRECTORY = Path(__file__).parent.parent / "docs" / "reference"

Schema = dict[str, Any]

JSON = "application/json"
EVENTS = "text/event-stream"
META = "io.modelcontextprotocol/"
TEXT: Schema = {"type": "string"}


def page() -> str:
    """The whole description, as the file has it."""
    return json.dumps(description(), indent=2, ensure_ascii=False) + "\n"


def description() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Multiagent Bridge",
            "version": "1",
            "description": "What `mab serve --http` answers. Every route but the probes and the metadata wants an API key or a "
            "bearer token. Agents speak MCP at /mcp; what its tools do is in tools.md.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:8765", "description": "a hub on this machine"}],
        "security": [{"bearer": []}],
        "paths": {
            "/mcp": {"post": _post(), "get": _stream(), "delete": _end()},
            "/metrics": {"get": _metrics()},
            "/healthz": {"get": _probe("healthz", "Whether the process serves.")},
            "/readyz": {"get": _probe("readyz", "Whether the store answers, too.", unavailable=True)},
            METADATA: {"get": _metadata("metadata")},
            f"{METADATA}/mcp": {"get": _metadata("metadataOfMcp")},
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "API key or OIDC token"}},
            "schemas": _schemas(),
        },
    }


def paths() -> dict[str, set[str]]:
    """Every path with its methods, in capitals."""
    return {path: {verb.upper() for verb in verbs} for path, verbs in description()["paths"].items()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(kind: str, schema: Schema) -> Schema:
    return {kind: {"schema": schema}}


def _line(description: str, schema: Schema = TEXT) -> Schema:
    return {"description": description, "required": True, "schema": schema}


RETRY = {"Retry-After": _line("Seconds.", {"type": "string", "pattern": "^[0-9]+$"})}
CHALLENGE = {"WWW-Authenticate": _line("Where a client finds who gives out credentials (RFC 9728).")}

REFUSALS: dict[str, tuple[str, Schema]] = {
    "400": ("The request is wrong.", {}),
    "401": ("Without a credential, or with one that is not good.", CHALLENGE),
    "403": ("Not for this identity, or from a page that may not call.", {}),
    "413": (f"Longer than {BODY_BYTES} bytes.", {}),
    "421": ("The hub does not answer to that Host.", {}),
    "429": ("Too much; try again later.", RETRY),
    "431": ("The header is too large.", {}),
    "503": ("The hub stops, or the store does not answer.", RETRY),
}
SHAPE = ("400", "403", "421", "431", "503")
"""What anybody may be told before it is asked who they are."""

KNOWN = (*SHAPE, "401", "413", "429")


def _refusals(codes: Sequence[str], rpc: Sequence[str] = ()) -> Schema:
    """The answers of refused requests. Those in `rpc` may be JSON-RPC errors, too."""
    found: Schema = {}
    for code in sorted(codes):
        told, headers = REFUSALS[code]
        schema = {"anyOf": [_ref("Problem"), _ref("RpcFailure")]} if code in rpc else _ref("Problem")
        found[code] = {
            "description": told,
            **({"headers": headers} if headers else {}),
            "content": _content(JSON, schema),
        }
    return found


def _probe(name: str, summary: str, unavailable: bool = False) -> Schema:
    ok = _content("text/plain", {"type": "string", "const": "ok\n"})
    answers: Schema = {"200": {"description": "Yes.", "content": ok}, **_refusals(SHAPE)}
    if unavailable:
        answers["503"]["content"] |= _content("text/plain", {"type": "string", "const": "unavailable\n"})
    return {"operationId": name, "summary": summary, "security": [], "responses": answers}


def _metadata(name: str) -> Schema:
    return {
        "operationId": name,
        "summary": "Who gives out credentials for this hub (RFC 9728).",
        "security": [],
        "responses": {
            "200": {"description": "The issuer.", "content": _content(JSON, _ref("ResourceMetadata"))},
            "404": {"description": "This hub has API keys alone.", "content": _content(JSON, _ref("Problem"))},
            **_refusals(SHAPE),
        },
    }


def _metrics() -> Schema:
    kind = metrics.CONTENT_TYPE.partition(";")[0]
    return {
        "operationId": "metrics",
        "summary": "How the hub stands, for Prometheus; takes the role operator, auditor or admin.",
        "responses": {
            "200": {"description": "The text format 0.0.4.", "content": _content(kind, TEXT)},
            **_refusals(KNOWN),
        },
    }


def _header(name: str, description: str, schema: Schema, required: bool = False) -> Schema:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


VERSION = _header(
    "MCP-Protocol-Version",
    "The revision that the client speaks; 2025-03-26 when it is missing. It decides which of the two bodies is read.",
    {"type": "string", "enum": [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS]},
)
ABOUT = (
    _header(
        "Mab-Agent",
        "The name that `mab mcp --connect --as NAME` gives.",
        {"type": "string", "pattern": f"^{http._NAME.pattern}$"},
    ),
    _header(
        "Mab-Connection", "What tells its processes apart.", {"type": "string", "pattern": f"^{http._KEY.pattern}$"}
    ),
)
SESSION = {"type": "string", "pattern": "^[!-~]{1,64}$"}


def _session(required: bool) -> Schema:
    return _header(
        "Mcp-Session-Id", "A session that `initialize` opened; handshake revisions alone.", SESSION, required
    )


def _post() -> Schema:
    named = "The same as in the body; wanted from 2026-07-28 on."
    return {
        "operationId": "message",
        "summary": "One JSON-RPC message of MCP.",
        "description": f"Accept: {JSON}, {EVENTS}, or both; who takes no events is answered in JSON.",
        "parameters": [
            VERSION,
            _session(False),
            _header("Mcp-Method", named, TEXT),
            _header("Mcp-Name", named, TEXT),
            *ABOUT,
        ],
        "requestBody": {
            "required": True,
            "content": _content(JSON, {"anyOf": [_ref("HandshakeMessage"), _ref("ModernMessage")]}),
        },
        "responses": {
            "200": {
                "description": "The answer, or a stream of events that ends with it.",
                "headers": {
                    "Mcp-Session-Id": {"description": "After `initialize`.", "required": False, "schema": SESSION}
                },
                "content": {**_content(JSON, _ref("RpcAnswer")), EVENTS: {}},
                "links": {
                    "end": {
                        "operationId": "endSession",
                        "parameters": {"header.Mcp-Session-Id": "$response.header.mcp-session-id"},
                    }
                },
            },
            "202": {"description": "A notification was taken."},
            **_refusals(KNOWN, rpc=("400",)),
            "404": {
                "description": "No such session, or (from 2026-07-28 on) no such method.",
                "content": _content(JSON, _ref("RpcFailure")),
            },
            "406": {
                "description": "The client takes no form that the hub has.",
                "content": _content(JSON, _ref("Problem")),
            },
            "415": {"description": "The body is not JSON.", "content": _content(JSON, _ref("Problem"))},
        },
    }


def _of_session(name: str, summary: str, answer: Schema) -> Schema:
    gone = {"description": "No such session.", "content": _content(JSON, _ref("RpcFailure"))}
    without = {"description": "The revision named has no sessions.", "headers": {"Allow": _line("POST")}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            _header(
                VERSION["name"],
                "A revision that has sessions.",
                {"type": "string", "enum": list(HANDSHAKE_PROTOCOL_VERSIONS)},
            ),
            _session(True),
            *ABOUT,
        ],
        "responses": {"200": answer, "404": gone, "405": without, **_refusals(KNOWN, rpc=("400",))},
    }


def _stream() -> Schema:
    answer = {"description": "Events until one side ends it.", "content": {EVENTS: {}}}
    found = _of_session("stream", "What the hub has to say of a session unasked.", answer)
    found["responses"]["406"] = {
        "description": f"Accept names no {EVENTS}.",
        "content": _content(JSON, _ref("Problem")),
    }
    found["responses"]["409"] = {
        "description": "It has a stream already.",
        "content": _content(JSON, _ref("RpcFailure")),
    }
    return found


def _end() -> Schema:
    return _of_session("endSession", "End a session.", {"description": "It is ended."})


def _schemas() -> Schema:
    identifier: Schema = {"type": ["string", "integer"]}
    code = {"type": "string", "enum": sorted({*_codes(BridgeError)})}
    return {
        "Problem": _closed({"error": code, "message": TEXT, "hint": TEXT}),
        "ResourceMetadata": {
            "type": "object",
            "required": ["resource", "authorization_servers"],
            "properties": {
                "resource": {"type": "string", "format": "uri"},
                "authorization_servers": {"type": "array", "items": TEXT},
                "bearer_methods_supported": {"type": "array", "items": TEXT},
                "resource_name": TEXT,
                "scopes_supported": {"type": "array", "items": TEXT},
            },
        },
        "RpcAnswer": {"anyOf": [_ref("RpcResult"), _ref("RpcFailure")]},
        "RpcResult": _closed({"jsonrpc": {"const": "2.0"}, "id": identifier, "result": {"type": "object"}}),
        "RpcFailure": _closed(
            {
                "jsonrpc": {"const": "2.0"},
                "id": {"type": ["string", "integer", "null"]},
                "error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": {"type": "integer"}, "message": TEXT, "data": {}},
                },
            }
        ),
        **{tool.name: _arguments(tool) for tool in TOOLS if not tool.gated},
        "HandshakeMessage": {"anyOf": [*_requests(), *_handshake()]},
        "ModernMessage": {"anyOf": [*_requests(_meta()), *_modern()]},
    }


def _arguments(tool: Tool) -> Schema:
    """What the tool takes, as `tools/list` has it, and null where that is the same as nothing."""
    return tool.schema | {
        "properties": {
            name: one if name in tool.required else {"anyOf": [one, {"type": "null"}]}
            for name, one in tool.schema["properties"].items()
        }
    }


def _codes(kind: type[BridgeError]) -> set[str]:
    return {kind.code}.union(*(_codes(child) for child in kind.__subclasses__()))


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def _meta() -> Schema:
    """What each request from 2026-07-28 on brings, since there is no handshake."""
    version = {"type": "string", "enum": list(MODERN_PROTOCOL_VERSIONS)}
    properties = {f"{META}protocolVersion": version, f"{META}clientCapabilities": {"type": "object"}}
    return {"type": "object", "required": list(properties), "properties": properties}


def _message(method: str, properties: Schema, required: Sequence[str], meta: Schema | None) -> Schema:
    """One request. What it needs in its parameters is `required`, and what every request needs is in `meta`."""
    if meta is not None:
        properties, required = {**properties, "_meta": meta}, [*required, "_meta"]
    params: Schema = {"type": "object" if required else ["object", "null"], "properties": properties}
    if required:
        params["required"] = list(required)
    return {
        "type": "object",
        "title": method,
        "required": ["jsonrpc", "id", "method", *(["params"] if required else [])],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer"]},
            "method": {"const": method},
            "params": params,
        },
    }


NOTIFICATION: Schema = {
    "type": "object",
    "title": "notification",
    "description": "Nobody answers one: what the hub does not know it leaves alone.",
    "required": ["jsonrpc", "method"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "method": {"type": "string", "not": {"const": "initialize"}},
        "params": {"type": ["object", "null"]},
        "id": False,
    },
}


def _requests(meta: Schema | None = None) -> list[Schema]:
    """What clients of both eras ask."""
    found = [_message(method, {}, (), meta) for method in ("tools/list", "resources/list", "resources/templates/list")]
    found.append(_message("resources/read", {"uri": TEXT}, ["uri"], meta))
    for tool in TOOLS:
        if not tool.gated:
            called = {"name": {"const": tool.name}, "arguments": _ref(tool.name)}
            needed = ["name", *(["arguments"] if tool.required else [])]
            found.append(_message("tools/call", called, needed, meta) | {"title": tool.name})
    return found


def _handshake() -> list[Schema]:
    hello = {
        "protocolVersion": TEXT,
        "capabilities": {"type": "object"},
        "clientInfo": {
            "type": "object",
            "required": ["name", "version"],
            "properties": {"name": TEXT, "version": TEXT},
        },
    }
    return [
        _message("initialize", hello, list(hello), None),
        _message("ping", {}, (), None),
        _message("resources/subscribe", {"uri": TEXT}, ["uri"], None),
        _message("resources/unsubscribe", {"uri": TEXT}, ["uri"], None),
        NOTIFICATION,
    ]


def _modern() -> list[Schema]:
    wanted = {
        "notifications": {
            "type": "object",
            "properties": {"resourceSubscriptions": {"type": "array", "items": TEXT}},
        }
    }
    return [
        _message("server/discover", {}, (), _meta()),
        _message("subscriptions/listen", wanted, list(wanted), _meta()),
        NOTIFICATION,
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openapi.json").write_text(page(), encoding="utf-8")
