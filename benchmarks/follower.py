"""A subscriber in a process of its own: `python -m benchmarks.follower ERA INVITE` prints when each notification came."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import warnings
from pathlib import Path

import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from benchmarks.places import Place
from benchmarks.wire import MAB


async def main(era: str, invite: str) -> None:
    here = Place(Path(os.environ["MAB_HOME"]))

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification) and era == "legacy":
            print(time.monotonic(), flush=True)

    server = StdioServerParameters(command=MAB, args=["mcp"], env=here.env, cwd=here.home)
    mode = "legacy" if era == "legacy" else "auto"
    async with Client(stdio_client(server), mode=mode, message_handler=hear) as client:  # type: ignore[arg-type]
        joined = await client.call_tool("join_conversation", {"invite": invite})
        assert joined.structured_content is not None
        uri = f"mab://inbox/{joined.structured_content['conversation_id']}/b"
        if era == "legacy":
            # the SDK deprecates what only old clients do
            warnings.simplefilter("ignore")
            await client.subscribe_resource(uri)
            print("ready", flush=True)
            await asyncio.Event().wait()
        async with client.listen(resource_subscriptions=[uri]) as moved:
            print("ready", flush=True)
            async for _ in moved:
                print(time.monotonic(), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2]))
