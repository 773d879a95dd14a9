"""Values that stand apart from their names: below them, in a list, in a mapping, or in a pair of `name` and `value`."""

from __future__ import annotations

import re

from multiagent_bridge.guard.redaction.names import PASSWORD
from multiagent_bridge.guard.redaction.spans import Span
from multiagent_bridge.guard.redaction.values import Field, Values
from multiagent_bridge.guard.redaction.words import looks_like_language

LISTED_AT_MOST = 32
_BELOW = re.compile(r"[ \t]*:[ \t]*\r?\n(?=[ \t])")
_MAPPED = re.compile(
    r"(?:\{\s{0,40}|[ \t]{1,40})(?P<quote>\\{0,7}[\"']?)(?:value|plain(?:text)?|current|default|string)"
    r"(?P=quote)[ \t]*[:=][ \t]*(?=\S)",
    re.I,
)
_ITEM = re.compile(r"\s{0,40}(?=\\{0,7}[\"'`])")
_COMMA = re.compile(r"\\{0,7}[\"'`]\s{0,40},")
_LINE_ITEM = re.compile(r"([ \t]{0,40})-[ \t]{1,8}(?![\w.-]{1,64}[ \t]*:(?:[ \t]|$))(?=\S)", re.M)
# `{"name": "DB_PASSWORD", "value": "x"}`, also with a field between, and the same in YAML.
_VALUE_FIELD = re.compile(
    r"\\{0,7}[\"']?[ \t]*(?:,\s{0,40}|\r?\n[ \t]{0,40})"
    r"(?:\\{0,7}[\"']\w{1,32}\\{0,7}[\"'][ \t]*:[ \t]*(?:\w{1,32}|\\{0,7}[\"'][^\"'\\\n]{0,64}\\{0,7}[\"']),\s{0,40}){0,2}"
    r"\\{0,7}[\"']?value\\{0,7}[\"']?[ \t]*[:=][ \t]*(?=\S)",
    re.I,
)


def inside(values: Values, at: int, field: Field) -> list[Span] | None:
    """Values in the list or mapping that opens at `at`; None when none does."""
    text = values.text
    if text[at] == "[":
        return _listed(values, at + 1, field) if _ITEM.match(text, at + 1) else None
    mapped = _MAPPED.match(text, at)
    return values.judged(mapped.end(), field, True) if mapped else None


def below(values: Values, at: int, field: Field) -> list[Span]:
    """Values on the lines below a name that a colon at `at` ends: a list, or a mapping with a value."""
    text = values.text
    found = _BELOW.match(text, at)
    if not found:
        return []
    at = found.end()
    if mapped := _MAPPED.match(text, at):
        return values.judged(mapped.end(), field, True)
    out: list[Span] = []
    indent = None
    for _ in range(LISTED_AT_MOST):
        item = _LINE_ITEM.match(text, at)
        if not item or (indent is not None and item[1] != indent):
            break
        indent = item[1]
        out += values.judged(item.end(), field, True)
        line = text.find("\n", item.end())
        if line < 0:
            break
        at = line + 1
    return out


def named_before(values: Values, field: Field) -> list[Span]:
    """The value of a pair that `field` is the name of."""
    found = _VALUE_FIELD.match(values.text, field.high)
    if not found:
        return []
    strong = field.name.isupper()
    spans = values.judged(found.end(), field, strong)
    if strong or field.sense != PASSWORD:
        return spans
    # Forms and translations are written so as well, with words for values.
    return [span for span in spans if not looks_like_language(values.text[span.start : span.end][:64])]


def _listed(values: Values, at: int, field: Field) -> list[Span]:
    text = values.text
    out: list[Span] = []
    for _ in range(LISTED_AT_MOST):
        item = _ITEM.match(text, at)
        if not item:
            break
        place = values.quoted(item.end())
        if place is None:
            break
        if place[1] > place[0]:
            out += values.verdict(*place, field, True, True)
        comma = _COMMA.match(text, place[1])
        if not comma:
            break
        at = comma.end()
    return out
