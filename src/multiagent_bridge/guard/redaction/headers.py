"""Authorization headers, bearer tokens and cookies, wherever they stand."""

from __future__ import annotations

import base64
import binascii
import re

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random, is_reference
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span
from multiagent_bridge.guard.redaction.words import looks_like_language, word_set

_TOKEN68 = re.compile(r"[ \t]{1,4}[\"']?([A-Za-z0-9._~+/%:|-]{6,8192}={0,2})")
_BASIC = re.compile(r"[ \t]{1,4}([A-Za-z0-9+/]{8,2048}={0,2})(?![A-Za-z0-9+/=])")
_COOKIE = re.compile(r"cookie[\"']?\]?[ \t]{0,4}[:=]\s{0,12}(?:-[ \t]+)?[\"']?([^\r\n\"']{3,8192})", re.I)
_PAIR = re.compile(r"([\w.\-%]{1,64})=([^;,\s\"']{4,4096})")
_JAR_LINE = re.compile(r"^(?:[^\t\n]{1,256}\t){6}([^\t\r\n]{4,4096})\r?$", re.M)
_COOKIE_ATTRIBUTES = word_set("path domain expires max-age samesite secure httponly priority partitioned version")


def find_headers(text: str, lower: bytes, budget: Budget) -> list[Span]:
    """Credentials after `Bearer` and `Basic`, and the values of cookie headers."""
    out: list[Span] = []
    at = lower.find(b"bearer")
    while at >= 0:
        budget.spend()
        found = _TOKEN68.match(text, at + 6)
        if found and _is_bearer(found[1]):
            start = found.start(1)
            out.append(Span(start, start + len(found[1].rstrip(".:")), "BEARER_TOKEN", "bearer", 2))
        at = lower.find(b"bearer", at + 6)
    at = lower.find(b"basic ")
    while at >= 0:
        budget.spend()
        found = _BASIC.match(text, at + 5)
        if found and is_basic(found[1]):
            out.append(Span(*found.span(1), "BEARER_TOKEN", "basic-authorization", 2))
        at = lower.find(b"basic ", at + 6)
    at = lower.find(b"cookie")
    jar = False
    while at >= 0:
        budget.spend()
        if not jar and text.startswith("Cookie File", at):
            jar = True
            out.extend(_jar(text, at, budget))
        found = _COOKIE.match(text, at)
        if found:
            out.extend(_cookies(text, found.start(1), found.end(1)))
        at = lower.find(b"cookie", found.end() if found else at + 6)
    return out


def _is_bearer(value: str) -> bool:
    if is_reference(value) or PLACEHOLDER_MARK in value:
        return False
    if len(value) < 16:
        return any(c.isdigit() for c in value) and not looks_like_language(value)
    return is_random(value, 16) or (any(c.isdigit() for c in value) and not looks_like_language(value))


def is_basic(value: str) -> bool:
    """True when `value` decodes to `user:password` (RFC 7617)."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    if b":" not in plain:
        return len(plain) >= 12 and is_random(value, 16)
    return all(32 <= byte < 127 or byte >= 160 for byte in plain) or is_random(value, 16)


def _jar(text: str, at: int, budget: Budget) -> list[Span]:
    """Values of a cookie file of curl and browsers (Netscape's form): seven fields a line, set apart by tabs."""
    out: list[Span] = []
    for line in _JAR_LINE.finditer(text, at):
        budget.spend()
        if is_random(line[1], 16):
            out.append(Span(*line.span(1), "SECRET", "cookie", 2))
    return out


def _cookies(text: str, start: int, end: int) -> list[Span]:
    out: list[Span] = []
    for pair in _PAIR.finditer(text, start, end):
        name, value = pair[1].lower(), pair[2]
        if name in _COOKIE_ATTRIBUTES or is_reference(value):
            continue
        if is_random(value, 16):
            out.append(Span(*pair.span(2), "SECRET", "cookie", 2))
    return out
