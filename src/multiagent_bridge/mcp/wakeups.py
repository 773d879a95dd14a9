"""One question of a client's hook over the hub's socket: an event in the greeting, one line of JSON as the answer."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from multiagent_bridge import __version__
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.services.hub import Hub

WAIT_SECONDS = 3600.0
"""Longest that a waker is kept waiting."""


async def answer(
    hub: Hub, caller: Caller, hello: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the greeting of a hook, and for `wake` only once there is mail or the hook has left.

    Raises Invalid, TooFast, Unavailable, ConnectionError.
    """
    event = hello.get("event")
    if event == "wake":
        waiting = asyncio.create_task(hub.wakeups.wait(caller, WAIT_SECONDS))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                return
            verdict = waiting.result()
        finally:
            for task in (waiting, gone):
                task.cancel()
            await asyncio.gather(waiting, gone, return_exceptions=True)
    else:
        verdict = await hub.wakeups.noticed(caller, event)
    told = {"mab": 1, "version": __version__, "ok": True, "pid": os.getpid(), "hook": verdict.fields()}
    writer.write(json.dumps(told).encode() + b"\n")
    await writer.drain()
