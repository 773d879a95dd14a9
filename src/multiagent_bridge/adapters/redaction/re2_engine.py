"""Custom regular expressions on RE2: linear time on any text, memory capped (extra `[re2]`, package `google-re2`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from multiagent_bridge.errors import Invalid, Unavailable

MEMORY_AT_MOST = 8 * 1024 * 1024  # bytes for one compiled expression and its automaton
SPANS_AT_MOST = 20_000  # matches of one expression in one text


class Re2Engine:
    """Implements `guard.redaction.custom.PatternEngine`. Raises `Unavailable` when the extra is not installed."""

    def __init__(self) -> None:
        try:
            self._re2: Any = importlib.import_module("re2")
        except ImportError as missing:
            raise Unavailable(
                "regular expressions in [redaction] need google-re2", "install mcp-multiagent-bridge[re2]"
            ) from missing

    def compile(self, name: str, regex: str) -> Callable[[str], list[tuple[int, int]]]:
        """A function that gives start and end of every match. Raises `Invalid` for what RE2 refuses (look-around, references)."""
        options = self._re2.Options()
        options.max_mem = MEMORY_AT_MOST
        options.log_errors = False
        try:
            compiled = self._re2.compile(regex, options)
        except Exception as problem:
            raise Invalid(f"redaction pattern {name!r} is no RE2 expression", _said(problem)) from problem
        if compiled.match("") is not None:
            raise Invalid(f"redaction pattern {name!r} matches the empty text", "ask for at least one character")

        def find(text: str) -> list[tuple[int, int]]:
            # Lone surrogates have no UTF-8 form; one replacement character each keeps every place.
            plain = text.encode("utf-8", "replace").decode("utf-8")
            spans: list[tuple[int, int]] = []
            for match in compiled.finditer(plain):
                spans.append(match.span())
                if len(spans) > SPANS_AT_MOST:
                    raise Unavailable(f"redaction pattern {name!r} matches too often", "make it narrower")
            return spans

        return find


def _said(problem: Exception) -> str:
    """What RE2 says, which it says in bytes."""
    words = problem.args[0] if problem.args else ""
    return (words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words))[:200]
