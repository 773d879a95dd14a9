"""Runs under the interpreter of legacy-requirements.txt: `library_agents.py LIBRARY SERVER MODEL_URL`.

LIBRARY is openai-agents or langchain, whose own agent loop asks the model and calls the tools that it chooses. SERVER is
JSON, {"command", "args", "env"} or {"url", "headers"}. Prints what the agent says at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

PROMPT = "Do as the plan says."


async def openai_agents(server: dict[str, Any], url: str) -> str:
    from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
    from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("stub", AsyncOpenAI(base_url=f"{url}/v1", api_key="x"))
    transport: Any = MCPServerStreamableHttp if "url" in server else MCPServerStdio
    async with transport({**server}, client_session_timeout_seconds=60) as bridge:
        agent = Agent("builder", model=model, mcp_servers=[bridge])
        run = Runner.run_streamed(agent, PROMPT)
        async for _ in run.stream_events():
            pass
        return str(run.final_output)


async def langchain(server: dict[str, Any], url: str) -> str:
    from langchain.agents import create_agent
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="stub", base_url=f"{url}/v1", api_key="x", streaming=True)
    transport = "streamable_http" if "url" in server else "stdio"
    # as its guide has it: each call of a tool is a connection of its own
    tools = await MultiServerMCPClient({"mab": {**server, "transport": transport}}).get_tools()
    said = await create_agent(model, tools).ainvoke({"messages": [{"role": "user", "content": PROMPT}]})
    return str(said["messages"][-1].content)


LIBRARIES = {"openai-agents": openai_agents, "langchain": langchain}


def main() -> None:
    library, server, url = sys.argv[1:]
    print(asyncio.run(LIBRARIES[library](json.loads(server), url)))


if __name__ == "__main__":
    main()
