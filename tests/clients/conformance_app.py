"""Our server over HTTP for the MCP conformance suite: `python -m tests.clients.conformance_app HOME`.

The server object is the product's, with authentication, Host and Origin checks on. What the suite's scenarios look for
by name (tools, resources, prompts) is added here and nowhere else, beside our own tools. The suite cannot send a header,
so a wrapper adds the bearer token to what comes for /mcp. Prints its URL, then serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp import MCPError
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from multiagent_bridge import wiring
from multiagent_bridge.config import Settings
from multiagent_bridge.mcp.server import build
from tests.clients.conformance_tools import SCHEMAS, TOOLS, Context, Outcome, asking, bus, embedded, filled, form, png

TEXT = types.TextResourceContents(
    uri="test://static-text", mime_type="text/plain", text="This is the content of the static text resource."
)
BINARY = types.BlobResourceContents(uri="test://static-binary", mime_type="image/png", blob=png())
WATCHED = types.TextResourceContents(uri="test://watched-resource", mime_type="text/plain", text="Watched.")
RESOURCES = {content.uri: content for content in (TEXT, BINARY, WATCHED)}
TEMPLATE = re.compile(r"test://template/([^/]+)/data")


def user(content: Any) -> types.PromptMessage:
    part = types.TextContent(type="text", text=content) if isinstance(content, str) else content
    return types.PromptMessage(role="user", content=part)


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult | None:
    """What the scenarios look for by name; None for anything else, which is the bridge's to answer."""
    if content := RESOURCES.get(params.uri):
        return types.ReadResourceResult(contents=[content])
    if match := TEMPLATE.fullmatch(params.uri):
        text = json.dumps({"id": match[1], "templateTest": True, "data": f"Data for ID: {match[1]}"})
        made = types.TextResourceContents(uri=params.uri, mime_type="application/json", text=text)
        return types.ReadResourceResult(contents=[made])
    return None


PROMPTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


async def list_prompts(ctx: Context, params: types.PaginatedRequestParams) -> types.ListPromptsResult:
    listed = []
    for name, arguments in PROMPTS.items():
        described = [types.PromptArgument(name=word, description=word, required=True) for word in arguments]
        listed.append(types.Prompt(name=name, description=name, arguments=described))
    return types.ListPromptsResult(prompts=listed)


