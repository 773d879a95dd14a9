"""A reader in a process of its own: `python -m benchmarks.waiter INVITE COUNT` prints when each message reached its client."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from benchmarks.places import Place


async def main(invite: str, count: int) -> None:
    async with Place(Path(os.environ["MAB_HOME"])).client() as client:
        await client.call_tool("join_conversation", {"invite": invite})
        print("ready", flush=True)
        seen = 0
        while seen < count:
            mail = await client.call_tool("check_messages", {"wait_seconds": 50})
            at = time.monotonic()
            assert mail.structured_content is not None, mail
            for message in mail.structured_content["messages"]:
                print(message["message"].removeprefix("number "), at, flush=True)
                seen += 1


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
