"""The tools that scenarios of the MCP conformance suite call by name; what each must do is in the suite's descriptions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged

Context = ServerRequestContext[Any, Any]
Outcome = types.CallToolResult | types.InputRequiredResult
ToolBody = Callable[[Context, types.CallToolRequestParams], Awaitable[Outcome]]

STATE_KEY = b"the key of a test server"
bus = InMemorySubscriptionBus()


def png() -> str:
    """One red pixel, base64."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + image).decode()


def wav() -> str:
    """Two samples of silence, base64."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    content = b"WAVE" + form + struct.pack("<4sI", b"data", 4) + bytes(4)
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(content)) + content).decode()


def said(*parts: Any, error: bool = False) -> types.CallToolResult:
    """A result of content parts; a string is a text part."""
    content = [types.TextContent(type="text", text=part) if isinstance(part, str) else part for part in parts]
    return types.CallToolResult(content=content, is_error=error)


def embedded(uri: str, kind: str, text: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=kind, text=text)
    )


async def simple_text(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said("This is a simple text response for testing.")


async def image(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said(types.ImageContent(type="image", data=png(), mime_type="image/png"))


async def audio(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said(types.AudioContent(type="audio", data=wav(), mime_type="audio/wav"))


async def embedded_resource(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))


async def mixed(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said(
        "Multiple content types test:",
        types.ImageContent(type="image", data=png(), mime_type="image/png"),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    )


async def logging(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)
        await anyio.sleep(0.05)
    return said("logged")


async def progress(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await anyio.sleep(0.05)
    return said("reported")


async def failing(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    return said("This tool intentionally returns an error for testing", error=True)


async def sampling(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    prompt = types.TextContent(type="text", text=str((params.arguments or {})["prompt"]))
    answer = await ctx.session.create_message(
        [types.SamplingMessage(role="user", content=prompt)], max_tokens=100, related_request_id=ctx.request_id
    )
    return said(f"LLM response: {getattr(answer.content, 'text', '')}")


async def _elicited(ctx: Context, message: str, properties: Mapping[str, Any], required: tuple[str, ...]) -> Outcome:
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return said(f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}")


async def elicitation(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    text = {"type": "string"}
    message = str((params.arguments or {})["message"])
    return await _elicited(ctx, message, {"username": text, "email": text}, ("username", "email"))


async def elicitation_defaults(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await _elicited(ctx, "Please check the defaults", properties, ())


async def elicitation_enums(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    plain = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    properties = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await _elicited(ctx, "Please choose", properties, ())


async def missing_capability(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    wanted = types.ClientCapabilities(sampling=types.SamplingCapability())
    if not ctx.session.check_client_capability(wanted):
        data = types.MissingRequiredClientCapabilityErrorData(required_capabilities=wanted)
        raise MCPError(
            code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="this tool needs sampling",
            data=data.model_dump(by_alias=True, exclude_none=True),
        )
    return said("sampling is there")


async def tools_changed(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    await bus.publish(ToolsListChanged())
    return said("announced")


async def prompts_changed(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    await bus.publish(PromptsListChanged())
    return said("announced")


# --- results that ask the client for input (2026-07-28) ---------------------------------------------------------------


def form(message: str, name: str, kind: str = "string") -> types.ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str, tokens: int) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def sealed(state: str) -> str:
    return f"{state}.{hmac.new(STATE_KEY, state.encode(), hashlib.sha256).hexdigest()}"


def opened(token: str | None) -> str:
    """The state a client brought back. Raises MCPError when it is not what it was given."""
    state, _, _ = (token or "").rpartition(".")
    if token is None or not hmac.compare_digest(sealed(state).encode(), token.encode()):
        raise MCPError(code=types.INVALID_PARAMS, message="the request state was changed")
    return state


def asking(requests: Mapping[str, Any], state: str | None = None) -> types.InputRequiredResult:
    return types.InputRequiredResult(
        input_requests=dict(requests), request_state=None if state is None else sealed(state)
    )


def answered(params: types.InputResponseRequestParams, name: str, kind: type[Any]) -> Any | None:
    """The response under `name` if it is there and of the right `kind`."""
    response = (params.input_responses or {}).get(name)
    return response if isinstance(response, kind) else None


def filled(params: types.InputResponseRequestParams, name: str, field: str) -> Any | None:
    """The `field` of an accepted form under `name`."""
    response = answered(params, name, types.ElicitResult)
    return (response.content or {}).get(field) if response is not None and response.action == "accept" else None


async def asks_form(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    name = filled(params, "user_name", "name")
    return asking({"user_name": form("What is your name?", "name")}) if name is None else said(f"Hello, {name}!")


async def asks_sampling(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    response = answered(params, "capital_question", types.CreateMessageResult)
    if response is None:
        return asking({"capital_question": sample("What is the capital of France?", 100)})
    return said(f"LLM response: {getattr(response.content, 'text', '')}")


async def asks_roots(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    response = answered(params, "client_roots", types.ListRootsResult)
    if response is None:
        return asking({"client_roots": types.ListRootsRequest()})
    return said("Roots: " + ", ".join(str(root.uri) for root in response.roots))


async def asks_with_state(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    if filled(params, "confirm", "ok") is None:
        return asking({"confirm": form("Please confirm", "ok", "boolean")}, "asked")
    return said(f"state-ok: {opened(params.request_state)}")


async def asks_thrice(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    name = filled(params, "user_name", "name")
    greeting = answered(params, "greeting", types.CreateMessageResult)
    roots = answered(params, "client_roots", types.ListRootsResult)
    if name is None or greeting is None or roots is None:
        requests = {
            "user_name": form("What is your name?", "name"),
            "greeting": sample("Generate a greeting", 50),
            "client_roots": types.ListRootsRequest(),
        }
        return asking(requests, "three")
    return said(f"{opened(params.request_state)}: {name}, {len(roots.roots)} roots")


async def asks_in_rounds(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    if params.request_state is None:
        return asking({"step1": form("Step 1: What is your name?", "name")}, "1")
    state = opened(params.request_state)
    if state == "1":
        name = filled(params, "step1", "name")
        return asking({"step2": form("Step 2: What is your favorite color?", "color")}, f"2 {name}")
    return said(f"{state.removeprefix('2 ')} likes {filled(params, 'step2', 'color')}")


async def asks_what_the_client_can(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
    able = ctx.session.client_capabilities or types.ClientCapabilities()
    requests: dict[str, Any] = {}
    if able.elicitation is not None:
        requests["user_name"] = form("What is your name?", "name")
    if able.sampling is not None:
        requests["greeting"] = sample("Generate a greeting", 50)
    if able.roots is not None:
        requests["client_roots"] = types.ListRootsRequest()
    return asking(requests) if requests and not params.input_responses else said("nothing to ask")


TOOLS: dict[str, ToolBody] = {
    "test_simple_text": simple_text,
    "test_image_content": image,
    "test_audio_content": audio,
    "test_embedded_resource": embedded_resource,
    "test_multiple_content_types": mixed,
    "test_tool_with_logging": logging,
    "test_logging_tool": logging,
    "test_tool_with_progress": progress,
    "test_error_handling": failing,
    "test_sampling": sampling,
    "test_elicitation": elicitation,
    "test_elicitation_sep1034_defaults": elicitation_defaults,
    "test_elicitation_sep1330_enums": elicitation_enums,
    "test_missing_capability": missing_capability,
    "test_streaming_elicitation": asks_form,
    "test_trigger_tool_change": tools_changed,
    "test_trigger_prompt_change": prompts_changed,
    "test_input_required_result_elicitation": asks_form,
    "test_input_required_result_sampling": asks_sampling,
    "test_input_required_result_list_roots": asks_roots,
    "test_input_required_result_request_state": asks_with_state,
    "test_input_required_result_tampered_state": asks_with_state,
    "test_input_required_result_multiple_inputs": asks_thrice,
    "test_input_required_result_multi_round": asks_in_rounds,
    "test_input_required_result_capabilities": asks_what_the_client_can,
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "test_sampling": {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
    "test_elicitation": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
}
