"""The redactor: the one function that every text passes before it is stored, logged, indexed or delivered (SPEC section 4).

It replaces values and leaves the rest: key names, quotes and brackets stay, JSON stays the same JSON, a second pass changes
nothing, and marks such as `gitleaks:allow` in the text have no effect. When it cannot finish it raises, so that
the caller withholds the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Refused
from multiagent_bridge.guard.redaction import views
from multiagent_bridge.guard.redaction.assignments import find_assignments, keyed
from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.custom import CustomPattern, CustomPatterns, PatternEngine
from multiagent_bridge.guard.redaction.decoding import find_encoded, unbase64, unwrapped
from multiagent_bridge.guard.redaction.fingerprints import Fingerprints
from multiagent_bridge.guard.redaction.formats import rule_table
from multiagent_bridge.guard.redaction.headers import find_headers
from multiagent_bridge.guard.redaction.json_text import rewritten
from multiagent_bridge.guard.redaction.neighbours import find_neighbours
from multiagent_bridge.guard.redaction.pem import find_private_keys
from multiagent_bridge.guard.redaction.places import find_aws_secrets, find_places
from multiagent_bridge.guard.redaction.registry import SeenSecrets
from multiagent_bridge.guard.redaction.scanner import Scanner
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER, Span, merged
from multiagent_bridge.guard.redaction.tokens import (
    Layout,
    cut_short,
    find_completed,
    find_reversed,
    find_split,
    find_tokens,
    layout,
    narrow,
)
from multiagent_bridge.guard.redaction.urls import find_urls

__all__ = [
    "CustomPattern",
    "Finding",
    "Fingerprints",
    "PatternEngine",
    "Redacted",
    "Redactor",
    "RuleLine",
    "Scanner",
    "SeenSecrets",
]


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text that may be stored. `kinds` are placeholder names without `_REDACTED`, in order of first appearance."""

    text: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Which rule found a secret and where (characters `start` to `end` of the text as given); never its value."""

    rule: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule for people: its name, the placeholder it writes, and its shape or a sentence about it."""

    name: str
    placeholder: str
    shape: str


# Recognisers that are code instead of rows of the table, for `mab redact --rules`.
_IN_CODE = (
    RuleLine(
        "private-key", "PRIVATE_KEY_REDACTED", "PEM, OpenSSH and PGP private keys: truncated, quoted, indented, escaped"
    ),
    RuleLine("putty-private-key", "PRIVATE_KEY_REDACTED", "the private lines of a PuTTY key file"),
    RuleLine("aws-secret-key", "AWS_KEY_REDACTED", "40 random characters right behind an AWS key id"),
    RuleLine("facebook-app-token", "FACEBOOK_TOKEN_REDACTED", "15 or 16 digits, a bar and 27 characters"),
    RuleLine(
        "discord-token-shape", "DISCORD_TOKEN_REDACTED", "three parts set apart by dots, the first from M, N or O on"
    ),
    RuleLine("mailgun-key-shape", "MAILGUN_KEY_REDACTED", "32, 8 and 8 hex digits set apart by hyphens"),
    RuleLine("truenas-key-shape", "TRUENAS_KEY_REDACTED", "a number, a hyphen and 64 letters and digits"),
    RuleLine("tableau-token-shape", "TABLEAU_TOKEN_REDACTED", "base64 of 16 bytes, a colon and 32 letters and digits"),
    RuleLine("url-password", "PASSWORD_REDACTED", "scheme://user:password@host"),
    RuleLine("url-token", "SECRET_REDACTED", "a random user name in scheme://token@host"),
    RuleLine("bearer", "BEARER_TOKEN_REDACTED", "what follows Bearer"),
    RuleLine("basic-authorization", "BEARER_TOKEN_REDACTED", "what follows Basic and decodes to user:password"),
    RuleLine("authorization", "BEARER_TOKEN_REDACTED", "what follows another scheme in an Authorization field"),
    RuleLine("signed-request", "SECRET_REDACTED", "response and signature of an Authorization field with parameters"),
    RuleLine("cookie", "SECRET_REDACTED", "random values in Cookie, Set-Cookie and cookie files"),
    RuleLine("named-password", "PASSWORD_REDACTED", "a judged value after a password's name"),
    RuleLine("named-secret", "SECRET_REDACTED", "a judged value after a secret's, token's or key's name"),
    RuleLine("named-secret-spaced", "SECRET_REDACTED", "a random value right behind the word for it"),
    RuleLine("named-key", "API_KEY_REDACTED", "a random value after a bare `key`"),
    RuleLine("curl-user", "PASSWORD_REDACTED", "user:password of curl -u"),
    RuleLine(
        "password-flag", "PASSWORD_REDACTED", "sshpass -p, docker login -p, mysql -p, redis-cli -a, ldapsearch -w"
    ),
    RuleLine("credential-call", "PASSWORD_REDACTED", "the password given to a credential constructor"),
    RuleLine("kubernetes-secret", "SECRET_REDACTED", "data of a Kubernetes Secret manifest"),
    RuleLine("neighbour", "SECRET_REDACTED", "a random value beside the name of a service or of a secret"),
    RuleLine("repeated", "SECRET_REDACTED", "a value named elsewhere in the same text"),
    RuleLine("seen", "SECRET_REDACTED", "a secret this conversation has seen, whole, in part or encoded"),
)