async def get_prompt(
    ctx: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            messages = [user("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            messages = [user(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")]
        case "test_prompt_with_embedded_resource":
            part = embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing.")
            messages = [user(part), user("Please process the embedded resource above.")]
        case "test_prompt_with_image":
            picture = types.ImageContent(type="image", data=png(), mime_type="image/png")
            messages = [user(picture), user("Please analyze the image above.")]
        case "test_input_required_result_prompt":
            context = filled(params, "user_context", "context")
            if context is None:
                return asking({"user_context": form("What context should the prompt use?", "context")})
            messages = [user(f"The context is {context}")]
        case _:
            raise MCPError(code=types.INVALID_PARAMS, message="there is no such prompt")
    return types.GetPromptResult(messages=messages)


async def complete(ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    return types.CompleteResult(completion=types.Completion(values=["paris", "park"], total=2, has_more=False))


async def set_level(ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


def add_fixtures(server: Server[Any]) -> None:
    """Put what the scenarios look for beside what the server has; its own tools stay and answer as before."""

    def own(method: str) -> Any:
        entry = server.get_request_handler(method)
        assert entry is not None
        return entry.handler

    own_list, own_call, own_read = own("tools/list"), own("tools/call"), own("resources/read")
    own_resources, own_templates = own("resources/list"), own("resources/templates/list")
    own_listen, listening = own("subscriptions/listen"), ListenHandler(bus)

    async def list_tools(ctx: Context, params: types.PaginatedRequestParams) -> types.ListToolsResult:
        listed = await own_list(ctx, params)
        assert isinstance(listed, types.ListToolsResult)
        added = [
            types.Tool(name=name, description=name, input_schema=SCHEMAS.get(name, {"type": "object"}))
            for name in TOOLS
        ]
        return listed.model_copy(update={"tools": [*listed.tools, *added]})

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> Outcome:
        if body := TOOLS.get(params.name):
            return await body(ctx, params)
        result = await own_call(ctx, params)
        assert isinstance(result, types.CallToolResult)
        return result

    async def list_resources(ctx: Context, params: types.PaginatedRequestParams) -> types.ListResourcesResult:
        listed = await own_resources(ctx, params)
        added = [types.Resource(uri=uri, name=uri, mime_type=content.mime_type) for uri, content in RESOURCES.items()]
        return types.ListResourcesResult(resources=[*listed.resources, *added])

    async def list_templates(ctx: Context, params: types.PaginatedRequestParams) -> types.ListResourceTemplatesResult:
        listed = await own_templates(ctx, params)
        template = types.ResourceTemplate(uri_template="test://template/{id}/data", name="template")
        return types.ListResourceTemplatesResult(resource_templates=[*listed.resource_templates, template])

    async def read(ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        return await read_resource(ctx, params) or await own_read(ctx, params)

    def watched(method: str) -> Any:
        """The scenario follows a resource of its own; any other is the bridge's."""
        bridges = own(method)

        async def answer(ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
            return types.EmptyResult() if params.uri in RESOURCES else await bridges(ctx, params)

        return answer

    async def listen(ctx: Context, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
        """What the fixture tools change is heard of on the fixtures' bus."""
        wanted = params.notifications
        fixtures = wanted.tools_list_changed or wanted.prompts_list_changed
        found = await (listening if fixtures else own_listen)(ctx, params)
        assert isinstance(found, types.SubscriptionsListenResult)
        return found

    added: tuple[tuple[str, type[Any], Any], ...] = (
        ("tools/list", types.PaginatedRequestParams, list_tools),
        ("tools/call", types.CallToolRequestParams, call_tool),
        ("resources/list", types.PaginatedRequestParams, list_resources),
        ("resources/templates/list", types.PaginatedRequestParams, list_templates),
        ("resources/read", types.ReadResourceRequestParams, read),
        ("resources/subscribe", types.SubscribeRequestParams, watched("resources/subscribe")),
        ("resources/unsubscribe", types.UnsubscribeRequestParams, watched("resources/unsubscribe")),
        ("prompts/list", types.PaginatedRequestParams, list_prompts),
        ("prompts/get", types.GetPromptRequestParams, get_prompt),
        ("completion/complete", types.CompleteRequestParams, complete),
        ("logging/setLevel", types.SetLevelRequestParams, set_level),
        ("subscriptions/listen", types.SubscriptionsListenRequestParams, listen),
    )
    for method, kind, handler in added:
        server.add_request_handler(method, kind, handler)


class OneToken:
    """Knows one token, for one resource."""

    def __init__(self, token: str, resource: str) -> None:
        self._token = token
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return None
        return AccessToken(token=token, client_id="conformance", scopes=["agent"], resource=self._resource)


def with_token(app: ASGIApp, token: str) -> ASGIApp:
    """Add the bearer header to requests for /mcp that bring none."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp" and b"authorization" not in dict(scope["headers"]):
            header = (b"authorization", b"Bearer " + token.encode())
            scope = {**scope, "headers": [*scope["headers"], header]}
        await app(scope, receive, send)

    return wrapped


def mounted(server: Server[Any], url: str, token: str, stateless: bool = False) -> Starlette:
    """The server behind bearer authentication, with Host checks on every route."""
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(url),
        resource_server_url=AnyHttpUrl(url),
        required_scopes=["agent"],
        validate_token_resource=True,
    )
    app = server.streamable_http_app(auth=settings, token_verifier=OneToken(token, url), stateless_http=stateless)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return app


async def serve(home: Path) -> None:
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(Settings(home=home), stack)
        server = build(hub)
        add_fixtures(server)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
            token = secrets.token_hex(32)
            app = with_token(mounted(server, url, token), token)
            web = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
            print(url, flush=True)
            await web.serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
