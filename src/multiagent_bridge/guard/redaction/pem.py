"""Private keys in PEM, OpenSSH, PGP and PuTTY armour: whole, truncated, quoted, indented or with escaped line ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span

_BEGIN = re.compile(r"-{2,5}[ ]?BEGIN[ A-Z0-9]{0,40}(?:PRIVATE KEY|NKEY SEED)(?: BLOCK)?[ ]?-{2,5}")
_END = re.compile(r"-{2,6}[ ]?END[ A-Z0-9]{0,40}(?:PRIVATE KEY|NKEY SEED)(?: BLOCK)?[ ]?-{2,6}")
# What may stand between two lines of a body: real or escaped line ends, quoting, indentation, string joints.
_BODY = re.compile(
    r"(?:(?:Proc-Type|DEK-Info|Comment|Version|Charset|Hash)\s?:[^\n\\]{0,120}|#?\d{1,3}[. ]\d{0,4}\.?\d{0,4}[ ]"
    r"|[A-Za-z0-9+/=]{1,8192}|\\+[nrt]|\\+$|[ \t\r\n]{1,64}|[>|#*;,\"'`+\\]{1,8}|//|&#1[03];|%0[AaDd])*+"
)
_ARMOUR = re.compile(r"-{2,5}[ ]?(?:BEGIN|(?P<end>END))[ A-Z0-9]{0,40}\Z")
_REACH = 64
# A body read from its end on: words of base64 as long as no prose has them, but for the last two.
_GAP = r"(?:[nrt]\\+|[ \t\r\n>|#*;,\"'`\\])"
_MIRRORED = re.compile(rf"{_GAP}*+(?:[A-Za-z0-9+/=]{{1,8192}}+{_GAP}++){{0,2}}(?:[A-Za-z0-9+/=]{{16,8192}}+{_GAP}*+)*+")
_EDGE = re.compile(rf"{_GAP}+\Z")
_NO_BASE64 = re.compile(r"\\+[nrt]|[^A-Za-z0-9+/=]+")
_BEHEADED_AT_MOST = 16_384
_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}")
_PUTTY = re.compile(r"Private-Lines: ?\d{1,4}\s{1,4}((?:[A-Za-z0-9+/=]{1,80}\s{1,4}){1,200})")


def find_private_keys(text: str, keys: Sequence[int], budget: Budget) -> list[Span]:
    """Bodies of private keys, with their armour. `keys` is where the word `key` stands, in any case.

    Linear: each body is read once, and what was read is not looked at again.
    """
    out: list[Span] = []
    done = 0
    for at in keys:
        if at < done or not (text.startswith("KEY SEED", at) or text.startswith("PRIVATE KEY", max(0, at - 8), at + 3)):
            continue
        budget.spend()
        line = _ARMOUR.search(text, max(done, at - _REACH), at)
        if line is None:
            continue
        span = _beheaded(text, done, line.start()) if line["end"] else _key(text, line.start())
        done = at + 3
        if span is not None:
            out.append(span)
            done = max(done, span.end)
    at = text.find("Private-Lines")
    while at >= 0:
        found = _PUTTY.match(text, at)
        if found:
            out.append(Span(*found.span(1), "PRIVATE_KEY", "putty-private-key"))
        at = text.find("Private-Lines", at + 13)
    return out


def _beheaded(text: str, floor: int, end: int) -> Span | None:
    """The body before an end line whose beginning was cut off."""
    body = _MIRRORED.match(text[max(floor, end - _BEHEADED_AT_MOST) : end][::-1])
    start = end - len(_EDGE.sub("", body[0])) if body else end
    closing = _END.match(text, end)
    if closing is None or not is_random(_NO_BASE64.sub("", text[start:end])[:256], 24):
        return None
    return Span(start, closing.end(), "PRIVATE_KEY", "private-key")


def _key(text: str, start: int) -> Span | None:
    begin = _BEGIN.match(text, start)
    if begin is None:
        return None
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
