"""One hub of the row `postgres`, with its agents in it: `python -m benchmarks.postgres_hub AGENTS SECONDS`.

Settings come from the environment. Says `ready`, reads on standard input when to begin (`time.monotonic`), sends as fast as it
can, and reports as JSON.
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


async def agent(hub: Hub, caller: Caller, end: list[float], sent: list[str], errors: list[str]) -> None:
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


async def main(agents: int, seconds: float) -> None:
    sent: list[str] = []
    errors: list[str] = []
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(), stack, owner=f"bench-{os.getpid()}")
        callers = [Caller(agent=f"{os.getpid()}.{n}", name=f"agent {n}", peer="uid:0") for n in range(agents)]
        await asyncio.gather(*(hub.conversations.create(caller, "backend", "frontend") for caller in callers))
        print("ready", flush=True)
        begin = float(await asyncio.to_thread(sys.stdin.readline))
        end = [begin, begin + seconds]
        await asyncio.gather(*(agent(hub, caller, end, sent, errors) for caller in callers))
    json.dump({"sent": sent, "errors": errors}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
