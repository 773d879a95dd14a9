"""Named values: assignments of code, shells, configuration files, JSON, YAML, XML, tables, flags, SQL and prose.

A name that speaks of a secret is found by its stem; what follows is read as an operator and a value; the judge decides.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple

from multiagent_bridge.guard.redaction import structures
from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import UUID, is_random, is_reference
from multiagent_bridge.guard.redaction.names import (
    KEY,
    NOTHING,
    PASSWORD,
    SECRET,
    is_qualified_key,
    meaning,
    split_words,
)
from multiagent_bridge.guard.redaction.spans import Span
from multiagent_bridge.guard.redaction.values import Field, Values
from multiagent_bridge.guard.redaction.words import word_set

_STEMS = (
    b"pass", b"swd", b"pw", b"secret", b"token", b"key", b"auth", b"cred", b"session", b"jwt", b"totp", b"signature",
    b"sig=", b"_pat", b"kennwort", b"senha", b"contrase",
)  # fmt: skip
_FOREIGN_STEMS = (
    "has\u0142o", "\u043f\u0430\u0440\u043e\u043b", "\u5bc6\u7801", "\u53e3\u4ee4", "\u30d1\u30b9\u30ef\u30fc\u30c9",
    "\ube44\ubc00\ubc88\ud638",
)  # fmt: skip
_NAME = re.compile(r"[\w.\-]{0,64}")
_NAME_CHARS = frozenset((string.ascii_letters + string.digits + "_-.").encode())
_NAMES = bytes(97 if code in _NAME_CHARS else 32 for code in range(256))
_NAME_AT_MOST = 64
_CLOSE = re.compile(r"(?:(?:\\{0,7}[\"'`]|&quot;)[\])]{0,2}|\*{1,2}|\]{1,2}|[ ]\d{1,2}(?=[:=]))?")
_OPERATOR = re.compile(
    r"[ \t]{0,24}(?::{1,3}=|\?=|\.=|\+=|!={1,2}|={1,3}>?|->|\|\|=|:(?!:))[ \t]{0,16}(?=\S)"
    r"|[ \t]*:[ \t]*[A-Za-z_][\w.]{0,24}(?:[<\[][\w., |]{0,24}[>\]])?\??[ \t]*=(?!=)[ \t]*"
    r"|[ \t]+(?:string|String|str|\[\]byte|&str|text)[ \t]*:?=[ \t]*"
)
_TYPED = re.compile(
    r"[ \t]*:[ \t]*[A-Za-z_&][\w.:]{0,24}(?:[<\[][\w., |]{0,24}[>\]])?\??[ \t]*=(?!=)[ \t]*(?=[\"'@bru])"
)
_TAG = re.compile(r"(?:[ \t]+[\w:.-]+=\"[^\"\n<>]{0,60}\"){0,3}[ \t]*>\s{0,40}(?=[^\s<])")
_VALUE_ATTRIBUTE = re.compile(
    r"[\"'][ \t]+(?:[\w:.-]+=[\"'][^\"'\n<>]{0,60}[\"'][ \t]+)?(?:value|content)[ \t]*=[ \t]*(?=[\"'])", re.I
)
_ARGUMENT = re.compile(r"\\?[\"'`][ \t]*,\s{0,20}(?=\\?[\"'`])")
_DEFAULT = re.compile(r"[\"'][ \t]*\{\s{0,20}(?:[a-z]+[ \t]*=[ \t]*\S{1,40}\s{1,20}){0,3}default[ \t]*=[ \t]*(?=[\"'])")
_FOLLOWERS = frozenset("=: \t\"'`\\&*]?.+!-|(>\u2019")  # what may stand between a name and its value
_CLOSERS = frozenset("\"'`\\&*] ")
_SIGNS = frozenset(("", *"=>~[{(|"))  # behind `=`: more of the operator, or a structure
_TYPERS = frozenset(": \t")
_CALL_QUOTES = frozenset(('"', "'", " "))
_BLOCK = re.compile(r"[|>][-+]?\d?[ \t]{0,8}\r?\n[ \t]{1,40}(?=\S)")
_PAIR = re.compile(r"\(\s{0,4}[\"'][^\"'\n]{1,128}[\"']\s{0,4},\s{0,4}(?=[\"'])")
_CALLED = re.compile(r"\([ \t]{0,4}(?=[\"'])")
_SETTERS = frozenset(("set", "with", "change", "reset", "update", "password", "passwd", "passphrase"))
_TABLE = re.compile(r"[ \t`*]*\|[ \t]*`?(?=[^\s|])")
_SPACE = re.compile(r"[ \t]{1,4}(?=\S)|\s{0,3}\n\s{0,8}(?=\S)")
_PROSE = re.compile(
    r"(?:[ \t]+(?:for|of|to|on|in|at)[ \t]+(?:the[ \t]+)?(?:user[ \t]+)?[\"'`]?[\w.@-]{1,40}[\"'`]?(?:[ \t]+[\w.-]{1,20})?)?"
    r"(?:['\u2019]s|[ \t]+(?:is|was|will be|should be|has been|must be|set to|changed to|=|to))"
    r"(?:[ \t]+(?:now|still|set to|currently|just|changed to))?"
    r"[ \t]*[:=]?[ \t]*(?=\S)",
    re.I,
)
_JAR = re.compile(r"\t(?:TRUE|FALSE)\t\d{1,12}\t\Z")  # a line of a cookie file
_VERSION = re.compile(r"v?\d+\.\d+")
_SPACED = word_set("key keys secret secrets token tokens private access pat credential credentials")
_LINE_START = " \t-+>*#|/;\"'$"


class Keyed(NamedTuple):
    """Where the stems of secrets' names stand: all in order, and each stem's own. `names` is blank where no name can be."""

    names: bytes
    hits: list[int]
    stems: dict[bytes, list[int]]


def keyed(text: str, lower: bytes) -> Keyed:
    """The stems of names in `text`; `lower` is its narrow form in small letters."""
    hits: list[int] = []
    stems: dict[bytes, list[int]] = {}
    for stem in _STEMS:
        at = lower.find(stem)
        if at < 0:
            continue
        places = stems[stem] = []
        while at >= 0:
            places.append(at)
            at = lower.find(stem, at + len(stem))
        hits += places
    if not text.isascii():
        for foreign in _FOREIGN_STEMS:
            at = text.find(foreign)
            while at >= 0:
                hits.append(at)
                at = text.find(foreign, at + len(foreign))
    hits.sort()
    return Keyed(lower.translate(_NAMES) if hits else b"", hits, stems)


def find_assignments(text: str, found: Keyed, budget: Budget) -> list[Span]:
    """Every named value of `text` that the judge takes for a secret; `found` are the stems of its names."""
    out: list[Span] = []
    values = Values(text, budget)
    names = found.names
    done = 0
    for hit in found.hits:
        if hit < done:
            continue
        budget.spend()
        high = _name_end(text, names, hit)
        done = high if high > hit else hit + 1
        after = text[high : high + 1]
        if after not in _FOLLOWERS and not after.isspace():
            continue
        if after == "(" and text[high + 1 : high + 2] not in _CALL_QUOTES:
            continue
        low = _name_start(text, names, hit)
        name = text[low:high]
        sense = meaning(name)
        if sense == NOTHING or (after == "(" and sense != PASSWORD):
            continue
        if sense == KEY and is_qualified_key(name, text, low):
            sense = SECRET
        for span in _after(values, Field(name, sense, low, high)):
            out.append(span)
            done = max(done, span.end)
    return out


def _name_end(text: str, names: bytes, hit: int) -> int:
    """The end of the field name that holds position `hit`."""
    high = names.find(b" ", hit, hit + _NAME_AT_MOST)
    if high < 0:
        high = min(hit + _NAME_AT_MOST, len(text))
    elif text[high] > "\x7f" and (found := _NAME.match(text, hit)):
        high = found.end()
    while high > hit and text[high - 1] in ".-":
        high -= 1
    return high


def _name_start(text: str, names: bytes, hit: int) -> int:
    """The start of the field name that holds position `hit`; the letter of an escape (`\\npassword`) is none of it."""
    floor = hit - 48 if hit > 48 else 0
    low = names.rfind(b" ", floor, hit) + 1 or floor
    return low + 1 if 0 < low < hit and text[low - 1] == "\\" and text[low] in "nrtbf" else low


def _after(values: Values, field: Field) -> list[Span]:
    """Read what follows a name: an operator, a tag, an attribute, an argument, a cell, a flag's value, prose."""
    text, low, high = values.text, field.low, field.high
    after = text[high : high + 1]
    if after == "=":  # the most frequent case, mostly without a search
        at = high + 2 if text[high + 1 : high + 2] == " " else high + 1
        following = text[at : at + 1]
        if following not in _SIGNS and not following.isspace():
            return values.judged(at, field, field.sense != KEY and _is_strong(text, field, text[high:at]))
    at = closed.end() if after in _CLOSERS and (closed := _CLOSE.match(text, high)) else high
    if operator := ((after in _TYPERS and _TYPED.match(text, high)) or _OPERATOR.match(text, at)):
        start = operator.end()
        if after == ":" and operator[0] == ":" and "arn:" in text[max(0, low - 90) : low]:
            return []  # an Amazon resource name tells where a secret is
        first = text[start : start + 1]
        if first in ("[", "{") and (found := structures.inside(values, start, field)) is not None:
            return found
        if first in ("|", ">") and (block := _BLOCK.match(text, start)):
            return values.judged(block.end(), field, True)
        if first == "(" and field.sense != NOTHING and (pair := _PAIR.match(text, start)):
            return values.judged(pair.end(), Field(field.name, PASSWORD, low, high), True)
        return values.judged(start, field, field.sense != KEY and _is_strong(text, field, operator[0]))
    if text.startswith(":", at):
        return structures.below(values, at, field)
    if field.sense == PASSWORD and text.startswith("(", high) and (call := _CALLED.match(text, high)):
        return values.judged(call.end(), field, True) if split_words(field.name)[0] in _SETTERS else []
    before = text[low - 1] if low else ""
    if text.startswith(">", high) or (before == "<" and text.startswith(" ", high)):
        tag = _TAG.match(text, high) if before == "<" else None
        return values.judged(tag.end(), field, True) if tag else []
    if place := (_VALUE_ATTRIBUTE.match(text, high) or _DEFAULT.match(text, high)):
        return values.judged(place.end(), field, True)
    if argument := _ARGUMENT.match(text, high):
        if field.name.startswith("-"):
            return values.judged(argument.end(), field, True)  # a list of arguments
        if text[max(0, low - 2) : low].strip("\"'`\\ ") == "(":
            return values.judged(argument.end(), field, field.name.isupper() or field.sense == PASSWORD)
    if pair_value := structures.named_before(values, field):
        return pair_value
    if (
        text[max(0, low - 4) : low].rstrip(" `*").endswith("|")
        and text[low - 1] != "|"
        and (cell := _TABLE.match(text, high))
    ):
        return values.judged(cell.end(), field, True)
    if (before == "-" or field.name.startswith("-")) and (flag := _SPACE.match(text, high)):
        return values.judged(flag.end(), field, True)
    if after == "\t" and (jar := _JAR.search(text, max(0, low - 300), low)) and "\n" not in jar[0]:
        return values.judged(high + 1, field, True)
    if field.sense == PASSWORD:
        return _password_prose(values, field)
    return _secret_prose(values, field)


