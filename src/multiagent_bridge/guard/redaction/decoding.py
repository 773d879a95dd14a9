"""The decoding layer: base64 (twice), hex and reversed text, within a budget of decoded characters."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.spans import Span

DEPTH = 2
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
# Shorter runs are stepped over whole: `search` would try again at each of their characters.
_HEX = re.compile(r"(?:[^0-9a-fA-F]++|[0-9a-fA-F]{1,31}+(?![0-9a-fA-F]))*+((?:[0-9a-fA-F]{2}){16,})")
_URLSAFE = str.maketrans("-_", "+/")
_SPACES = re.compile(r"[^A-Za-z0-9+/_=-]+")
_ASCII_LEADS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
_HEX_LEADS = "0234567"
_TEXT = frozenset(range(32, 127)) | {9, 10, 13}

Finder = Callable[[str], list[Span]]


def find_encoded(
    text: str, bounds: list[tuple[int, int]], find: Finder, budget: Budget, depth: int = DEPTH
) -> list[Span]:
    """Encoded stretches within the chunks whose plain text holds a finding of `find`; the whole stretch is the secret."""
    out: list[Span] = []
    for start, end in bounds:
        if end - start < 20:
            continue
        for stretch in _BASE64.finditer(text, start, end):
            read = _reading(stretch)
            if read is None:
                continue
            low, high, plain = read
            budget.spend(1 + len(plain) // 64)
            found = find(plain)
            if not found and depth > 1 and len(plain) >= 20 and " " not in plain.strip():
                inner = plain.strip()
                found = find_encoded(inner, [(0, len(inner))], find, budget, depth - 1)
            if found:
                best = max(found, key=lambda span: span.weight)
                out.append(Span(low, high, best.kind, f"encoded-{best.rule}", best.weight))
    return out


def _reading(stretch: re.Match[str]) -> tuple[int, int, str] | None:
    """Start, end and plain text of what is encoded in a stretch, or None."""
    body = stretch[0]
    plain = unbase64(body)
    if plain is not None:
        return *stretch.span(), plain
    if len(body) >= 32 and (inner := _HEX.match(body)) and (plain := unhex(inner[1])) is not None:
        return stretch.start() + inner.start(1), stretch.start() + inner.end(1), plain
    return None


def unbase64(body: str) -> str | None:
    """The text that `body` encodes in either alphabet of base64, or None when it is not text."""
    body = body.rstrip("=")
    if body[:64:4].strip(_ASCII_LEADS):
        return None  # ASCII has its top bit clear, so every fourth character comes from half of the alphabet
    body = body.translate(_URLSAFE)
    body = body[: len(body) - 1] if len(body) % 4 == 1 else body
    try:
        plain = base64.b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return None
    return as_text(plain)


def unhex(body: str) -> str | None:
    """The text that `body` encodes in hex, or None when it is not text."""
    if body[:64:2].strip(_HEX_LEADS):
        return None
    return as_text(bytes.fromhex(body))


def as_text(plain: bytes) -> str | None:
    """ASCII text of at least eight characters, UTF-16 included, or None."""
    if len(plain) >= 16 and plain[1:12:2] == b"\0\0\0\0\0\0":
        plain = plain[::2]
    if len(plain) < 8 or not plain.isascii():
        return None
    found = plain.decode("ascii")
    return found if found.isprintable() or all(byte in _TEXT for byte in plain) else None


def unwrapped(text: str, start: int, end: int) -> str:
    """A stretch of several lines of base64 as one word."""
    return _SPACES.sub("", text[start:end])
