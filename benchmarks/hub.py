"""The program's own hub with one tool more, which does nothing: the yardstick on the same hub and path.

Run as `python -m benchmarks.hub`; takes its settings from the environment like `mab serve`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server

from multiagent_bridge.mcp import server
from multiagent_bridge.services.hub import Hub

NOOP = "noop"


def with_noop(build: Callable[..., Server[Any]]) -> Callable[..., Server[Any]]:
    """`build`, whose server answers the tool `noop` at once."""

    def built(hub: Hub, gate: bool = False, *more: Any) -> Server[Any]:
        made = build(hub, gate, *more)
        ours, listed = made.get_request_handler("tools/call"), made.get_request_handler("tools/list")
        assert ours is not None
        assert listed is not None

        async def call(ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> Any:
            if params.name == NOOP:
                done = [types.TextContent(type="text", text="done")]
                return types.CallToolResult(content=done, structured_content={"done": True})
            return await ours.handler(ctx, params)

        async def show(ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None) -> Any:
            tools = await listed.handler(ctx, params)
            assert isinstance(tools, types.ListToolsResult)
            # the SDK's client asks for the list again before every call of a tool it does not know
            return types.ListToolsResult(tools=[*tools.tools, types.Tool(name=NOOP, input_schema={"type": "object"})])

        made.add_request_handler("tools/call", types.CallToolRequestParams, call)
        made.add_request_handler("tools/list", types.PaginatedRequestParams, show)
        return made

    return built


def main() -> int:
    # the hub looks it up when it starts
    setattr(server, "build", with_noop(server.build))  # noqa: B010
    from multiagent_bridge.cli.app import run

    return run(["serve"])


if __name__ == "__main__":
    sys.exit(main())
