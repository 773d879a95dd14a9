"""The hub's socket from the inside: greetings and lines that no client of ours would write."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

KEY = "0123456789abcdef0123456789abcdef"
GREETING = {"mab": 1, "version": "0.1.0", "key": KEY, "as": None, "pid": 1, "yolo": False}


class Knock:
    """A bare connection to the hub's socket. Every read is bounded."""

    def __init__(self, home: Path, seconds: float = 60.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        self._socket.connect(str(home / "hub.sock"))
        self._held = b""

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def greet(self, **words: object) -> dict[str, Any]:
        self.send(json.dumps(GREETING | words).encode() + b"\n")
        answer = self.line()
        assert answer is not None
        return answer

    def line(self) -> dict[str, Any] | None:
        """The next line; None when the hub closed the connection."""
        while b"\n" not in self._held:
            try:
                chunk = self._socket.recv(65_536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return None
            self._held += chunk
        first, self._held = self._held.split(b"\n", 1)
        found: dict[str, Any] = json.loads(first)
        return found

    def close(self) -> None:
        self._socket.close()
