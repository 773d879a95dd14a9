"""The product's own `/mcp` for the MCP conformance suite: `python -m tests.clients.conformance_http HOME`.

Door, listener and endpoint are those of `mab serve --http`, over a hub of its own with a key that was made there. The
suite cannot send a header, so one is put into its requests in front of the door. Prints its URL, then serves.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from multiagent_bridge import wiring
from multiagent_bridge.config import Settings
from multiagent_bridge.mcp.http import Endpoint
from multiagent_bridge.mcp.server import build
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.web.face import HttpFace, Place
from tests.clients.conformance_app import add_fixtures, with_token


async def serve(home: Path) -> None:
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(Settings(home=home), stack)
        owner = Caller(agent="", name="owner", peer=f"uid:{os.geteuid()}", operator=True)
        made = await hub.identities.create(owner, "conformance", ["agent"])
        server = build(hub)
        add_fixtures(server)
        endpoint = Endpoint(server, hub, hub.identities.still)
        face = HttpFace(Place("127.0.0.1:0"), endpoint, hub.identities, hub.journal.refused, hub.journal.head)
        settings = face.listener._config
        settings.loaded_app = with_token(settings.loaded_app, made.secret)  # type: ignore[arg-type]
        await stack.enter_async_context(endpoint.serving())
        await face.open(stack, endpoint.leave)
        print(f"{face.url}/mcp", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
