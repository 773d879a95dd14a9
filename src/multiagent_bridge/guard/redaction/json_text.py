"""Replacing findings in a text, so that what was JSON is the same JSON afterwards."""

from __future__ import annotations

import re

from multiagent_bridge.guard.redaction.spans import Span

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.S)
_SCALAR = re.compile(r"-?\d[\d.eE+-]*|true|false|null")


def rewritten(text: str, spans: list[Span]) -> str:
    """`text` with the characters of each span replaced by its placeholder.

    In a JSON text only the insides of strings change, and a number or literal that is a secret becomes a string, so that
    the document keeps its keys, order, numbers and white space.
    """
    plain = _replaced(text, spans)
    if text.lstrip()[:1] not in ("{", "[") or not _is_json(text):
        return plain
    across = any('"' in text[span.start : span.end] for span in spans)  # it may be one list member less
    if not across and _is_json(plain):
        return plain
    return _within_strings(text, spans)


def _replaced(text: str, spans: list[Span]) -> str:
    out: list[str] = []
    at = 0
    for span in spans:
        out += (text[at : span.start], span.placeholder)
        at = span.end
    out.append(text[at:])
    return "".join(out)


def _is_json(text: str) -> bool:
    import json  # not needed by most texts, and a tenth of the import time

    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _within_strings(text: str, spans: list[Span]) -> str:
    out: list[str] = []
    at = 0
    number = 0
    for found in _STRING.finditer(text):
        number = _scalars(text, at, found.start(), spans, number, out)
        out.append(_string(text, found.start(), found.end(), spans, number))
        at = found.end()
    _scalars(text, at, len(text), spans, number, out)
    return "".join(out)


def _scalars(text: str, start: int, end: int, spans: list[Span], number: int, out: list[str]) -> int:
    """Copy what stands between two strings; numbers and literals that a span touches become strings."""
    at = start
    while number < len(spans) and spans[number].end <= start:
        number += 1
    touching = [span for span in spans[number:] if span.start < end and span.end > start] if number < len(spans) else []
    if touching:
        for scalar in _SCALAR.finditer(text, start, end):
            span = next((s for s in touching if s.start < scalar.end() and s.end > scalar.start()), None)
            if span is not None:
                out += (text[at : scalar.start()], f'"{span.placeholder}"')
                at = scalar.end()
    out.append(text[at:end])
    return number


def _string(text: str, start: int, end: int, spans: list[Span], number: int) -> str:
    out: list[str] = []
    at = start
    for span in spans[number:]:
        if span.start >= end:
            break
        low, high = max(span.start, start + 1), min(span.end, end - 1)
        if low >= high:
            continue
        low, high = _whole_escapes(text, start + 1, low, high, end - 1)
        out += (text[at:low], span.placeholder)
        at = high
    out.append(text[at:end])
    return "".join(out)


_UNIT = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]+", re.S)


def _whole_escapes(text: str, start: int, low: int, high: int, end: int) -> tuple[int, int]:
    """The span widened so that it cuts no escape in half."""
    for unit in _UNIT.finditer(text, start, end):
        if unit[0][0] != "\\":
            continue
        if unit.start() < low < unit.end():
            low = unit.start()
        if unit.start() < high < unit.end():
            high = unit.end()
        if unit.start() > high:
            break
    return low, high
