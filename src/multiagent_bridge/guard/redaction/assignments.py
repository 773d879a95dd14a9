"""Named values: assignments of code, shells, configuration files, JSON, YAML, XML, tables, flags, SQL and prose.

A name that speaks of a secret is found by its stem; what follows is read as an operator and a value; the judge decides.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import UUID, is_random, is_reference, is_secret_value
from multiagent_bridge.guard.redaction.names import KEY, NOTHING, PASSWORD, SECRET, meaning, words_of
from multiagent_bridge.guard.redaction.spans import Span

_STEMS = (
    b"pass", b"sword", b"swd", b"pw", b"secret", b"token", b"key", b"auth", b"cred", b"session", b"jwt", b"totp", b"signature",
    b"sig=", b"_pat", b"private", b"access", b"kennwort", b"senha", b"contrase", b"wachtwoord",
)  # fmt: skip
_FOREIGN_STEMS = (
    "has\u0142o", "\u043f\u0430\u0440\u043e\u043b", "\u5bc6\u7801", "\u53e3\u4ee4", "\u30d1\u30b9\u30ef\u30fc\u30c9",
    "\ube44\ubc00\ubc88\ud638",
)  # fmt: skip
_NAME = re.compile(r"[\w.\-]{0,64}")
_NAME_CHARS = string.ascii_letters + string.digits + "_-."
_CLOSE = re.compile(r"(?:(?:\\{0,7}[\"'`]|&quot;)[\])]{0,2}|\*{1,2}|\]{1,2}|[ ]\d{1,2}(?=[:=]))?")
_OPERATOR = re.compile(
    r"[ \t]{0,24}(?::{1,3}=|\?=|\.=|\+=|!={1,2}|={1,3}>?|->|\|\|=|:(?!:))[ \t]{0,16}(?=\S)"
    r"|[ \t]*:[ \t]*[A-Za-z_][\w.]{0,24}(?:[<\[][\w., |]{0,24}[>\]])?\??[ \t]*=(?!=)[ \t]*"
    r"|[ \t]+(?:string|String|str|\[\]byte|&str|text)[ \t]*:?=[ \t]*"
)
_TYPED = re.compile(r"[ \t]*:[ \t]*[A-Za-z_&][\w.:]{0,24}(?:[<\[][\w., |]{0,24}[>\]])?\??[ \t]*=(?!=)[ \t]*(?=[\"'@bru])")
_TAG = re.compile(r"(?:[ \t]+[\w:.-]+=\"[^\"\n<>]{0,60}\"){0,3}[ \t]*>\s{0,40}(?=[^\s<])")
_VALUE_ATTRIBUTE = re.compile(r"[\"'][ \t]+(?:[\w:.-]+=[\"'][^\"'\n<>]{0,60}[\"'][ \t]+)?(?:value|content)[ \t]*=[ \t]*(?=[\"'])", re.I)
_ARGUMENT = re.compile(r"\\?[\"'`][ \t]*,\s{0,20}(?=\\?[\"'`])")
_DEFAULT = re.compile(r"[\"'][ \t]*\{\s{0,20}(?:[a-z]+[ \t]*=[ \t]*\S{1,40}\s{1,20}){0,3}default[ \t]*=[ \t]*(?=[\"'])")
_TABLE = re.compile(r"[ \t`*]*\|[ \t]*`?(?=[^\s|])")
_SPACE = re.compile(r"[ \t]{1,4}(?=\S)|\s{0,3}\n\s{0,8}(?=\S)")
_OPEN = re.compile(
    r"(?:(?:new[ \t]+)?(?:String|\[\]byte|Secret|SecretStr|SecretString|quote|unquote|str|NewSecret|Buffer\.from)\()?"
    r"[@$]?(?:[bBrRuUfF]{1,2})?(?P<quote>(?:\\{0,7}(?:\"{3}|'{3}|[\"'`]))|&quot;|&#39;)"
)
_UNQUOTED = re.compile(r"(?:(?!&(?:quot|lt|gt|#39);)[^\s\"'`<>\\,;]){1,4096}")
_QUERY_NEXT = re.compile(r"&(?:amp;)?[\w.\-\[\]%]{1,40}=|&&|&$")
_FALLBACK = re.compile(r"[\w.$\[\]'\"()?]{1,80}[ \t]*(?:\|\||\?\?|or\b)[ \t]*(?=[\"'`])")
_PROSE = re.compile(
    r"(?:[ \t]+(?:for|of|to|on|in|at)[ \t]+(?:the[ \t]+)?(?:user[ \t]+)?[\"'`]?[\w.@-]{1,40}[\"'`]?(?:[ \t]+[\w.-]{1,20})?)?"
    r"[ \t]+(?:is|was|will be|should be|has been|must be|set to|changed to|=|to)(?:[ \t]+(?:now|still|set to|currently|just|changed to))?"
    r"[ \t]*[:=]?[ \t]*(?=\S)",
    re.I,
)
_SCHEME = re.compile(
    r"(?:bearer|basic|token|api-?key|api-?token|apitoken|oauth2?|digest|ntlm|negotiate|ssws|aivenv1|genie-?key|splunk|apikey-v\d|"
    r"key|klaviyo-api-key|bot|jwt|hmac|discogs|zoho-oauthtoken|private-token|sso-key|lw-access)[ \t]+(?=\S)", re.I
)
_VERSION = re.compile(r"v?\d+\.\d+")
_SPACED = frozenset("key keys secret secrets token tokens private access pat credential credentials".split())
_LINE_START = frozenset(" \t-+>*#|/;\"'$")
_QUOTES = "\"'`"
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def keyed_hits(text: str, lower: bytes) -> list[int]:
    """Where the stem of a secret's name stands, in order."""
    hits: list[int] = []
    for stem in _STEMS:
        at = lower.find(stem)
        while at >= 0:
            hits.append(at)
            at = lower.find(stem, at + len(stem))
    if not text.isascii():
        for foreign in _FOREIGN_STEMS:
            at = text.find(foreign)
            while at >= 0:
                hits.append(at)
                at = text.find(foreign, at + len(foreign))
    hits.sort()
    return hits


