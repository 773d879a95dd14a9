"""Random values without a form of their own, told by the words beside them: `okta SECRET x`, `nicereply x`, `coda-key-x`."""

from __future__ import annotations

import re
import string

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random, is_reference
from multiagent_bridge.guard.redaction.names import last_words
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span
from multiagent_bridge.guard.redaction.vendors import ORDINARY, VENDORS
from multiagent_bridge.guard.redaction.words import word_set

# What belongs to the core of a random value on either side.
_AFTER = re.compile(r"(?:[.+/=_%-][A-Za-z0-9+/_=%]{1,})*={0,2}")
_ALNUM = string.ascii_letters + string.digits
_FIELD = word_set(
    "key keys secret secrets token tokens access private apikey api_key credential credentials password passwd "
    "pat auth bearer authorization apitoken accesstoken secretkey unseal "
)
_FIELD_ENDS = ("token", "secret", "apikey", "password")
_WEAK = word_set(
    "api app client account user id url host x v the is my our your for to of a project rest web service in env "
)
# Words that say the value is something else.
_OTHER = word_set(
    "id ids sha sha1 sha256 sha384 sha512 md5 commit hash hashes digest etag integrity index tree revision rev "
    "nonce fingerprint image trace span request build artifact version uuid guid checksum public pub blob object "
    "parent merge ref branch tag session cursor src signature sig salt iv h1 ssh rsa peer wallet address txid tx "
    "block size file path test expected want got cache layer "
)
_PUBLIC = frozenset(("encrypted", "public", "pub"))
_DIGIT = re.compile(r"[0-9]")
_PRIVATE_MEMBER = re.compile(r'"(?:d|p|q|dp|dq|qi|k)\\{0,7}"\s{0,4}:\s{0,4}\\{0,7}"\Z')
REACH = 64
KEY_REACH = 4_096


def find_neighbours(text: str, middles: list[tuple[int, int]], budget: Budget) -> list[Span]:
    """Random values right after the name of a service or of a secret. `middles` are the cores of `tokens.cores`."""
    out: list[Span] = []
    at = 0
    for low, high in middles:
        if low < at or text[low:high].isdigit():
            continue
        budget.spend()
        if low and text[low - 1] == "\\" and text[low] in "nrt":
            low += 1  # the letter of an escape
        floor = max(at, low - 40)
        if tail := _AFTER.match(text, high):
            high = tail.end()
        at = high
        while high > low and text[high - 1] in ".-%_/":
            high -= 1
        low = _leftwards(text, floor, low)
        verdict = 2 if _is_private_member(text, low) else _beside(text[max(0, low - REACH) : low])
        if not verdict:
            inner = _glued(text[low : min(high, low + 200)])
            if not inner:
                continue
            low += inner
            verdict = 2
        value = text[low:high]
        if PLACEHOLDER_MARK in value or is_reference(value):
            continue
        if is_random(value, 20 if verdict == 1 else 16) or (verdict == 2 and is_random(value.replace("-", ""), 16)):
            out.append(Span(low, high, "SECRET", "neighbour", 0))
    return out


def _is_private_member(text: str, at: int) -> bool:
    """True for a value of the private part of a JSON Web Key (RFC 7518, section 6)."""
    return (
        text[at - 1 : at] == '"'
        and _PRIVATE_MEMBER.search(text, max(0, at - 24), at) is not None
        and text.find("kty", max(0, at - KEY_REACH), at + KEY_REACH) >= 0
    )


def _leftwards(text: str, floor: int, low: int) -> int:
    """The beginning of a value in groups: groups with a digit in front of its core belong to it."""
    while low > floor + 1 and text[low - 1] in "-_+/." and text[low - 2] in _ALNUM:
        head = text[floor : low - 1]
        group = head[len(head.rstrip(_ALNUM)) :]
        if len(group) > 24 or not _DIGIT.search(group):
            break
        low -= len(group) + 1
    return low


def _beside(head: str) -> int:
    """2 when the words before a value name a secret of a service, 1 when they name a secret or a service alone, else 0."""
    head = head[head.rfind(PLACEHOLDER_MARK) + 1 :] if PLACEHOLDER_MARK in head else head
    tail = head.rstrip(" \t\r\n\"'`=:->()[]{}<,|$@.*\\/&?")
    gap = head[len(tail) :]
    if not tail or len(gap) > 12 or gap.count("\n") > 2:
        return 0
    last = tail[len(tail.rstrip(_ALNUM)) :]
    if last.lower() in _OTHER or last.isdigit():
        return 0
    line = tail[max(tail.rfind("\n") + 1, len(tail) - 48) :]
    words = last_words(line, 3)
    if not words or words[-1] in _OTHER:
        return 0
    final = words[-1]
    field = any(word in _FIELD or word.endswith(_FIELD_ENDS) for word in words)
    vendor = final in VENDORS or "".join(words[-2:]) in VENDORS or "".join(words) in VENDORS
    if not (field or vendor or final in _WEAK):
        return 0
    words = last_words(line, 5)
    if "---" in gap or not _PUBLIC.isdisjoint(words):
        return 0
    names = _names(words)
    if not field:
        return int(vendor or not VENDORS.isdisjoint(names))
    if not VENDORS.isdisjoint(names) or not ORDINARY.isdisjoint(names):
        return 2
    return int(final in _FIELD and (final.upper() in tail or gap.strip(" \t") not in ("", "/", ".")))


def _names(words: list[str]) -> list[str]:
    pairs = ["".join(words[i : i + 2]) for i in range(len(words) - 1)]
    triples = ["".join(words[i : i + 3]) for i in range(len(words) - 2)]
    return [*words, *pairs, *triples]


_TAIL = re.compile(r"[-_.](?=[0-9A-Za-z]{16,}$|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-)")


def _glued(value: str) -> int:
    """Where the random part of `gitter-secret-x` begins, or 0."""
    found = _TAIL.search(value)
    if not found:
        return 0
    return found.end() if _beside(value[: found.start()] + "=") == 2 else 0
