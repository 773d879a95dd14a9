"""A state directory for one row, the hub in it, and clients of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from benchmarks.wire import MAB, SETTINGS, Wire

ROOT = Path(__file__).parent.parent


class Place:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "MAB_HOME": str(home)} | SETTINGS
        self.hub = 0

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """The SDK's own client over `mab mcp`."""
        server = StdioServerParameters(command=MAB, args=["mcp"], env=self.env, cwd=self.home)
        async with Client(stdio_client(server)) as client:
            yield client

    def wire(self) -> Wire:
        return Wire(self.env)


@contextmanager
def place() -> Iterator[Place]:
    """An empty state directory, without a hub; whatever hub runs there at the end is ended."""
    home = Path(tempfile.mkdtemp(prefix="mab-bench-"))
    try:
        yield Place(home)
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((home / "hub.pid").read_text()), signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def served() -> Iterator[Place]:
    """A state directory with a running hub that also knows `noop`."""
    with place() as here:
        hub = subprocess.Popen([sys.executable, "-m", "benchmarks.hub"], cwd=ROOT, env=here.env, stderr=subprocess.PIPE)
        assert hub.stderr is not None
        try:
            line = hub.stderr.readline()
            assert b"listens" in line, line.decode()
            here.hub = hub.pid
            yield here
        finally:
            hub.terminate()
            hub.wait(120)
            hub.stderr.close()
