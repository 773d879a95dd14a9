"""A scripted model on loopback, for agent programs that must not meet a real one."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.clients.wires import Reply, Request, Text, ToolCall, Wire


@dataclass(frozen=True, slots=True)
class Found:
    """A value from an earlier tool result: group 1 of `pattern` in the newest result that has it, as a `kind`."""

    pattern: str
    kind: Callable[[str], str | int] = str

    def within(self, results: Sequence[str]) -> str | int:
        """Raises LookupError when no result matches."""
        for result in reversed(results):
            if match := re.search(self.pattern, result):
                return self.kind(match[1])
        raise LookupError(f"no tool result has {self.pattern!r}")


class ScriptedModel:
    """Answers every generation request with the step that follows the tool results already in it.

    The request alone decides: a program that repeats a request gets the same answer again, and a session that is
    resumed goes on where it was. After the last step the model says a closing sentence. Requests without tools are a
    program's own business (titles, summaries) and get that sentence too.

    As a context manager it serves on a free loopback port until it is left. `requests` holds every generation request
    that offered tools; `failures` what the script could not do, to be empty at the end of a test.
    """

    CLOSING = "All done."

    def __init__(self, wire: Wire, steps: Sequence[ToolCall]) -> None:
        self._wire = wire
        self._steps = tuple(steps)
        self._moved = threading.Condition()
        self.requests: list[Request] = []
        self.failures: list[str] = []
        model = self

        class Face(_Face):
            owner = model

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Face)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="scripted model")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def shown(self) -> tuple[str, ...]:
        """What the model was shown as the result of each scripted call, oldest first."""
        return max((request.results for request in self.requests), key=len, default=())

    def wait_for(self, results: int, seconds: float) -> tuple[str, ...]:
        """`shown` as soon as it has so many results. Raises TimeoutError after `seconds`."""
        with self._moved:
            if not self._moved.wait_for(lambda: len(self.shown) >= results, seconds):
                raise TimeoutError(f"{len(self.shown)} of {results} results after {seconds} s; {self.failures}")
            return self.shown

    @property
    def offered(self) -> tuple[str, ...]:
        """The tools of the first request that offered some."""
        return self.requests[0].tools if self.requests else ()

    def name(self, tool: str) -> str:
        """The name under which the program offers the bridge's `tool` to its model."""
        return self._wire.tool(tool)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def answer(self, path: str, body: dict[str, Any]) -> str | None:
        """The server-sent events for a generation request; None for any other request."""
        if self._wire.path not in path or "count_tokens" in path:
            return None
        with self._moved:
            self._moved.notify_all()
            request = self._wire.read(body)
            unique = f"{len(self.requests)}{len(self._steps)}"
            if not request.tools:
                return self._wire.write(Text(self.CLOSING), unique)
            self.requests.append(request)
            return self._wire.write(self._reply(request), unique)

    def _reply(self, request: Request) -> Reply:
        done = len(request.results)
        if done >= len(self._steps):
            return Text(self.CLOSING)
        step = self._steps[done]
        if self._wire.tool(step.tool) not in request.tools:
            self.failures.append(f"{step.tool} is not offered; offered: {', '.join(request.tools)}")
            return Text(self.CLOSING)
        try:
            return ToolCall(step.tool, _resolved(step.arguments, request.results))
        except LookupError as error:
            self.failures.append(f"{step.tool}: {error}; results: {list(request.results)}")
            return Text(self.CLOSING)


def _resolved(arguments: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    return {name: value.within(results) if isinstance(value, Found) else value for name, value in arguments.items()}


class _Face(http.server.BaseHTTPRequestHandler):
    """Everything that is not a generation request gets an empty list or a count of one."""

    owner: ScriptedModel
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"object": "list", "data": [], "models": []}))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        stream = self.owner.answer(self.path, json.loads(content or b"{}"))
        if stream is not None:
            self._send("text/event-stream", stream)
        else:
            self._send("application/json", json.dumps({"input_tokens": 1, "totalTokens": 1}))

    def _send(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: a failing test prints what the model saw."""
