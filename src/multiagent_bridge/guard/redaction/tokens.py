"""Tokens that can be recognised on their own: one pass over long runs, one search for anchors, one shape match each."""

from __future__ import annotations

import re
import string
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random
from multiagent_bridge.guard.redaction.rules import GLUED_TAIL, Rule, RuleTable
from multiagent_bridge.guard.redaction.shapes import Runs
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span
from multiagent_bridge.guard.redaction.views import joined

HEAD_REACH = 24  # an anchor stands this near the random part of its token
LED_LENGTH = 24  # the shortest token with an anchor in its middle
SHORTEST = 16  # no format of the table is shorter, its anchor included
_CHUNK = frozenset((string.ascii_letters + string.digits + "_-.~+/=:$%!@").encode())
_CLASSES = bytes(97 if code in _CHUNK else 32 for code in range(256))
_ALNUM = frozenset((string.ascii_letters + string.digits).encode())
_LETTERS = bytes(97 if code in _ALNUM else 32 for code in range(256))
_MARKS = bytes(
    49 if code in frozenset((string.ascii_uppercase + string.digits).encode()) else 32 for code in range(256)
)
_RUN_LENGTH = 8
_RUN = b"a" * _RUN_LENGTH
_CHUNK_VIEW = b"a" * SHORTEST
_CORE_LENGTH = 14
_LONG_CORE = 20
CUTS_AT_MOST = 4
RUNS_TRIED = 60
_RUNS = re.compile(r"[A-Za-z0-9_+/=.-]{6,400}")
_ESCAPE_REST = re.compile(r"u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[abfnrtv0]")
# The look-behind follows the character it stands before: a pattern that begins with one is searched character by character.
_SEPARATORS = re.compile(r"[_.~=-](?<=[A-Za-z0-9].)(?=[A-Za-z0-9_=.$-]{10})")
_DIGIT = re.compile(r"[0-9]")
_UUID_VIEW = b"aaaaaaaa aaaa aaaa aaaa aaaaaaaaaa"
_GROUPS_VIEW = re.compile(rb"(?<!a)a{4,8}(?: a{4,8}){2,8}(?!a)")
UUID_LENGTH = 36
# Formats without an anchor: Discord bot tokens, Mailgun signing keys, Facebook app tokens, Tableau access tokens.
# Kind, a separator and how many of it a chunk must hold, shape.
_ANCHORLESS = (
    (
        "DISCORD_TOKEN", ".", 2,
        re.compile(r"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,45}(?![A-Za-z0-9_-])"),
    ),
    ("MAILGUN_KEY", "-", 2, re.compile(r"[0-9a-f][0-9a-f]{31}-[0-9a-f]{8}-[0-9a-f]{8}(?![0-9a-f-])")),
    ("TRUENAS_KEY", "-", 1, re.compile(r"[0-9][0-9]{0,2}-[A-Za-z0-9]{64}(?![A-Za-z0-9])")),
    ("TABLEAU_TOKEN", "==:", 1, re.compile(r"[A-Za-z0-9+/][A-Za-z0-9+/]{21}==:[A-Za-z0-9]{32}(?![A-Za-z0-9])")),
)  # fmt: skip
_FACEBOOK = re.compile(r"[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])")


