"""One agent in a process of its own, speaking MCP: `python -m multiagent_bridge.validation.worker`.

Orders come as JSON lines on standard input, answers go as JSON lines to standard output; between it and the hub stands the
real `mab mcp`, started as an agent's client starts it. Instants are of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp import Client

CALL_SECONDS = 90.0
LONGEST_PAUSE = 8.0
LINE_BYTES = 1 << 24
WAITS = ("unavailable", "too_fast")
"""Refusals that a later try may mend."""

RECORD = 'echo $$ >"$1"; shift; exec "$@"'
"""What stands before `mab mcp`, so that its process is known whoever starts it."""

_AGAIN = re.compile(r"try again in ([0-9]+) s")


class Worker:
    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._client: Client | None = None
        self._minding: asyncio.Event | None = None

    async def connect(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Start the server that the client's configuration names, and greet it."""
        from mcp import Client, StdioServerParameters

        began = time.monotonic()
        parameters = StdioServerParameters(
            command="/bin/sh",
            args=["-c", RECORD, "sh", order["pid_file"], order["command"], *order["arguments"]],
            env=order["environment"],
            cwd=order["folder"],
        )
        client = Client(parameters, mode=order["mode"], read_timeout_seconds=CALL_SECONDS)
        self._client = await self._stack.enter_async_context(client)
        tools = [tool.name for tool in (await self._client.list_tools()).tools]
        return {
            "protocol": self._client.protocol_version,
            "tools": tools,
            "seconds": time.monotonic() - began,
        }

    async def call(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """One tool call; with `tries` above 1 again, after a pause that doubles, while only waiting is asked for."""
        attempts: list[dict[str, Any]] = []
        pause = float(order.get("pause", 0.1))
        while True:
            done = await self._called(order["tool"], order.get("arguments", {}))
            attempts.append({"code": done["code"], "began": done["began"], "ended": done["ended"]})
            if done["code"] not in WAITS or len(attempts) >= order.get("tries", 1):
                return done | {"attempts": attempts}
            told = _AGAIN.search(done["text"])
            await asyncio.sleep(max(pause, float(told[1]) if told else 0.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def burst(self, order: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Several calls from a common instant on: one after the other, `gap` seconds apart, or all at once."""
        await asyncio.sleep(max(0.0, order.get("at", 0.0) - time.monotonic()))
        if order.get("together"):
            return list(await asyncio.gather(*(self.call(one) for one in order["calls"])))
        done = []
        for one in order["calls"]:
            done.append(await self.call(one))
            await asyncio.sleep(order.get("gap", 0.0))
        return done

    async def mind(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Be an agent by itself: wait for mail, and finish what one is given, until told to `rest`."""
        here = {"conversation_id": order["conversation"]}
        self._minding = rest = asyncio.Event()
        heard: list[dict[str, Any]] = []
        finished: list[dict[str, Any]] = []
        while not rest.is_set():
            mail = await self._called("check_messages", here | {"wait_seconds": order["wait"]})
            if mail["code"]:
                # a refusal is no reason to give up, nor to knock without a pause
                await asyncio.sleep(0.2)
                continue
            for message in mail["fields"]["messages"]:
                heard.append({"id": message["id"], "from": message["from"], "text": message["message"]})
            if order.get("work") and any(m["action_type"] == "task_assignment" for m in mail["fields"]["messages"]):
                finished += await self._worked(here)
        return {"heard": heard, "finished": finished}

    async def rest(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """End `mind`, once the call that it waits in has returned."""
        if self._minding is not None:
            self._minding.set()
        return {}

    async def _worked(self, here: dict[str, Any]) -> list[dict[str, Any]]:
        done = []
        for task in (await self._called("list_tasks", here | {"mine": True}))["fields"]["tasks"]:
            if task["state"] not in ("open", "reassigned"):
                continue
            words = here | {"task_id": task["task_id"]}
            taken = await self._called("update_task", words | {"action": "accept"})
            ended = await self._called(
                "update_task", words | {"action": "complete", "fence": taken["fields"].get("fence"), "result": "done"}
            )
            done.append({"task_id": task["task_id"], "code": ended["code"], "ended": ended["ended"]})
        return done

    async def _called(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        assert self._client is not None
        began = time.monotonic()
        try:
            result = await self._client.call_tool(tool, dict(arguments))
        except Exception as error:
            # the client of an agent tells its model what went wrong, whatever it was
            return _said(began, "broken", f"broken: {type(error).__name__}: {error}", {})
        text = " ".join(part.text for part in result.content if hasattr(part, "text"))
        if result.is_error:
            return _said(began, text.partition(":")[0], text, {})
        return _said(began, "", text, dict(result.structured_content or {}))


def _said(began: float, code: str, text: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "text": text, "fields": fields, "began": began, "ended": time.monotonic()}


async def main() -> None:
    """Serve orders until standard input ends; several at once."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    running: set[asyncio.Task[None]] = set()
    async with AsyncExitStack() as stack:
        worker = Worker(stack)
        while line := await orders.readline():
            order = json.loads(line)
            if order["do"] == "connect":
                # its scope belongs to the task that leaves it again
                await _answered(worker, order)
                continue
            task = asyncio.create_task(_answered(worker, order))
            running.add(task)
            task.add_done_callback(running.discard)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _answered(worker: Worker, order: Mapping[str, Any]) -> None:
    verbs = {"connect": worker.connect, "call": worker.call, "burst": worker.burst, "mind": worker.mind}
    verb = verbs.get(order["do"], worker.rest)
    answer: dict[str, Any] = {"id": order["id"]}
    try:
        answer["result"] = await verb(order)
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
