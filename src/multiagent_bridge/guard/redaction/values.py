"""Reading and judging the value of a named field. Linear: a run without blanks is measured once, however many names it holds."""

from __future__ import annotations

import re
from typing import NamedTuple

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
_OPENERS = frozenset("\"'`\\&@$bBrRuUfFnSNsq[!")
_ANCHOR = re.compile(r"(?:&[\w-]{1,40}|!![a-z]{1,20})[ \t]{1,8}(?=\S)")  # YAML: an anchor or a tag before the value
_RUN = re.compile(r"[^\s\"'`<>\\,;]*")
_ENTITY = re.compile(r"&(?:quot|lt|gt|#39);")
_QUERY_NEXT = re.compile(r"&(?:amp;)?[\w.\-\[\]%]{1,40}=|&&|&$")
_FALLBACK = re.compile(r"[\w.$\[\]'\"()?]{1,80}[ \t]*(?:\|\||\?\?|or\b)[ \t]*(?=[\"'`])")
_SCHEME = re.compile(
    r"(?:bearer|basic|token|api-?key|api-?token|apitoken|oauth2?|digest|ntlm|negotiate|ssws|aivenv1|genie-?key|splunk|apikey-v\d|"
    r"key|klaviyo-api-key|bot|jwt|hmac|discogs|zoho-oauthtoken|private-token|sso-key|lw-access|aws4-hmac-sha256)[ \t]+(?=\S)",
    re.I,
)
_PARAMETER = re.compile(r"[A-Za-z_-]{2,40}=(?:[^=\s]|$)")
_RESPONSE = re.compile(r"\b(?:response|Signature)=\\{0,7}\"?([0-9a-f]{32,64})(?![0-9a-f])")
_CODE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


class Field(NamedTuple):
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
        opened = None
        if text[at : at + 1] in _OPENERS:
            if mark := _ANCHOR.match(text, at):
                at = mark.end()
            opened = _OPEN.match(text, at)
        start = opened.end() if opened else at
        end = _closing(text, start, opened["quote"]) if opened else -1
        quoted = end >= 0
        least = KEY_AT_LEAST if field.sense == KEY else 1
        if not quoted:
            high = self._run_end(start)
            if high - start < least:
                return []
            end = self._unquoted(start, high)
        if end - start < least:
            return []
        return self.verdict(start, end, field, quoted, strong)

    def verdict(self, start: int, end: int, field: Field, quoted: bool, strong: bool) -> list[Span]:
        """The characters `start` to `end` as the value of `field`: a finding, or nothing."""
        text = self.text
        self._budget.spend(1 + min(end - start, JUDGED) // 64)
        if scheme := _SCHEME.match(text, start, end if quoted else min(len(text), end + 200)):
            if scheme.end() >= end and quoted:
                return []
            return self._credential(scheme.end(), end if quoted else self.unquoted_end(scheme.end()))
        if not quoted and text[end : end + 1] in ("(", "["):
            return []
        value = text[start:end][:JUDGED]
        if "\\u" in value:
            value = _CODE.sub(lambda code: chr(int(code[1], 16)), value)
        if value.isdigit() and text[field.high : field.high + 1] in ('"', "'"):
            strong = True  # a number under a quoted name: JSON
        if is_secret_value(value, field.sense, quoted, strong):
            return [Span(start, end, kind_of(field.name, field.sense), f"named-{field.sense}", 1)]
        return []

    def quoted(self, at: int) -> tuple[int, int] | None:
        """Start and end of what stands in the quotes that open at `at`."""
        opened = _OPEN.match(self.text, at)
        end = _closing(self.text, opened.end(), opened["quote"]) if opened else -1
        return (opened.end(), end) if opened and end >= 0 else None

    def unquoted_end(self, start: int) -> int:
        """The end of a value without quotes: at a blank, quote, comma, the next query parameter or an unmatched bracket."""
        return self._unquoted(start, self._run_end(start))

    def _unquoted(self, start: int, high: int) -> int:
        text = self.text
        if high - start > JUDGED and _is_nested(text, start, start + JUDGED):
            return start
        value = text[start : min(high, start + JUDGED)]
        whole = len(value) == high - start
        if value.isalnum():
            return high
        if "&" in value:
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

    def _run_end(self, start: int) -> int:
        """The end of the run without blanks, quotes and commas that begins at `start` or holds it."""
        low, high = self._run
        if not low <= start < high:
            found = _RUN.match(self.text, start)
            high = found.end() if found else start
            self._run = (start, high)
        return high

    def _credential(self, start: int, end: int) -> list[Span]:
        """What follows an authentication scheme: a token, or parameters (Digest, RFC 7616; AWS4-HMAC-SHA256)."""
        value = self.text[start:end][:JUDGED]
        if _PARAMETER.match(value):
            found = _RESPONSE.search(self.text, start, start + JUDGED)
            return [Span(*found.span(1), "SECRET", "signed-request", 2)] if found else []
        if len(value) < 6 or is_reference(value) or " " in value.strip() or value[:1] in "{<$[":
            return []
        if is_random(value, 8) or (len(value) >= 8 and any(c.isdigit() for c in value)):
            return [Span(start, end, "BEARER_TOKEN", "authorization", 2)]
        return []


def _is_nested(text: str, start: int, end: int) -> bool:
    """True when an assignment stands inside: a letter, `=` and neither `=` nor a blank."""
    end = min(end, len(text))
    at = text.find("=", start + 1, end - 1)
    while at >= 0:
        before, after = text[at - 1], text[at + 1]
        if after != "=" and not after.isspace() and (before == "_" or (before.isascii() and before.isalpha())):
            return True
        at = text.find("=", at + 1, end - 1)
    return False


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
