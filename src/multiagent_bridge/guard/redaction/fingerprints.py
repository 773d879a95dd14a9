"""Short keyed fingerprints beside placeholders: two agents can tell the same key from another without seeing either.

A fingerprint answers "is it this one?", so whoever can have one made can test guesses. Therefore only a whole key that its
issuer drew at random and in a form of the rule table gets one: nothing there can be guessed. Passwords, values that a name
or a sentence gave away, encodings and parts of keys get none, and a conversation gives out few.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping

from multiagent_bridge.guard.redaction.judge import is_random
from multiagent_bridge.guard.redaction.rules import RuleTable
from multiagent_bridge.guard.redaction.shapes import Runs
from multiagent_bridge.guard.redaction.spans import Span
from multiagent_bridge.guard.redaction.words import looks_like_language

DIGITS = 8
"""Hex digits of a fingerprint: two different keys of a conversation look the same once in four thousand million times."""

ISSUED_AT_MOST = 32
"""Different fingerprints of one conversation; further keys get plain placeholders, so that guesses run out."""

CONVERSATIONS_AT_MOST = 4_096
"""Conversations with fingerprints at a time; none of them is forgotten to make room, which would let guesses begin anew."""

_RANDOM_AT_LEAST = 16
_DIFFERENT_AT_LEAST = 10
_HEX = re.compile(r"[0-9a-fA-F-]+")
_ARMOUR = re.compile(r"-{2,6}[ ]?(?:BEGIN|END)[ A-Z0-9]{0,60}-{2,6}")
_NO_BASE64 = re.compile(r"\\+[nrt]|[^A-Za-z0-9+/=]+")


class Fingerprints:
    """Gives out the fingerprints of one conversation. `key` is derived when the first is needed.

    `issued` is shared by all conversations: what each has given out, by its id.
    """

    __slots__ = ("_conversation", "_issued", "_key")

    def __init__(self, conversation: str, key: Callable[[str], bytes], issued: MutableMapping[str, set[str]]) -> None:
        self._conversation = conversation
        self._key = key
        self._issued = issued

    def mark(self, text: str, span: Span, table: RuleTable) -> str:
        """`[` and eight hex digits and `]` for a key that may have a fingerprint, else nothing.

        HMAC-SHA256 over kind and value: of two keys with different placeholders nothing can be told.
        """
        value = whole_key(text, span, table)
        if value is None:
            return ""
        import hmac  # needed by few, and it brings OpenSSL

        message = f"{span.kind}\0{value}".encode("utf-8", "surrogatepass")
        digits = hmac.digest(self._key(self._conversation), message, "sha256").hex()[:DIGITS]
        return f"[{digits}]" if self._may_issue(digits) else ""

    def _may_issue(self, digits: str) -> bool:
        issued = self._issued.get(self._conversation)
        if issued is None:
            if len(self._issued) >= CONVERSATIONS_AT_MOST:
                return False
            issued = self._issued.setdefault(self._conversation, set())
        if digits not in issued and len(issued) >= ISSUED_AT_MOST:
            return False
        issued.add(digits)
        return True


def whole_key(text: str, span: Span, table: RuleTable) -> str | None:
    """The key that `span` covers in one way of writing it, or None for what must not have a fingerprint."""
    value = text[span.start : span.end]
    if span.kind == "PASSWORD":
        return None
    if span.rule == "private-key":
        body = _NO_BASE64.sub("", _ARMOUR.sub("", value))
        return body if len(_ARMOUR.findall(value)) == 2 and is_random(body[:256], 64) else None
    rule = table.named.get(span.rule)
    if rule is None:
        return None
    at = value.find(rule.parsed.anchor)
    if at < 0 or rule.match(Runs(value), at) != (0, len(value)):
        return None
    body = value[:at] + value[at + len(rule.parsed.anchor) :]
    return value if _was_drawn(body) else None


def _was_drawn(body: str) -> bool:
    """True for characters drawn at random: nobody chose them, and no words are among them."""
    if not is_random(body, _RANDOM_AT_LEAST) or len(set(body)) < _DIFFERENT_AT_LEAST:
        return False
    return _HEX.fullmatch(body) is not None or not looks_like_language("".join(filter(str.isalpha, body)))