def find_assignments(text: str, lower: bytes, budget: Budget) -> list[Span]:
    """Every named value of `text` that the judge takes for a secret."""
    out: list[Span] = []
    done = 0
    for hit in keyed_hits(text, lower):
        if hit < done:
            continue
        budget.spend()
        low = hit - (len(head) - len(head.rstrip(_NAME_CHARS))) if (head := text[max(0, hit - 48) : hit]) else hit
        if low < hit and low and text[low - 1] == "\\" and text[low] in "nrtbf":
            low += 1
        found = _NAME.match(text, hit)
        high = found.end() if found else hit
        name = text[low:high].rstrip(".-")
        high = low + len(name)
        done = max(high, hit + 1)
        sense = meaning(name)
        if sense == NOTHING:
            continue
        budget.spend()
        for span in _after(text, low, high, name, sense):
            out.append(span)
            done = max(done, span.end)
    return out


def _after(text: str, low: int, high: int, name: str, sense: str) -> list[Span]:
    closed = _CLOSE.match(text, high)
    at = closed.end() if closed else high
    if operator := (_TYPED.match(text, high) or _OPERATOR.match(text, at)):
        tight = operator.end() - operator.start() == 1 and operator[0] == "="
        strong = _is_strong(text, low, high, name, operator[0], tight)
        return _value(text, operator.end(), low, name, sense, strong)
    before = text[low - 1] if low else ""
    if text.startswith(">", high) or (text.startswith(" ", high) and before == "<"):
        if before == "<" and (tag := _TAG.match(text, high)):
            return _value(text, tag.end(), low, name, sense, True)
        return []
    if attribute := _VALUE_ATTRIBUTE.match(text, high):
        return _value(text, attribute.end(), low, name, sense, True)
    if default := _DEFAULT.match(text, high):
        return _value(text, default.end(), low, name, sense, True)
    if text[max(0, low - 2) : low].strip(_QUOTES + "\\ ") == "(" and (argument := _ARGUMENT.match(text, high)):
        return _value(text, argument.end(), low, name, sense, name.isupper() or sense == PASSWORD)
    if (table := _TABLE.match(text, high)) and "|" in text[max(0, low - 4) : low]:
        return _value(text, table.end(), low, name, sense, True)
    if before == "-" or text[low:high].startswith("-"):
        flag = _SPACE.match(text, high)
        if flag:
            return _value(text, flag.end(), low, name, sense, True, flag=True)
    if sense == PASSWORD:
        return _prose(text, low, high, name)
    if prose := _PROSE.match(text, high):
        return [span for span in _value(text, prose.end(), low, name, sense, False) if is_random(text[span.start:span.end], 10)]
    if (spaced := _SPACE.match(text, high)) and words_of(name)[-1] in _SPACED:
        return _random_only(text, spaced.end(), sense)
    return []


def _is_strong(text: str, low: int, high: int, name: str, operator: str, tight: bool) -> bool:
    letters = name.replace("_", "").replace("-", "")
    if letters.isupper() and "=" in operator:
        return True
    if low and text[low - 1] == "-" or name.startswith("-"):
        return True
    line = text.rfind("\n", max(0, low - 24), low)
    prefix = text[line + 1 : low] if line >= 0 else text[:low] if low <= 24 else "?"
    bare = all(c in _LINE_START for c in prefix)
    if tight and bare:
        return True
    if bare and operator.strip() == ":" and operator.endswith(" "):
        end = text.find("\n", high)
        line_end = text[high : end if end >= 0 else len(text)][:200].rstrip()
        return line_end[-1:] not in ",;{([" and line_end.count(" ") <= 2 and '"' not in line_end
    return False


