"""The bridge under test, as a client program meets it: a command to start, a state directory, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bridge:
    """One state directory and the program that serves it. `program` is the path of `mab`."""

    program: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a client's configuration gives the server."""
        return {"MAB_HOME": str(self.home)}

    def arguments(self, name: str) -> list[str]:
        """What follows the program on the command line of an MCP client's configuration."""
        return ["mcp", "--as", name]

    def parameters(self, name: str) -> StdioServerParameters:
        """For the SDK's own client."""
        environment = self.environment | {"PATH": os.defpath, "HOME": str(self.home.parent)}
        return StdioServerParameters(command=str(self.program), args=self.arguments(name), env=environment)

    def call(self, name: str, tool: str, **arguments: Any) -> Json:
        """Call `tool` as agent `name` through the SDK's client, over a connection of its own.

        Returns the structured result. Fails the test when the tool reports an error.
        """

        async def called() -> CallToolResult:
            with anyio.fail_after(90):
                async with Client(self.parameters(name)) as client:
                    return await client.call_tool(tool, arguments)

        result = anyio.run(called)
        assert not result.is_error, f"{tool} failed: {text(result)}"
        assert result.structured_content is not None
        return dict(result.structured_content)

    def stop(self) -> None:
        """End the hub and wait until it is gone."""
        subprocess.run(
            [self.program, "serve", "--stop"],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=150,
            check=True,
        )


def text(result: CallToolResult) -> str:
    """The text that a client which ignores structured content shows to its model."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def left_behind(place: Path, seconds: float) -> dict[int, str]:
    """Processes that still have `place` in their environment after at most `seconds`: id and command line.

    Looks in /proc; where there is none, nothing is found.
    """
    until = time.monotonic() + seconds
    while (found := _processes(place)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def end(processes: dict[int, str]) -> None:
    """End each of `processes` by its id."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _processes(place: Path) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(place) in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                words = (folder / "cmdline").read_bytes().split(b"\0")
                found[int(folder.name)] = b" ".join(words).decode(errors="replace").strip()
        except OSError:
            continue  # it ended while we looked, or is another user's
    return found
