"""A real client's end of `mab mcp`: a child process and JSON lines over its standard streams, in either protocol era."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAB = str(Path(sys.executable).with_name("mab"))
SECONDS = 60.0
"""Longest wait for anything that must come, on a machine that others keep busy."""

PATIENT = (
    sys.executable,
    "-c",
    "import sys; from multiagent_bridge.shim import main, pump; "
    "pump.FINISH_SECONDS = pump.LEAVE_SECONDS = 600.0; sys.exit(main([]))",
)
"""A shim that would wait for a long time before it leaves, if there were anything to wait for."""

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
LEGACY = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


PIPE_BYTES = 65_536
"""What a pipe holds at most, and what the shim reads at once."""


class Gone(Exception):
    """The server ended instead of answering."""


@dataclass(frozen=True)
class Result:
    text: str
    fields: Mapping[str, Any]
    failed: bool

    @property
    def code(self) -> str:
        """The error code that the sentence begins with; empty for a success."""
        return self.text.partition(":")[0] if self.failed else ""


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a client gives its server: this state directory and little else."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "MAB_HOME": str(home)} | more


class Agent:
    """One client. Every wait is bounded; `close` leaves no process behind."""

    def __init__(
        self,
        home: Path,
        *words: str,
        era: str = "modern",
        command: Sequence[str] = (MAB, "mcp"),
        env: Mapping[str, str] | None = None,
        greet: bool = True,
    ) -> None:
        self.era = era
        self._next = 0
        self._ended = False
        self._lock = threading.Lock()
        self._answers: dict[object, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self.said: list[dict[str, Any]] = []
        self.unasked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [*command, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home, **(env or {})),
        )
        self._errors: list[bytes] = []
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read, self._complaints)]
        for thread in self._threads:
            thread.start()
        if greet and era == "legacy":
            self.greet()

    def greet(self) -> dict[str, Any]:
        """The legacy handshake."""
        answer = self.request("initialize", LEGACY)
        self.notify("notifications/initialized")
        return answer

    def raw(self, content: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def ask(self, method: str, params: Mapping[str, Any] | None = None, identity: object = None) -> object:
        """Send a request and return its id."""
        with self._lock:
            if identity is None:
                self._next += 1
                identity = self._next
            self._answers.setdefault(identity, queue.SimpleQueue())
        words: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": method}
        full = dict(params or {})
        if self.era == "modern":
            full["_meta"] = MODERN | full.get("_meta", {})
        if full:
            words["params"] = full
        self.raw(json.dumps(words).encode() + b"\n")
        return identity

    def ask_tool(self, name: str, **arguments: object) -> object:
        return self.ask("tools/call", {"name": name, "arguments": arguments})

    def answer(self, identity: object, seconds: float = SECONDS) -> dict[str, Any]:
        """The answer to that request. Raises Gone when the server ended, queue.Empty when nothing came."""
        with self._lock:
            waiting = self._answers.setdefault(identity, queue.SimpleQueue())
            if self._ended and waiting.empty():
                waiting.put(None)
        found = waiting.get(timeout=seconds)
        if found is None:
            raise Gone(self.complaints())
        return found

    def request(self, method: str, params: Mapping[str, Any] | None = None, seconds: float = SECONDS) -> dict[str, Any]:
        return self.answer(self.ask(method, params), seconds)

    def result(self, identity: object, seconds: float = SECONDS) -> Result:
        """The answer to a tool call."""
        answer = self.answer(identity, seconds)
        if "error" in answer:
            return Result(answer["error"]["message"], {}, True)
        found = answer["result"]
        text = "\n".join(part["text"] for part in found["content"])
        return Result(text, found.get("structuredContent") or {}, bool(found.get("isError")))

    def call(self, name: str, **arguments: object) -> Result:
        return self.result(self.ask_tool(name, **arguments), 2 * SECONDS if arguments.get("wait_seconds") else SECONDS)

    def good(self, name: str, **arguments: object) -> Mapping[str, Any]:
        """The fields of a call that must succeed."""
        result = self.call(name, **arguments)
        assert not result.failed, result.text
        return result.fields

    def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        words: dict[str, Any] = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        self.raw(json.dumps(words).encode() + b"\n")

    def cancel(self, identity: object) -> None:
        self.notify("notifications/cancelled", {"requestId": identity})

    def complaints(self) -> str:
        """What the server wrote to its standard error, once it has ended."""
        self.process.wait(SECONDS)
        self._threads[1].join(SECONDS)
        return b"".join(self._errors).decode()

    def handed_over(self) -> None:
        """Wait until the shim has handed everything said so far to its hub, or to the kernel for it.

        It reads no further before it did, and a pipe holds less than these blanks, which are no message.
        """
        self.raw(b" " * 4 * PIPE_BYTES + b"\n")

    def leave(self) -> int:
        """Close our end and return the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            thread.join(SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            self.said.append(message)
            if "method" in message:
                self.unasked.put(message)
                continue
            with self._lock:
                waiting = self._answers.setdefault(message.get("id"), queue.SimpleQueue())
            waiting.put(message)
        with self._lock:
            self._ended = True
            for waiting in self._answers.values():
                waiting.put(None)

    def _complaints(self) -> None:
        assert self.process.stderr is not None
        for chunk in self.process.stderr:
            self._errors.append(chunk)
