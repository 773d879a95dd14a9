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
from multiagent_bridge.guard.redaction.assignments import find_assignments
from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.custom import CustomPattern, CustomPatterns, PatternEngine
from multiagent_bridge.guard.redaction.decoding import find_encoded, unbase64, unwrapped
from multiagent_bridge.guard.redaction.formats import rule_table
from multiagent_bridge.guard.redaction.headers import find_headers
from multiagent_bridge.guard.redaction.json_text import rewritten
from multiagent_bridge.guard.redaction.neighbours import find_neighbours
from multiagent_bridge.guard.redaction.pem import find_private_keys
from multiagent_bridge.guard.redaction.places import find_places
from multiagent_bridge.guard.redaction.registry import SeenSecrets
from multiagent_bridge.guard.redaction.scanner import Scanner
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER, Span, merged
from multiagent_bridge.guard.redaction.tokens import (
    cut_short,
    find_completed,
    find_reversed,
    find_split,
    find_tokens,
    layout,
    narrow,
)
from multiagent_bridge.guard.redaction.urls import find_urls

__all__ = ["CustomPattern", "Finding", "PatternEngine", "Redacted", "Redactor", "RuleLine", "Scanner", "SeenSecrets"]


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
    RuleLine("url-password", "PASSWORD_REDACTED", "scheme://user:password@host"),
    RuleLine("url-token", "SECRET_REDACTED", "a random user name in scheme://token@host"),
    RuleLine("bearer", "BEARER_TOKEN_REDACTED", "what follows Bearer"),
    RuleLine("basic-authorization", "BEARER_TOKEN_REDACTED", "what follows Basic and decodes to user:password"),
    RuleLine("authorization", "BEARER_TOKEN_REDACTED", "what follows another scheme in an Authorization field"),
    RuleLine("cookie", "SECRET_REDACTED", "random values in Cookie and Set-Cookie"),
    RuleLine("named-password", "PASSWORD_REDACTED", "a judged value after a password's name"),
    RuleLine("named-secret", "SECRET_REDACTED", "a judged value after a secret's, token's or key's name"),
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


REPEATED_AT_MOST = 32  # different values of one text that are looked for again


class Redactor:
    """Finds and replaces secrets. One instance serves all texts; it keeps nothing of them.

    `custom` are the patterns of `[redaction]`, checked here (`Invalid` names the bad one); `engine` runs those that are
    regular expressions; `scanner` is an optional second opinion whose findings are merged.
    `steps` overrides the budget of one text.
    """

    def __init__(
        self,
        custom: Sequence[CustomPattern] = (),
        *,
        engine: PatternEngine | None = None,
        scanner: Scanner | None = None,
        steps: int | None = None,
    ) -> None:
        self._table = rule_table()
        self._custom = CustomPatterns(custom, engine)
        self._scanner = scanner
        self._steps = steps

    def redact(self, text: str, memory: SeenSecrets | None = None) -> Redacted:
        """`text` with every secret replaced by `<KIND>_REDACTED`.

        `memory` is the conversation's registry: what it has seen is found again, and what is found now is remembered.
        Raises `Refused` when the budget is spent or anything goes wrong: the text must then be withheld.
        """
        spans = self._checked(text, memory)
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

    def _checked(self, text: str, memory: SeenSecrets | None) -> list[Span]:
        try:
            return self._find(text, memory)
        except BridgeError:
            raise
        except Exception as problem:
            raise Refused(
                "the text could not be checked for secrets", "send it in smaller parts and report the failure"
            ) from problem

    def _find(self, text: str, memory: SeenSecrets | None) -> list[Span]:
        budget = Budget(len(text), self._steps)
        bytes_of = narrow(text)
        seen = views.visible(text, bytes_of)
        plain = text
        if seen is not None:
            plain = seen.text
            bytes_of = narrow(plain)
        spans = self._recognise(plain, bytes_of, budget)
        if memory is not None:
            spans += memory.find(plain, budget)
            spans += find_completed(plain, memory.begun, self._table, budget)
        spans = settled(plain, spans)
        if again := repeats(plain, spans, budget):
            spans = settled(plain, [*spans, *again])
        if memory is not None:
            memory.remember(plain, spans)
            memory.note_begun(cut_short(plain, layout(plain, bytes_of).chunks, self._table, spans))
        if seen is not None:
            spans = merged(
                replace(span, start=low, end=high) for span in spans for low, high in (seen.raw(span.start, span.end),)
            )
        return spans

    def _recognise(self, text: str, plain: bytes, budget: Budget) -> list[Span]:
        """Findings of all layers on a text as a reader sees it; `plain` is its narrow form."""
        lower = plain.lower()
        found = layout(text, plain)
        bounds, middles = found.chunks, found.cores
        unfinished: list[tuple[str, int]] = []
        spans = find_tokens(text, bounds, self._table, budget, unfinished, middles)
        spans += find_split(text, unfinished, spans, self._table, budget)
        spans += find_reversed(text, middles, self._table, budget)
        spans += find_private_keys(text, budget)
        spans += find_urls(text, budget)
        spans += find_headers(text, lower, budget)
        spans += find_assignments(text, lower, budget)
        spans += find_places(text, lower, budget)
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
        spans += find_private_keys(text, budget)
        spans += find_urls(text, budget)
        spans += find_assignments(text, plain.lower(), budget)
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
    return [span for span in merged(spans) if span.end > span.start and not _is_placeholder(text, span)]


def _is_placeholder(text: str, span: Span) -> bool:
    value = text[span.start : span.end]
    return "_REDACTED" in value and not any(c.isalnum() for c in PLACEHOLDER.sub("", value))
