"""Where the demo plays: a temporary state directory, a hub of its own, two MCP clients; nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from multiagent_bridge.cli import running
from multiagent_bridge.cli.running import PATH_BYTES
from multiagent_bridge.errors import BridgeError, Unavailable

if TYPE_CHECKING:
    from mcp import Client

HUB_SECONDS = 20.0
LEAVE_SECONDS = 5.0
CALL_SECONDS = 60.0
MAB = (sys.executable, "-I", "-m", "multiagent_bridge")

SETTINGS = {
    "MAB_STORE": "",
    "MAB_LIMITS__WRITES": "[[10,60],[100,3600],[500,86400]]",
    "MAB_LIMITS__MESSAGE_CHARACTERS": "50000",
    "MAB_HUB__IDLE_SECONDS": "60",
}
"""What the story relies on, whatever the person has configured. A hub whose demo was killed leaves after a minute."""


class Failed(BridgeError):
    """The bridge did not do what the step shows."""


class Stage:
    """`async with Stage() as stage`: a running hub. Leaving stops it and removes the directory, whatever happened."""

    def __init__(self) -> None:
        self.home = Path()
        self._hub: subprocess.Popen[bytes] | None = None
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Stage:
        self.home = _directory()
        try:
            self._start_hub()
            # importing the client takes as long as the hub's start: both at once
            await asyncio.to_thread(__import__, "mcp")
            await self._answering()
        except BaseException:
            await self._clear()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._clients.aclose()
        finally:
            await self._clear()

    @property
    def hub_process(self) -> int:
        assert self._hub is not None
        return self._hub.pid

    async def client(self, name: str, mode: str) -> Client:
        """An MCP client of the SDK, over the standard streams of `mab mcp --as NAME` as any agent starts it."""
        from mcp import Client, StdioServerParameters

        parameters = StdioServerParameters(
            command=MAB[0], args=[*MAB[1:], "mcp", "--as", name], env=self._environment(), cwd=self.home
        )
        return await self._clients.enter_async_context(Client(parameters, mode=mode, read_timeout_seconds=CALL_SECONDS))

    async def mab(self, *words: str, home: Path | None = None) -> tuple[int, str]:
        """Run a command of ours in this state directory, or in another. Returns its status and what it said."""
        process = await asyncio.create_subprocess_exec(
            *MAB,
            *words,
            env=self._environment(home),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), HUB_SECONDS)
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        return process.returncode or 0, out.decode("utf-8", "replace").strip()

    def _start_hub(self) -> None:
        self._hub = subprocess.Popen(
            [*MAB, "serve", "--detached"],
            cwd=self.home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    async def _answering(self) -> None:
        """Until the hub greets. Raises Unavailable with its own words when it leaves instead."""
        assert self._hub is not None
        async with asyncio.timeout(HUB_SECONDS):
            while (await asyncio.to_thread(running.look, self.home)).state != "answers":
                if self._hub.poll() is not None:
                    assert self._hub.stderr is not None
                    said = self._hub.stderr.read().decode("utf-8", "replace").strip().splitlines() or [
                        "it gave no reason"
                    ]
                    # a sentence of ours comes first, what Python says of a defect comes last
                    reason = next((line for line in said if line.startswith("mab: error: ")), said[-1])
                    reason = reason.removeprefix("mab: error: ")
                    raise Unavailable(f"the hub does not start: {reason}", "mab doctor")
                await asyncio.sleep(0.02)

    async def _clear(self) -> None:
        """Shielded: a second Ctrl-C does not leave a hub behind."""
        await asyncio.shield(asyncio.to_thread(self._cleared))

    def _cleared(self) -> None:
        hub = self._hub
        try:
            if hub is not None:
                hub.terminate()
                try:
                    hub.wait(LEAVE_SECONDS)
                except subprocess.TimeoutExpired:
                    hub.kill()
                    hub.wait()
                assert hub.stderr is not None
                hub.stderr.close()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def _environment(self, home: Path | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAB_")}
        return kept | SETTINGS | {"MAB_HOME": str(home or self.home), "XDG_CONFIG_HOME": str(self.home)}


def _directory() -> Path:
    """A new private directory whose sockets have short enough paths."""
    made = Path(tempfile.mkdtemp(prefix="mab-demo-"))
    if len(os.fsencode(made / "hub.sock")) <= PATH_BYTES:
        return made
    made.rmdir()
    return Path(tempfile.mkdtemp(prefix="mab-demo-", dir="/tmp"))


async def tool(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed. Returns its structured result; raises Failed with the tool's own sentence."""
    result = await client.call_tool(name, arguments)
    if result.is_error or result.structured_content is None:
        raise Failed(f"{name} was refused: {_text(result)}")
    return dict(result.structured_content)


async def refusal(client: Client, name: str, **arguments: Any) -> str | None:
    """The sentence with which a tool is refused, None when it is not."""
    result = await client.call_tool(name, arguments)
    return _text(result) if result.is_error else None


def _text(result: Any) -> str:
    return " ".join(part.text for part in result.content if hasattr(part, "text"))


def invented_key() -> str:
    """Looks like an AWS access key id and opens nothing; made up now, so that no scanner finds one in our source."""
    return "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
