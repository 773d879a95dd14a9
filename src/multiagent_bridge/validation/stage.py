"""Where a run takes place: a state directory and a hub of its own, and every process that is started in it.

Leaving ends each of them and removes the directory, whatever happened; the user's own store is never opened.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.validation.profiles import Profile

MAB = (sys.executable, "-I", "-m", "multiagent_bridge")
PROC = Path("/proc/self")
START_SECONDS = 30.0
COMMAND_SECONDS = 120.0
LEAVE_SECONDS = 10.0
SETTLE_SECONDS = 0.3
"""Where no process can be looked up: how long one takes to see that its client is gone."""

PATH_BYTES = 100
"""Longest socket path that every platform takes."""


class Started:
    """A process of the run whose output is read line by line. It leads a session of its own, so that it can be ended whole."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def line(self, seconds: float) -> str:
        """The next line of its standard output. Raises Unavailable when it has ended, TimeoutError."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            found = await self.process.stdout.readline()
        if not found:
            raise Unavailable("a process of the run ended before its time", "look at what it said above")
        return found.decode("utf-8", "replace").rstrip("\n")

    async def ended(self, number: int = signal.SIGTERM) -> None:
        """End it and all it started, and wait until it is gone."""
        self.signalled(number)
        try:
            await asyncio.wait_for(self.process.wait(), LEAVE_SECONDS)
        except TimeoutError:
            self.signalled(signal.SIGKILL)
            await self.process.wait()

    def signalled(self, number: int) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Stage:
    """`async with Stage(profile) as stage`: a running hub."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.home = Path()
        self.root = Path()
        self.settings = profile.settings()
        self.hub: Started | None = None
        self._started: list[Started] = []
        self._errors: int = -1

    async def __aenter__(self) -> Stage:
        self.root = _directory()
        try:
            self.home = self.root / "s"
            self.home.mkdir(mode=0o700)
            self._errors = os.open(self.root / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            await self.serve()
        except BaseException:
            await self._clear()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._clear()

    def environment(self, **more: str) -> dict[str, str]:
        """What every process of the run gets: this state directory, and nothing of the user's settings."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MAB_", "XDG_", "CLAUDE", "CODEX", "GEMINI", "GIT_")) and name != "YOLO_MODE"
        }
        place = {"MAB_HOME": str(self.home), "HOME": str(self.root), "XDG_CONFIG_HOME": str(self.root / "config")}
        return kept | self.settings | place | more

    def folder(self, name: str) -> Path:
        """A directory of one agent's own, 0700."""
        made = self.root / name
        made.mkdir(mode=0o700, exist_ok=True)
        return made

    async def serve(self) -> None:
        """Start the hub and wait until it listens."""
        self.hub = await self.start(*MAB, "serve", "--detached")
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await asyncio.to_thread(self._listens):
                    if self.hub.process.returncode is not None:
                        raise Unavailable(f"the hub does not start: {self.said()}", "mab doctor")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise Unavailable("the hub does not start in time", "mab doctor") from error

    async def restart(self, **settings: str) -> None:
        """End the hub and start one with other settings; nobody may be connected, or a shim starts its own."""
        assert self.hub is not None
        await self.hub.ended()
        self.settings = self.settings | settings
        await self.serve()

    async def start(
        self, *words: str, environment: Mapping[str, str] | None = None, folder: Path | None = None, talk: bool = False
    ) -> Started:
        """Start a process of the run. What it says on standard error is kept beside the state directory."""
        process = await asyncio.create_subprocess_exec(
            *words,
            env=dict(environment or self.environment()),
            cwd=folder or self.root,
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            limit=1 << 24,
            start_new_session=True,
        )
        started = Started(process)
        self._started.append(started)
        return started

    async def mab(
        self, *words: str, environment: Mapping[str, str] | None = None, seconds: float = COMMAND_SECONDS
    ) -> tuple[int, str, str]:
        """Run one command of ours to its end. Returns its status, and what it wrote to standard output and to standard error."""
        process = await asyncio.create_subprocess_exec(
            *MAB,
            *words,
            env=dict(environment or self.environment()),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, said = await asyncio.wait_for(process.communicate(), seconds)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        return process.returncode or 0, out.decode("utf-8", "replace"), said.decode("utf-8", "replace")

    def said(self) -> str:
        """The last that any process of the run complained of on standard error."""
        lines: list[str] = []
        with suppress(OSError):
            lines = (self.root / "said").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        # a sentence of ours comes before its hint, what Python says of a defect comes last
        ours = [line for line in lines if line.startswith("mab: error: ")]
        return (ours or lines or ["it gave no reason"])[-1].removeprefix("mab: error: ")

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(2.0)
            try:
                knock.connect(str(self.home / "hub.sock"))
            except OSError:
                return False
            return True

    async def _clear(self) -> None:
        """Shielded, and in a thread: a second Ctrl-C leaves nothing behind either."""
        await asyncio.shield(asyncio.to_thread(self._cleared))
        for started in self._started:
            await started.process.wait()

    def _cleared(self) -> None:
        """Nothing of the run is kept, so nothing of it need say good-bye. The hub last: a shim that misses it starts another."""
        try:
            for pid in self.shims():
                self._ended(pid)
            for started in reversed(self._started):
                if started is not self.hub:
                    started.signalled(signal.SIGKILL)
            self._swept(self.hub.pid if self.hub else 0)
            if self.hub is not None:
                self.hub.signalled(signal.SIGKILL)
            self._swept(0)
        finally:
            if self._errors >= 0:
                os.close(self._errors)
            end = time.monotonic() + LEAVE_SECONDS
            # what has just been killed may write for a moment yet
            while self.root.exists() and time.monotonic() < end:
                shutil.rmtree(self.root, ignore_errors=True)

    def _swept(self, spared: int) -> None:
        """End what processes of the run have started themselves, and wait until it is gone."""
        if not PROC.exists():
            time.sleep(SETTLE_SECONDS)
            return
        end = time.monotonic() + LEAVE_SECONDS
        while (found := [pid for pid in self._running() if pid != spared]) and time.monotonic() < end:
            for pid in found:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _running(self) -> list[int]:
        """Processes that were given a state directory of this run."""
        found = []
        for entry in PROC.parent.iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and self._ours(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def shims(self) -> list[int]:
        """The processes of `mab mcp` as they wrote themselves down when they were started."""
        found = []
        for file in self.root.glob("*/shim.pid"):
            with suppress(OSError, ValueError):
                found.append(int(file.read_text()))
        return found

    def _ended(self, pid: int) -> None:
        """End a shim whose client is gone, if that process is still the one that was written down."""
        with suppress(OSError):
            if self._ours(pid) if PROC.exists() else os.getsid(pid) == pid:
                os.kill(pid, signal.SIGKILL)

    def _ours(self, pid: int) -> bool:
        """Whether the process has a state directory below this run's in its environment. Raises OSError when it is gone."""
        given = (PROC.parent / str(pid) / "environ").read_bytes().split(b"\0")
        return any(word.startswith(b"MAB_HOME=" + os.fsencode(self.root) + b"/") for word in given)


def _directory() -> Path:
    """A new private directory whose sockets have short enough paths."""
    made = Path(tempfile.mkdtemp(prefix="mab-validate-"))
    if len(os.fsencode(made / "s" / "hub.sock")) <= PATH_BYTES:
        return made
    made.rmdir()
    return Path(tempfile.mkdtemp(prefix="mab-validate-", dir="/tmp"))