LITERALS_WITHIN = 2  # JSON in a leaf of JSON
REPEATED_AT_MOST = 32  # different values of one text that are looked for again


class Redactor:
    """Finds and replaces secrets. One instance serves all texts; it keeps nothing of them.

    `custom` are the patterns of `[redaction]`, checked here (`Invalid` names the bad one); `engine` runs those that are
    regular expressions; `scanner` is an optional second opinion whose findings are merged.
    `steps` overrides the budget of one text. With `fingerprints` the placeholder of a recognised key is followed by its
    fingerprint in texts of a conversation (`redaction/fingerprints.py`).
    """

    def __init__(
        self,
        custom: Sequence[CustomPattern] = (),
        *,
        engine: PatternEngine | None = None,
        scanner: Scanner | None = None,
        steps: int | None = None,
        fingerprints: bool = False,
    ) -> None:
        self._table = rule_table()
        self._custom = CustomPatterns(custom, engine)
        self._scanner = scanner
        self._steps = steps
        self._fingerprints = fingerprints

    def redact(self, text: str, memory: SeenSecrets | None = None) -> Redacted:
        """`text` with every secret replaced by `<KIND>_REDACTED`.

        `memory` is the conversation's registry: what it has seen is found again, and what is found now is remembered.
        Raises `Refused` when the budget is spent or anything goes wrong: the text must then be withheld.
        """
        spans = self._checked(text, memory, memory.fingerprints if memory is not None and self._fingerprints else None)
        if not spans:
            return Redacted(text, ())
        kinds = tuple(dict.fromkeys(span.kind for span in spans))
        return Redacted(rewritten(text, spans), kinds)

    def explain(self, text: str, memory: SeenSecrets | None = None) -> list[Finding]:
        """What `redact` would replace and why, in order. Raises as `redact` does."""
        return [Finding(span.rule, span.kind, span.start, span.end) for span in self._checked(text, memory)]

    def rules(self) -> list[RuleLine]:
        """Every rule in use, custom ones last."""
        table = [RuleLine(rule.name, f"{rule.kind}_REDACTED", rule.shape) for rule in self._table.rules]
        return [*table, *_IN_CODE, *(RuleLine(*line) for line in self._custom.lines())]

    def _checked(self, text: str, memory: SeenSecrets | None, fingerprints: Fingerprints | None = None) -> list[Span]:
        try:
            return self._find(text, memory, fingerprints)
        except BridgeError:
            raise
        except Exception as problem:
            raise Refused(
                "the text could not be checked for secrets", "send it in smaller parts and report the failure"
            ) from problem

    def _find(self, text: str, memory: SeenSecrets | None, fingerprints: Fingerprints | None) -> list[Span]:
        budget = Budget(len(text), self._steps)
        bytes_of = narrow(text)
        plain, seen = views.visible(text, bytes_of)
        if plain is not text:
            bytes_of = narrow(plain)
        found = layout(plain, bytes_of)
        spans = self._recognise(plain, bytes_of, found, budget)
        spans += self._meant(plain, budget, LITERALS_WITHIN)
        if memory is not None:
            spans += memory.find(plain, budget)
            spans += find_completed(plain, memory.begun, self._table, budget)
        spans = settled(plain, spans)
        if again := repeats(plain, spans, budget):
            spans = settled(plain, [*spans, *again])
        if memory is not None:
            memory.remember(plain, spans)
            memory.note_begun(cut_short(plain, found.chunks, self._table, spans))
        if fingerprints is not None:
            spans = [replace(span, mark=fingerprints.mark(plain, span, self._table)) for span in spans]
        if seen is not None:
            spans = merged(
                replace(span, start=low, end=high) for span in spans for low, high in (seen.raw(span.start, span.end),)
            )
        return spans

    def _meant(self, text: str, budget: Budget, within: int) -> list[Span]:
        """Findings in what string literals with escapes mean: the leaves and keys of JSON, and of JSON in them."""
        view = views.literals(text, budget)
        if view is None:
            return []
        plain, seen = views.visible(view.text, narrow(view.text))
        bytes_of = narrow(plain)
        spans = self._recognise(plain, bytes_of, layout(plain, bytes_of), budget)
        if within > 1:
            spans += self._meant(plain, budget, within - 1)
        for other in filter(None, (seen, view)):
            spans = [replace(s, start=low, end=high) for s in spans for low, high in (other.raw(s.start, s.end),)]
        return spans

    def _recognise(self, text: str, plain: bytes, found: Layout, budget: Budget) -> list[Span]:
        """Findings of all layers on a text as a reader sees it; `plain` is its narrow form, `found` its layout."""
        lower = plain.lower()
        bounds, middles = found.chunks, found.cores
        unfinished: list[tuple[str, int]] = []
        spans = find_tokens(text, bounds, self._table, budget, unfinished, middles)
        spans += find_aws_secrets(text, spans, budget)
        spans += find_split(text, unfinished, spans, self._table, budget)
        spans += find_reversed(text, middles, self._table, budget)
        names = keyed(text, lower)
        spans += find_private_keys(text, names.stems.get(b"key", ()), budget)
        spans += find_urls(text, budget)
        spans += find_headers(text, lower, budget)
        spans += find_assignments(text, names, budget)
        spans += find_places(text, lower, names.stems, budget)
        spans += find_neighbours(text, middles, budget)
        spans += self._custom.find(text, budget)
        spans += find_encoded(text, bounds, lambda inner: self._plain(inner, budget), budget)
        spans += self._blocks(text, bounds, budget)
        for other in (views.unescaped(text, budget), views.gapless(text, found.classes)):
            if other is not None:
                for span in self._plain(other.text, budget):
                    start, end = other.raw(span.start, span.end)
                    spans.append(replace(span, start=start, end=end))
        if self._scanner is not None:
            spans += self._scanner.find(text)
        return spans

    def _plain(self, text: str, budget: Budget) -> list[Span]:
        """Findings in a decoded or unescaped text: formats, private keys, URLs, named values; no further views."""
        plain = narrow(text)
        spans = find_tokens(text, layout(text, plain).chunks, self._table, budget)
        names = keyed(text, plain.lower())
        spans += find_private_keys(text, names.stems.get(b"key", ()), budget)
        spans += find_urls(text, budget)
        spans += find_assignments(text, names, budget)
        return spans

    def _blocks(self, text: str, bounds: list[tuple[int, int]], budget: Budget) -> list[Span]:
        out: list[Span] = []
        for start, end in views.encodings(text, bounds):
            plain = unbase64(unwrapped(text, start, end))
            if plain is None:
                continue
            budget.spend(1 + len(plain) // 64)
            if found := self._plain(plain, budget):
                out.append(Span(start, end, found[0].kind, f"encoded-{found[0].rule}"))
        return out


_QUOTES = frozenset("\"'`")


def repeats(text: str, spans: list[Span], budget: Budget) -> list[Span]:
    """Further occurrences of values that only their names gave away: `login s3cret! ... password: s3cret!`."""
    values: dict[str, Span] = {}
    for span in spans:
        value = text[span.start : span.end]
        if span.weight < 3 and 8 <= len(value) <= 256 and value not in values and not value.isalpha():
            values[value] = span
    out: list[Span] = []
    for value, span in list(values.items())[:REPEATED_AT_MOST]:
        at = text.find(value)
        while at >= 0:
            budget.spend()
            end = at + len(value)
            alone = not (at and text[at - 1].isalnum()) and not text[end : end + 1].isalnum()
            if alone and at != span.start:
                out.append(replace(span, start=at, end=end, rule="repeated"))
            at = text.find(value, end)
    return out


def settled(text: str, spans: list[Span]) -> list[Span]:
    """Merged findings without those that are nothing but placeholders of an earlier pass."""
    return [span for span in merged(_unescaping(text, span) for span in spans) if not _is_placeholder(text, span)]


def _unescaping(text: str, span: Span) -> Span:
    """The span without the backslashes at its end that belong to the quote behind it."""
    end = span.end
    if text[end : end + 1] in _QUOTES:
        while end > span.start and text[end - 1] == "\\":
            end -= 1
    return span if end == span.end else replace(span, end=end)


def _is_placeholder(text: str, span: Span) -> bool:
    value = text[span.start : span.end]
    return "_REDACTED" in value and not any(c.isalnum() for c in PLACEHOLDER.sub("", value))
