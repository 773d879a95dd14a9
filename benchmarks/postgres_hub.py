"""One hub of the row `postgres`, with its agents in it: `python -m benchmarks.postgres_hub AGENTS BEGIN SECONDS`.

Settings come from the environment. Says `ready`, sends from BEGIN on as fast as it can, and reports as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack

from multiagent_bridge import config, wiring
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.services.hub import Hub


async def agent(hub: Hub, number: int, end: list[float], sent: list[str], errors: list[str]) -> None:
    caller = Caller(agent=f"{os.getpid()}.{number}", name=f"agent {number}", peer="uid:0")
    await hub.conversations.create(caller, "backend", "frontend")
    nobody = Credentials()
    await asyncio.sleep(max(0.0, end[0] - time.monotonic()))
    turn = 0
    while time.monotonic() < end[1]:
        text = f"{caller.agent} message {turn}: the build is green again; the flaky test was the clock"
        try:
            await hub.messages.send(caller, nobody, text)
        except BridgeError as error:
            errors.append(str(error))
        else:
            sent.append(text)
        turn += 1


async def main(agents: int, begin: float, seconds: float) -> None:
    sent: list[str] = []
    errors: list[str] = []
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(), stack, owner=f"bench-{os.getpid()}")
        end = [begin, begin + seconds]
        await asyncio.gather(*(agent(hub, number, end, sent, errors) for number in range(agents)))
    json.dump({"sent": sent, "errors": errors}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