def _value(text: str, at: int, low: int, name: str, sense: str, strong: bool, flag: bool = False) -> list[Span]:
    if fallback := _FALLBACK.match(text, at):
        at = fallback.end()
    opened = _OPEN.match(text, at)
    quoted = opened is not None
    if opened:
        start = opened.end()
        end = _closing(text, start, opened["quote"])
        if end < 0:
            quoted = False
            end = _unquoted_end(text, start, strong)
    else:
        start = at
        end = _unquoted_end(text, start, strong or sense == PASSWORD)
    if end <= start:
        return []
    if scheme := _SCHEME.match(text, start, end if quoted else min(len(text), end + 200)):
        return [] if scheme.end() >= end and quoted else _credential(text, scheme.end(), end if quoted else -1)
    value = text[start:end]
    if not quoted and text[end : end + 1] in "([" and text[end : end + 1]:
        return []
    if quoted and "$" in value and is_reference(value):
        return []
    if is_secret_value(value, sense, quoted, strong):
        return [Span(start, end, kind_of(name, sense, value), f"named-{sense}", 1, quoted)]
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


def _unquoted_end(text: str, start: int, wide: bool) -> int:
    found = _UNQUOTED.match(text, start)
    if not found:
        return start
    value = found[0]
    if (query := _QUERY_NEXT.search(value)) is not None:
        value = value[: query.start()]
    while value:
        last = value[-1]
        if last in ".:?|*" or (last in _CLOSERS and value.count(last) > value.count(_CLOSERS[last])):
            value = value[:-1]
        else:
            break
    for closer, opener in _CLOSERS.items():
        cut = value.find(closer)
        if cut >= 0 and opener not in value[:cut]:
            value = value[:cut]
    return start + len(value)


def _credential(text: str, start: int, end: int) -> list[Span]:
    """What follows an authentication scheme."""
    if end < 0:
        end = _unquoted_end(text, start, True)
    value = text[start:end]
    if len(value) < 6 or is_reference(value) or " " in value.strip() or value[:1] in "{<$[":
        return []
    if is_random(value, 8) or (any(c.isdigit() for c in value) and len(value) >= 8):
        return [Span(start, end, "BEARER_TOKEN", "authorization", 2)]
    return []


def _prose(text: str, low: int, high: int, name: str) -> list[Span]:
    if prose := _PROSE.match(text, high):
        return _value(text, prose.end(), low, name, PASSWORD, False)
    spaced = _SPACE.match(text, high)
    if not spaced:
        return []
    at = spaced.end()
    if text[at] in "\"'" and _sql(text, low, name):
        return _value(text, at, low, name, PASSWORD, True)
    end = _unquoted_end(text, at, True)
    value = text[at:end]
    if len(value) < 6 or value.lower() == name.lower():
        return []
    digits = any(c.isdigit() for c in value)
    symbols = any(c in "!@#$%^&*~+=" for c in value)
    netrc = "login " in text[max(0, low - 60) : low]
    if not (netrc or (digits and (symbols or not value[-1].isdigit() or not value.isalnum()))):
        return []
    return _value(text, at, low, name, PASSWORD, netrc)


def _sql(text: str, low: int, name: str) -> bool:
    return name.isupper() or name.lower() == "password"


def _random_only(text: str, at: int, sense: str) -> list[Span]:
    end = _unquoted_end(text, at, False)
    value = text[at:end]
    if not value[:1].isalnum() or _VERSION.match(value) or "\n" in text[at - 2 : at]:
        return []
    if (is_random(value, 16) and not is_reference(value)) and (UUID.fullmatch(value) is None or sense == SECRET):
        return [Span(at, end, "SECRET", "named-secret-spaced", 1)]
    return []


def kind_of(name: str, sense: str, value: str) -> str:
    """The placeholder of a named value: SPEC's names for what SPEC names."""
    if sense == PASSWORD:
        return "PASSWORD"
    words = words_of(name)
    joined = "".join(words)
    if "aws" in words:
        return "AWS_KEY"
    if "github" in words or "gh" in words:
        return "GITHUB_TOKEN"
    if "openai" in words:
        return "OPENAI_KEY"
    if "privatekey" in joined:
        return "PRIVATE_KEY"
    if "apikey" in joined or words[-1] == "key":
        return "API_KEY"
    if "bearer" in words or "authorization" in words:
        return "BEARER_TOKEN"
    return "SECRET"


def line_of(starts: list[int], at: int) -> int:
    """Index of the line that holds position `at`."""
    return bisect_right(starts, at) - 1
