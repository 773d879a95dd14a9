"""Reading and judging the value of a named field. Linear: a run without blanks is measured once, however many names it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random, is_reference, is_secret_value
from multiagent_bridge.guard.redaction.names import KEY, kind_of
from multiagent_bridge.guard.redaction.spans import Span

KEY_AT_LEAST = 16  # a bare `key` holds many things; only long random values count
JUDGED = 512  # characters of a value that the judge looks at; what is longer is decided by its beginning
_OPEN = re.compile(
    r"(?:(?:new[ \t]+)?(?:String|\[\]byte|Secret|SecretStr|SecretString|quote|unquote|str|NewSecret|Buffer\.from)\()?"
    r"[@$]?(?:[bBrRuUfF]{1,2})?(?P<quote>(?:\\{0,7}(?:\"{3}|'{3}|`{2,3}|[\"'`]))|&quot;|&#39;)"
)
_RUN = re.compile(r"[^\s\"'`<>\\,;]*")
_ENTITY = re.compile(r"&(?:quot|lt|gt|#39);")
_NESTED = re.compile(r"[A-Za-z_]=[^=\s]")
_QUERY_NEXT = re.compile(r"&(?:amp;)?[\w.\-\[\]%]{1,40}=|&&|&$")
_FALLBACK = re.compile(r"[\w.$\[\]'\"()?]{1,80}[ \t]*(?:\|\||\?\?|or\b)[ \t]*(?=[\"'`])")
_SCHEME = re.compile(
    r"(?:bearer|basic|token|api-?key|api-?token|apitoken|oauth2?|digest|ntlm|negotiate|ssws|aivenv1|genie-?key|splunk|apikey-v\d|"
    r"key|klaviyo-api-key|bot|jwt|hmac|discogs|zoho-oauthtoken|private-token|sso-key|lw-access)[ \t]+(?=\S)",
    re.I,
)
_CLOSERS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Field:
    """A name that speaks of a secret: what it says (`names.meaning`) and where it stands."""

    name: str
    sense: str
    low: int
    high: int


class Values:
    """Reads the values of one text."""

    __slots__ = ("_budget", "_run", "text")

    def __init__(self, text: str, budget: Budget) -> None:
        self.text = text
        self._budget = budget
        self._run = (0, 0)

    def judged(self, at: int, field: Field, strong: bool) -> list[Span]:
        """The value that begins at `at` as a finding, or nothing when the judge lets it stand."""
        text = self.text
        near = text[at : at + 100]
        if ("||" in near or "??" in near or " or " in near) and (fallback := _FALLBACK.match(text, at)):
            at = fallback.end()
        opened = _OPEN.match(text, at)
        start = opened.end() if opened else at
        end = _closing(text, start, opened["quote"]) if opened else -1
        quoted = end >= 0
        if not quoted:
            end = self.unquoted_end(start)
        if end <= start:
            return []
        if field.sense == KEY and end - start < KEY_AT_LEAST:
            return []
        self._budget.spend(1 + min(end - start, JUDGED) // 64)
        if scheme := _SCHEME.match(text, start, end if quoted else min(len(text), end + 200)):
            if scheme.end() >= end and quoted:
                return []
            return self._credential(scheme.end(), end if quoted else self.unquoted_end(scheme.end()))
        if not quoted and text[end : end + 1] in ("(", "["):
            return []
        value = text[start:end][:JUDGED]
        if value.isdigit() and text[field.high : field.high + 1] in ('"', "'"):
            strong = True  # a number under a quoted name: JSON
        if is_secret_value(value, field.sense, quoted, strong):
            return [Span(start, end, kind_of(field.name, field.sense), f"named-{field.sense}", 1)]
        return []

    def unquoted_end(self, start: int) -> int:
        """The end of a value without quotes: at a blank, quote, comma, the next query parameter or an unmatched bracket."""
        text = self.text
        low, high = self._run
        if not low <= start < high:
            found = _RUN.match(text, start)
            high = found.end() if found else start
            self._run = (start, high)
        if high - start > JUDGED and _NESTED.search(text, start, start + JUDGED):
            return start
        value = text[start : min(high, start + JUDGED)]
        whole = len(value) == high - start
        for cut in (_QUERY_NEXT.search(value), _ENTITY.search(value)):
            if cut is not None and cut.start() < len(value):
                value, whole = value[: cut.start()], True
        if not whole:
            return high
        while value and (
            value[-1] in ".:?|*"
            or (value[-1] in _CLOSERS and value.count(value[-1]) > value.count(_CLOSERS[value[-1]]))
        ):
            value = value[:-1]
        for closer, opener in _CLOSERS.items():
            cut_at = value.find(closer)
            if cut_at >= 0 and opener not in value[:cut_at]:
                value = value[:cut_at]
        return start + len(value)

    def _credential(self, start: int, end: int) -> list[Span]:
        """What follows an authentication scheme."""
        value = self.text[start:end][:JUDGED]
        if len(value) < 6 or is_reference(value) or " " in value.strip() or value[:1] in "{<$[":
            return []
        if is_random(value, 8) or (len(value) >= 8 and any(c.isdigit() for c in value)):
            return [Span(start, end, "BEARER_TOKEN", "authorization", 2)]
        return []


def _closing(text: str, start: int, quote: str) -> int:
    """The end of a quoted value on its line, or -1. An escaped quote inside does not end it."""
    limit = min(len(text), start + 4_200)
    at = text.find(quote, start, limit)
    while at >= 0:
        backslashes = 0
        while at - backslashes - 1 >= start and text[at - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0 or quote[0] == "\\":
            break
        at = text.find(quote, at + 1, limit)
    if at < 0:
        return -1
    line = text.find("\n", start, at)
    return -1 if line >= 0 and len(quote.lstrip("\\")) < 3 else at
