"""The optional second scanner (extra `[scanner]`, package `kingfisher-secret-scanner`), compiled in the background.

Only its detection is used. It has validators that ask providers whether a key is alive: none is imported by name, constructed or
reachable from here, so nothing of a text ever leaves the process.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable
from typing import Any

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.guard.redaction.spans import Span

SECONDS_AT_MOST = 2.0  # for one text; the native scan stops and raises, and the text is withheld


def compiled_scanner() -> Any:
    """Kingfisher's scanner with all its rules; takes seconds. Allow-marks in the text are not obeyed."""
    module = importlib.import_module("kingfisher_sdk")
    return module.Scanner(policy=module.DetectionPolicy(inline_ignores=False, ignore_comments=()))


class KingfisherScanner:
    """Implements `guard.redaction.scanner.Scanner`.

    Until its rules are compiled it finds nothing and the redactor's own rules stand alone. Raises `Unavailable`
    at construction when the extra is not installed, and from `find` when compiling failed.
    """

    def __init__(self, compiler: Callable[[], Any] = compiled_scanner) -> None:
        if compiler is compiled_scanner and importlib.util.find_spec("kingfisher_sdk") is None:
            raise Unavailable("the second scanner is not installed", "install mcp-multiagent-bridge[scanner]")
        self._scanner: Any = None
        self._failure: Exception | None = None
        self._ready = threading.Event()
        threading.Thread(target=self._compile, args=(compiler,), name="scanner-rules", daemon=True).start()

    def _compile(self, compiler: Callable[[], Any]) -> None:
        try:
            self._scanner = compiler()
        except Exception as problem:
            self._failure = problem
        finally:
            self._ready.set()

    def ready(self, timeout: float | None = None) -> bool:
        """Wait until the rules are compiled (or compiling failed), at most `timeout` seconds."""
        return self._ready.wait(timeout)

    def find(self, text: str) -> list[Span]:
        """Its findings as spans of `text`."""
        if not self._ready.is_set():
            return []
        if self._failure is not None:
            raise Unavailable(
                "the second scanner could not start", "see mab doctor, or switch it off"
            ) from self._failure
        plain = text.encode("utf-8", "replace")
        spans: list[Span] = []
        for finding in self._scanner.scan(plain, timeout=SECONDS_AT_MOST):
            start, end = finding.location["start_offset"], finding.location["end_offset"]
            secret = str(finding.secret).encode("utf-8", "replace")
            inner = plain.find(secret, start, end)
            if secret and inner >= 0:
                start, end = inner, inner + len(secret)
            low = len(plain[:start].decode("utf-8", "ignore"))
            high = low + len(plain[start:end].decode("utf-8", "ignore"))
            if high > low and "_REDACTED" not in text[low:high]:
                spans.append(Span(low, high, "SECRET", f"scanner-{finding.rule_id}", 0))
        return spans