def _is_strong(text: str, field: Field, sign: str) -> bool:
    """True when the place alone makes the value a secret: an environment name, a flag, a line of a settings file."""
    low = field.low
    if field.name.replace("_", "").replace("-", "").isupper() and "=" in sign:
        return True
    if field.name.startswith("-") or (low and text[low - 1] == "-"):
        return True
    if low and text[low - 1] == '"':
        low -= 1  # a text in quotes begins like a line
    line = low if text[low : low + 1] == '"' else text.rfind("\n", max(0, low - 24), low)
    prefix = text[line + 1 : low] if line >= 0 else text[:low] if low <= 24 else "?"
    if prefix.strip(_LINE_START):
        return False
    if sign == "=":
        return True
    if sign.strip() == ":" and sign.endswith(" "):
        end = text.find("\n", field.high, field.high + 200)
        rest = text[field.high : end if end >= 0 else field.high + 200].rstrip()
        return rest[-1:] not in ",;{([" and rest.count(" ") <= 2 and '"' not in rest
    return False


def _password_prose(values: Values, field: Field) -> list[Span]:
    text, low = values.text, field.low
    if prose := _PROSE.match(text, field.high):
        if field.name.lower() == "pass" and prose[0].strip().endswith("to"):
            return []  # "to pass to zlib"
        return values.judged(prose.end(), field, False)
    spaced = _SPACE.match(text, field.high)
    if not spaced or "\n" in spaced[0]:
        return []
    at = spaced.end()
    if text[at] in "\"'" and (field.name.isupper() or field.name.lower() == "password"):
        return values.judged(at, field, True)  # SQL: PASSWORD 'x'; build files: password 'x'
    value = text[at : values.unquoted_end(at)][:512]
    if len(value) < 6 or value.lower() == field.name.lower():
        return []
    netrc = "login " in text[max(0, low - 60) : low]
    digits = any(c.isdigit() for c in value)
    symbols = any(c in "!@#$%^&*~+=" for c in value)
    if not (netrc or (digits and (symbols or not value[-1].isdigit() or not value.isalnum()))):
        return []
    return values.judged(at, field, netrc)


def _secret_prose(values: Values, field: Field) -> list[Span]:
    text = values.text
    if prose := _PROSE.match(text, field.high):
        found = values.judged(prose.end(), field, False)
        return [span for span in found if is_random(text[span.start : span.end][:512], 10)]
    spaced = _SPACE.match(text, field.high)
    if not spaced or split_words(field.name)[-1] not in _SPACED:
        return []
    at = spaced.end()
    if not text[at].isalnum() or "\n" in text[at - 2 : at]:
        return []
    end = values.unquoted_end(at)
    value = text[at:end][:512]
    if _VERSION.match(value) or not is_random(value, 16) or is_reference(value):
        return []
    if UUID.fullmatch(value) and field.sense != SECRET:
        return []
    return [Span(at, end, "SECRET", "named-secret-spaced", 1)]
