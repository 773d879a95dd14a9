"""An agent as the run sees it: a process that takes orders, speaks MCP, and can be stopped, cut off and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.validation.stage import Stage, Started

WORKER = (sys.executable, "-I", "-m", "multiagent_bridge.validation.worker")
ANSWER_SECONDS = 180.0


class Failed(BridgeError):
    """The bridge did otherwise than the test expects."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a tool call ended. `began` and `ended` are of the monotonic clock; `attempts` are more than one after retries."""

    tool: str
    arguments: Mapping[str, Any]
    code: str
    text: str
    fields: Mapping[str, Any]
    began: float
    ended: float
    attempts: Sequence[Mapping[str, Any]]

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) * 1000

    @classmethod
    def of(cls, order: Mapping[str, Any], answer: Mapping[str, Any]) -> Said:
        return cls(order["tool"], order.get("arguments", {}), **answer)


@dataclass(slots=True)
class Server:
    """How its client starts `mab mcp`, as `mab init` wrote it down."""

    command: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


class Agent:
    """One agent. `said` is every call it made, in the order of the answers."""

    def __init__(self, stage: Stage, name: str, mode: str = "auto") -> None:
        self.name = name
        self.mode = mode
        self.folder = stage.folder(name)
        self.said: list[Said] = []
        self.server: Server | None = None
        self.protocol = ""
        self.tools: Sequence[str] = ()
        self._stage = stage
        self._started: Started | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 0

    @property
    def pid_file(self) -> Path:
        return self.folder / "shim.pid"

    @property
    def shim(self) -> int:
        """The process of its `mab mcp`."""
        return int(self.pid_file.read_text())

    async def connect(self) -> float:
        """Start its process, and in it its client. Returns how long the client took to connect, seconds."""
        assert self.server is not None
        self._started = await self._stage.start(*WORKER, folder=self.folder, talk=True)
        self._reading = asyncio.create_task(self._read(self._started))
        found = await self._asked(
            {
                "do": "connect",
                "pid_file": str(self.pid_file),
                "command": self.server.command,
                "arguments": self.server.arguments,
                "environment": self._stage.environment(HOME=str(self.folder)) | self.server.environment,
                "folder": str(self.folder),
                "mode": self.mode,
            }
        )
        self.protocol, self.tools = found["protocol"], found["tools"]
        return float(found["seconds"])

    async def call(self, tool: str, tries: int = 1, pause: float = 0.1, **arguments: Any) -> Said:
        """One tool call, tried again with back-off while the hub asks for patience."""
        order = {"do": "call", "tool": tool, "arguments": arguments, "tries": tries, "pause": pause}
        return self._noted(order, await self._asked(order))

    async def good(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The fields of a call that must succeed. Raises Failed with its sentence."""
        said = await self.call(tool, **arguments)
        if said.code:
            raise Failed(f"{self.name}: {tool} was refused: {said.text}")
        return dict(said.fields)

    async def burst(
        self, calls: Sequence[Mapping[str, Any]], at: float = 0.0, gap: float = 0.0, together: bool = False
    ) -> list[Said]:
        """Several calls of {tool, arguments, tries} from one instant of the monotonic clock on."""
        order = {"do": "burst", "calls": list(calls), "at": at, "gap": gap, "together": together}
        answers = await self._asked(order)
        return [self._noted(one, answer) for one, answer in zip(calls, answers, strict=True)]

    async def mind(self, conversation: str, wait: float, work: bool = True) -> dict[str, Any]:
        """Let it be an agent by itself until `rest`; returns what it heard and finished."""
        found = await self._asked({"do": "mind", "conversation": conversation, "wait": wait, "work": work}, None)
        assert isinstance(found, dict)
        return found

    async def rest(self) -> None:
        await self._asked({"do": "rest"})

    async def kill(self) -> None:
        """SIGKILL to its process and to its `mab mcp`: nothing of it says good-bye."""
        assert self._started is not None
        with suppress(ProcessLookupError):
            os.kill(self.shim, signal.SIGKILL)
        await self._started.ended(signal.SIGKILL)
        await self._gone()

    async def leave(self) -> None:
        """Close its client as a person closes it."""
        if self._started is None or self._started.process.returncode is not None:
            return
        assert self._started.process.stdin is not None
        self._started.process.stdin.close()
        try:
            await asyncio.wait_for(self._started.process.wait(), 10)
        except TimeoutError:
            await self._started.ended(signal.SIGKILL)
        await self._gone()

    async def _gone(self) -> None:
        if self._reading is not None:
            await self._reading
            self._reading = None

    async def _asked(self, order: Mapping[str, Any], seconds: float | None = ANSWER_SECONDS) -> Any:
        assert self._started is not None
        assert self._started.process.stdin is not None
        self._next += 1
        number = self._next
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._started.process.stdin.write(json.dumps({**order, "id": number}).encode() + b"\n")
            await self._started.process.stdin.drain()
            async with asyncio.timeout(seconds):
                return await answer
        except (ConnectionError, BrokenPipeError) as error:
            raise Unavailable(f"the process of {self.name} is gone", "look at what the test did to it") from error
        finally:
            self._waiting.pop(number, None)

    async def _read(self, started: Started) -> None:
        assert started.process.stdout is not None
        while line := await started.process.stdout.readline():
            answer = json.loads(line)
            waiting = self._waiting.get(answer["id"])
            if waiting is None or waiting.done():
                continue
            if "error" in answer:
                waiting.set_exception(Failed(f"{self.name}: {answer['error']}"))
            else:
                waiting.set_result(answer["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(f"the process of {self.name} has ended", self._stage.said()))

    def _noted(self, order: Mapping[str, Any], answer: Mapping[str, Any]) -> Said:
        said = Said.of(order, answer)
        self.said.append(said)
        return said
