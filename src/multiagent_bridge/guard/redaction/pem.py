"""Private keys in PEM, OpenSSH, PGP and PuTTY armour: whole, truncated, quoted, indented or with escaped line ends."""

from __future__ import annotations

import re

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span

_BEGIN = re.compile(r"-{2,5}[ ]?BEGIN[ A-Z0-9]{0,40}(?:PRIVATE KEY|NKEY SEED)(?: BLOCK)?[ ]?-{2,5}")
_END = re.compile(r"-{2,6}[ ]?END[ A-Z0-9]{0,40}(?:PRIVATE KEY|NKEY SEED)(?: BLOCK)?[ ]?-{2,6}")
# What may stand between two lines of a body: real or escaped line ends, quoting, indentation, string joints.
_BODY = re.compile(
    r"(?:(?:Proc-Type|DEK-Info|Comment|Version|Charset|Hash)\s?:[^\n\\]{0,120}|#?\d{1,3}[. ]\d{0,4}\.?\d{0,4}[ ]"
    r"|[A-Za-z0-9+/=]{1,8192}|\\+[nrt]|\\+$|[ \t\r\n]{1,64}|[>|#*;,\"'`+\\]{1,8}|//|&#1[03];|%0[AaDd])*+"
)
_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}")
_PUTTY = re.compile(r"Private-Lines: ?\d{1,4}\s{1,4}((?:[A-Za-z0-9+/=]{1,80}\s{1,4}){1,200})")


def find_private_keys(text: str, budget: Budget) -> list[Span]:
    """Bodies of private keys, with their armour. Linear: each body is read once, and what was read is not looked at again."""
    out: list[Span] = []
    at = text.find("BEGIN")
    while at >= 0:
        budget.spend()
        begin = _BEGIN.match(text, _dashes(text, at))
        after = at + 5
        if begin:
            span = _key(text, begin)
            after = begin.end()
            if span is not None:
                out.append(span)
                after = span.end
        at = text.find("BEGIN", after)
    at = text.find("Private-Lines")
    while at >= 0:
        found = _PUTTY.match(text, at)
        if found:
            out.append(Span(*found.span(1), "PRIVATE_KEY", "putty-private-key"))
        at = text.find("Private-Lines", at + 13)
    return out


def _dashes(text: str, at: int) -> int:
    start = at - 1 if at and text[at - 1] == " " else at
    while start and text[start - 1] == "-" and at - start < 6:
        start -= 1
    return start


def _key(text: str, begin: re.Match[str]) -> Span | None:
    body = _BODY.match(text, begin.end())
    stop = body.end() if body else begin.end()
    end = _END.match(text, stop)
    content = text[begin.end() : stop]
    if PLACEHOLDER_MARK in text[begin.end() : stop + 60]:
        return None
    if end is not None:
        if not any(len(piece) >= 8 for piece in re.findall(r"[A-Za-z0-9+/=]+", content)):
            return None
        return Span(begin.start(), end.end(), "PRIVATE_KEY", "private-key")
    lines = list(_LINE.finditer(content))
    if not lines:
        return None
    return Span(begin.start(), begin.end() + lines[-1].end(), "PRIVATE_KEY", "private-key")
