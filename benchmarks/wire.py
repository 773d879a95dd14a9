"""A client that costs next to nothing: it only writes and reads JSON lines over `mab mcp`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAB = str(Path(sys.executable).with_name("mab"))
_ENDLESS = json.dumps([[100_000_000, 60]])
SETTINGS = {f"MAB_LIMITS__{name}": _ENDLESS for name in ("WRITES", "READS", "CREATIONS", "FAILURES", "INVITES")} | {
    "MAB_LIMITS__CONVERSATION_MESSAGES": "100000000",
    "MAB_LIMITS__CONVERSATION_BYTES": "100000000000",
}
"""No limit is met: it is speed that is measured, not restraint."""

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


class Failed(Exception):
    """A tool call that was refused; the text is its sentence."""


class Wire:
    """One JSON line out, one in. For rows that the work of a whole client would drown."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen([MAB, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(env))
        self._next = 0

    def ask(self, name: str, arguments: Mapping[str, object]) -> int:
        self._next += 1
        params = {"name": name, "arguments": arguments, "_meta": META}
        words = {"jsonrpc": "2.0", "id": self._next, "method": "tools/call", "params": params}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()
        return self._next

    def answer(self, identity: int) -> Any:
        """The structured result. Raises Failed for a refusal, EOFError when the server is gone."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError("the server is gone")
            message = json.loads(line)
            if message.get("id") != identity:
                continue
            if "error" in message:
                raise Failed(message["error"]["message"])
            result = message["result"]
            if result.get("isError"):
                raise Failed(result["content"][0]["text"])
            return result["structuredContent"]

    def call(self, name: str, **arguments: object) -> Any:
        return self.answer(self.ask(name, arguments))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(120)
        self.process.stdout.close()
