"""A workspace with a sandbox to run plans in, and an unconfined runner that plans can be tested with."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.sandbox.programs import Programs
from multiagent_bridge.adapters.sandbox.running import Launch, run_plan
from multiagent_bridge.adapters.sandbox.toolchains import SYSTEM
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.ports import Sandbox

MARK = "MAB_PLAIN"
ROOMY = Bounds(seconds=20)
"""Time enough on a busy machine for what ends by itself."""


@dataclass(frozen=True, slots=True)
class Site:
    """`folder` is an empty workspace that commands may write in; what lies beside it must be out of their reach."""

    sandbox: Sandbox
    folder: Path

    @property
    def workspace(self) -> Workspace:
        found = self.folder.stat()
        return Workspace(str(self.folder), found.st_dev, found.st_ino)

    async def run(self, *steps: Step, writable: bool = True, network: bool = False, bounds: Bounds = ROOMY) -> Outcome:
        """Run the steps, each with what its name means in the sandbox."""
        workspace = self.workspace
        programs = await self.sandbox.programs(workspace, [step.argv[0] for step in steps])
        return await self.sandbox.run(steps, programs, Confinement(workspace, writable, network, bounds))

    async def shell(
        self, line: str, *, writable: bool = True, network: bool = False, bounds: Bounds = ROOMY
    ) -> Outcome:
        """Run one line by the shell inside."""
        return await self.run(sh(line), writable=writable, network=network, bounds=bounds)

    async def said(self, *steps: Step) -> tuple[int, str]:
        """Exit status and standard output."""
        outcome = await self.run(*steps)
        return outcome.exit_code, outcome.stdout.head.decode()


def sh(line: str, join: str = "", streams: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Step:
    """A step that gives a line to the shell."""
    return Step(("sh", "-c", line), tuple((environment or {}).items()), join, tuple(streams))


@dataclass(frozen=True, slots=True)
class PlainRoom:
    """Programs run as they are, each with a mark in its environment by which all that it starts is found again."""

    environment: Mapping[str, str]

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        mark = secrets.token_hex(8)

        async def kill() -> None:
            while found := _marked(f"{MARK}={mark}".encode()):
                for pid in found:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0)

        return Launch(tuple(argv), {**self.environment, **environment, MARK: mark}, cwd, kill=kill)


def _marked(mark: bytes) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_marked(entry, mark)]


def _is_marked(entry: Path, mark: bytes) -> bool:
    try:
        return mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


class PlainSandbox:
    """No sandbox at all: commands run with all the rights of the test. For tests of what runs commands; never wired.

    It keeps the functional laws only.
    """

    name = "plain"

    def __init__(self) -> None:
        self._programs = Programs(SYSTEM, ("/",))

    async def profile(self) -> Profile:
        return Profile(self.name, "plain", ("safe", "restricted", "yolo"), ("it confines nothing",))

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        return await self._programs.find(workspace, names)

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        return await run_plan(self, steps, programs, confinement)

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[PlainRoom]:
        yield PlainRoom({"PATH": ":".join(SYSTEM), "HOME": confinement.workspace.path, "LANG": "C.UTF-8"})
