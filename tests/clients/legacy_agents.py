"""Runs under the interpreter of legacy-requirements.txt: agent libraries that use version 1 of the MCP SDK.

`legacy_agents.py openai-agents SERVER MODEL_URL`: one run of an OpenAI Agents SDK agent; prints what it says at the end.
`legacy_agents.py langchain SERVER CALLS`: the LangChain adapters make the tool CALLS; prints their results.
SERVER is {"command", "args", "env"}, CALLS a list of [tool, arguments]; both and what is printed are JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


async def openai_agents(server: dict[str, Any], url: str) -> str:
    from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
    from agents.mcp import MCPServerStdio
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("stub", AsyncOpenAI(base_url=f"{url}/v1", api_key="x"))
    async with MCPServerStdio({**server}, client_session_timeout_seconds=60) as bridge:
        agent = Agent("builder", model=model, mcp_servers=[bridge])
        run = Runner.run_streamed(agent, "Do as the plan says.")
        async for _ in run.stream_events():
            pass
        return str(run.final_output)


async def langchain(server: dict[str, Any], calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    client = MultiServerMCPClient({"mab": {**server, "transport": "stdio"}})
    async with client.session("mab") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        return [await tools[name].ainvoke(arguments) for name, arguments in calls]


def main() -> None:
    library, server, rest = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    if library == "openai-agents":
        print(json.dumps(asyncio.run(openai_agents(server, rest))))
    else:
        print(json.dumps(asyncio.run(langchain(server, json.loads(rest))), default=str))


if __name__ == "__main__":
    main()