def narrow(text: str) -> bytes:
    """`text` as bytes of equal length, `?` for what Latin-1 has not: searching bytes is the fastest the library offers."""
    return text.encode("latin-1", "replace")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a text something random may stand.

    `classes` maps it to token characters; `chunks` are runs of token characters with something in them that is no word;
    `cores` are the runs of letters and digits among them that nobody typed, UUIDs and groups of capitals and digits.
    """

    classes: bytes
    chunks: list[tuple[int, int]]
    cores: list[tuple[int, int]]


def layout(text: str, plain: bytes) -> Layout:
    """The layout of `text`; `plain` is its narrow form."""
    view = plain.translate(_CLASSES)
    letters = plain.translate(_LETTERS)
    marks = plain.translate(_MARKS)
    size = len(view)
    bounds: list[tuple[int, int]] = []
    middles: list[tuple[int, int]] = []
    start = view.find(_CHUNK_VIEW)
    while start >= 0:
        end = view.find(b" ", start + SHORTEST)
        end = size if end < 0 else end
        found = False
        # Without a digit or a capital it is all words.
        low = letters.find(_RUN, start, end) if marks.find(b"1", start, end) >= 0 else -1
        while low >= 0:
            high = letters.find(b" ", low + _RUN_LENGTH, end)
            high = end if high < 0 else high
            if (
                marks.find(b"1", low + 1, high) >= 0 or text[low].isdigit()
            ):  # small letters behind a first one are a word
                found = True
                if high - low >= (_LONG_CORE if text[low:high].isalpha() else _CORE_LENGTH):
                    middles.append((low, high))
            low = letters.find(_RUN, high, end)
        if found:
            bounds.append((start, end))
        start = view.find(_CHUNK_VIEW, end)
    _add_groups(text, letters, bounds, middles)
    return Layout(view, bounds, middles)


def _add_groups(text: str, letters: bytes, bounds: list[tuple[int, int]], middles: list[tuple[int, int]]) -> None:
    count = len(middles)
    at = letters.find(_UUID_VIEW)
    while at >= 0:
        end = letters.find(b" ", at + len(_UUID_VIEW), at + UUID_LENGTH)
        middles.append((at, end if end >= 0 else min(at + UUID_LENGTH, len(text))))
        at = letters.find(_UUID_VIEW, at + UUID_LENGTH)
    for start, end in bounds:
        if text.count("-", start, end) >= 3:
            for found in _GROUPS_VIEW.finditer(letters, start, end):
                group = text[found.start() : found.end()]
                if group.upper() == group and " " not in group and _DIGIT.search(group):
                    middles.append(found.span())
    if len(middles) > count:
        middles.sort()


def find_tokens(
    text: str,
    bounds: list[tuple[int, int]],
    table: RuleTable,
    budget: Budget,
    unfinished: list[tuple[str, int]] | None = None,
    middles: list[tuple[int, int]] | None = None,
) -> list[Span]:
    """Every token of the table in the given chunks of `text`. Anchors whose token is cut short go to `unfinished`.

    Inside words it looks only where one of `middles` (random runs, see `Layout`) lies, or everywhere without them.
    """
    out: list[Span] = []
    runs = Runs(text)
    search = table.search
    done = core = 0
    escapes = "%" in text or "\\" in text
    for start, end in bounds:
        at = max(start - 8, done)
        limit = min(end + 1, len(text))
        while found := search(text, at, limit):
            budget.spend()
            head, at = found[1], found.start(1)
            hit = table.match(runs, head, at)
            if hit is not None:
                done = at = max(at + 1, _report(text, hit, out))
                continue
            at += 1
            if unfinished is not None and end - at < 160 and _BROKEN.match(text, end):
                unfinished.append((head, at - 1))
        if end - start >= LED_LENGTH:
            at = max(start, done)
            while found := table.search_led(text, at, limit):
                budget.spend()
                at = found.start() + 1
                hit = table.match(runs, found[0], found.start(), led=True)
                if hit is not None:
                    done = at = max(at, _report(text, hit, out))
        near = [(start, end)] if middles is None else []
        while middles and core < len(middles) and middles[core][0] < end:
            if middles[core][1] > start:
                near.append((max(start, middles[core][0] - HEAD_REACH), min(end, middles[core][1])))
            core += 1
        heads = _after_escapes(text, start, end, table) if escapes else []
        for low, high in near:
            _add_glued(text, start, low, high, table, heads)
        for place, head in heads:
            if place >= done:
                budget.spend()
                hit = table.match(runs, head, place)
                if hit is not None:
                    done = max(done, _report(text, hit, out))
        if near and end - start >= 50:
            out.extend(_anchorless(text, start, end))
        if start > 15 and text[start - 1] == "|" and text[start - 16 : start - 1].isdigit():
            follow = _FACEBOOK.match(text, start)
            if follow:
                low = start - 16 if not text[start - 17 : start - 16].isdigit() else start - 17
                out.append(Span(max(low, 0), follow.end(), "FACEBOOK_TOKEN", "facebook-app-token"))
    return out


def _report(text: str, hit: tuple[Rule, int, int], out: list[Span]) -> int:
    rule, low, high = hit
    high = trimmed(text, low, high)
    if not text.startswith("REDACTED", high - 8):
        out.append(Span(low, high, rule.kind, rule.name))
    return high


def _after_escapes(text: str, start: int, end: int, table: RuleTable) -> list[tuple[int, str]]:
    """Heads that begin after an escape."""
    heads: list[tuple[int, str]] = []
    escape = _ESCAPE_REST.match(text, start) if start and text[start - 1] == "\\" else None
    if escape and (head := table.begins(text, escape.end())):
        heads.append((escape.end(), head[1]))
    at = text.find("%", start, end)
    while at >= 0:
        if head := table.begins(text, at + 3):
            heads.append((at + 3, head[1]))
        at = text.find("%", at + 1, end)
    return heads


def _add_glued(text: str, start: int, low: int, high: int, table: RuleTable, heads: list[tuple[int, str]]) -> None:
    """Heads between `low` and `high` that begin in the middle of a word of the chunk at `start`."""
    for separator in _SEPARATORS.finditer(text, low, high):
        at = separator.start()
        for reach in table.glued_reaches.get(text[at - GLUED_TAIL + 1 : at + 1], ()):
            place = at - reach
            if place > start and text[place - 1].isalnum():
                found = table.glued.get(text[place : at + 1], ())
                heads += ((place, head) for head in found if text.startswith(head, place))


def find_split(
    text: str, unfinished: list[tuple[str, int]], spans: list[Span], table: RuleTable, budget: Budget
) -> list[Span]:
    """Tokens broken over lines or string joints: those cut short, and the further lines of those found."""
    out: list[Span] = []
    for head, at in unfinished[:SPLITS_AT_MOST]:
        budget.spend(4)
        view = joined(text, at)
        hit = table.match(Runs(view.text), head, 0)
        if hit:
            rule, low, high = hit
            start, end = view.raw(low, trimmed(view.text, low, high))
            if "\n" in text[start:end] or _QUOTE.search(text, start, end):
                out.append(Span(start, end, rule.kind, rule.name))
    starts = sorted(span.start for span in spans)
    for span in spans:
        end = _continued(text, span, starts)
        if end > span.end:
            out.append(Span(span.end, end, span.kind, span.rule))
    return out


def _continued(text: str, span: Span, starts: list[int]) -> int:
    """The end of a token that goes on behind a string joint, or, its line being full, alone on the next lines.

    `starts` are where other tokens begin, in order: a line that holds one is no continuation.
    """
    end = span.end
    while joint := _JOINT_NEXT.match(text, end):
        if not is_random(joint[1], 8):
            break
        end = joint.end()
    if end > span.end:
        return end
    width = span.end - (text.rfind("\n", 0, span.start) + 1)
    for _ in range(40):
        following = _NEXT_LINE.match(text, end)
        if width < 48 or not following or len(following[1]) > width or not is_random(following[1], 8):
            break
        if bisect_left(starts, following.end()) > bisect_left(starts, following.start(1)):
            break
        full = len(following[1]) == width
        end = following.end()
        if not full:
            break
    return end


def cut_short(text: str, bounds: list[tuple[int, int]], table: RuleTable, spans: list[Span]) -> list[str]:
    """Beginnings of tokens at the end of their run: what the next message of a conversation may complete."""
    out: list[str] = []
    taken = {span.start for span in spans}
    for start, end in bounds[-CUTS_AT_MOST:]:
        found = table.search(text, start, end)
        if found and found.start(1) not in taken and 8 <= end - found.start(1) <= 160:
            out.append(text[found.start(1) : end])
    return out


def find_completed(text: str, begun: list[str], table: RuleTable, budget: Budget) -> list[Span]:
    """Runs of `text` that complete a token begun in an earlier message."""
    out: list[Span] = []
    for beginning in begun:
        head = table.begins(beginning)
        if not head:
            continue
        for number, run in enumerate(_RUNS.finditer(text)):
            if number >= RUNS_TRIED:
                break
            budget.spend()
            hit = table.match(Runs(beginning + run[0]), head[1], 0) if is_random(run[0], 6) else None
            if hit and hit[2] > len(beginning):
                out.append(Span(run.start(), run.start() + hit[2] - len(beginning), hit[0].kind, hit[0].name))
    return out


def find_reversed(text: str, middles: list[tuple[int, int]], table: RuleTable, budget: Budget) -> list[Span]:
    """Tokens written backwards. Only anchors that no word holds by chance count."""
    out: list[Span] = []
    for low, high in middles:
        after = _REVERSED_HEAD.match(text, high)
        start, end = low, after.end() if after else high
        if end - start > 400 or end - start < 20:
            continue
        mirror = text[start:end][::-1]
        found = table.search(mirror, 0, len(mirror))
        while found:
            budget.spend()
            hit = table.match(Runs(mirror), found[1], found.start(1)) if len(found[1]) >= 3 else None
            if hit and len(hit[0].parsed.anchor) >= 4 and is_random(mirror[hit[1] : hit[2]], 16):
                rule, low, high = hit
                out.append(Span(end - high, end - low, rule.kind, f"reversed-{rule.name}"))
                break
            found = table.search(mirror, found.start(1) + 1, len(mirror))
    return out


def trimmed(text: str, start: int, end: int) -> int:
    """`end` without the full stops, colons and equal-free tails of a sentence."""
    while end > start and text[end - 1] in ".:-%" and text[end - 1] != "=":
        end -= 1
    return end


def _anchorless(text: str, start: int, end: int) -> Iterator[Span]:
    for kind, separator, least, shape in _ANCHORLESS:
        if text.count(separator, start, end) < least:
            continue
        for found in shape.finditer(text, start, end):
            before = text[found.start() - 1] if found.start() else " "
            body = found[0]
            if before in _WORD or PLACEHOLDER_MARK in body:
                continue
            if kind == "DISCORD_TOKEN" and (body.islower() or not any(c.isdigit() for c in body)):
                continue
            yield Span(found.start(), found.end(), kind, f"{kind.lower().replace('_', '-')}-shape")


_REVERSED_HEAD = re.compile(r"[A-Za-z0-9_.:-]{0,200}")
SPLITS_AT_MOST = 64
_BROKEN = re.compile(
    r"\\?\"[ \t]{0,8}(?:[+.&|\\]|<>)?\s{0,40}(?:[+.&|][ \t]{0,8})?\\?\"[A-Za-z0-9_=+/.-]{4}"
    r"|\\?'[ \t]{0,8}(?:[+.&|\\]|<>)?\s{0,40}(?:[+.&|][ \t]{0,8})?\\?'[A-Za-z0-9_=+/.-]{4}"
    r"|\\{0,2}\r?\n[ \t]{0,40}(?:[>|#*+][ \t]{0,4})?[A-Za-z0-9_=+/.-]{4,}(?=\s|$|[\"'\\])"
)
_QUOTE = re.compile(r"[\"']")
_JOINT_NEXT = re.compile(
    r"(?:\\?\"[ \t]{0,8}(?:[+.&|\\]|<>)?\s{0,40}(?:[+.&|][ \t]{0,8})?\\?\""
    r"|\\?'[ \t]{0,8}(?:[+.&|\\]|<>)?\s{0,40}(?:[+.&|][ \t]{0,8})?\\?')"
    r"([A-Za-z0-9_+/=.-]{6,4096})(?=[\"'\\])"
)
_NEXT_LINE = re.compile(r"\r?\n[ \t]{0,16}([A-Za-z0-9+/_.-]{4,}={0,2})(?=\s|$)")
_WORD = frozenset(string.ascii_letters + string.digits + "_-")
