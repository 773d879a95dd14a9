"""Patterns of the `[redaction]` settings: declarative ones always, regular expressions only through a linear engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from multiagent_bridge.errors import BridgeError, Invalid
from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.shapes import Runs, Shape
from multiagent_bridge.guard.redaction.spans import Span

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KIND = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
PATTERNS_AT_MOST = 200
EXPRESSION_AT_MOST = 1_000  # characters of one regular expression


@dataclass(frozen=True, slots=True)
class CustomPattern:
    """One pattern of `[redaction]`: exactly one of `words`, `shape` and `regex`.

    `words` are literal values; `shape` is the mini language of the rule table (`shapes.py`), for example
    `acme_{b32}`; `regex` needs the extra `[re2]`. `matches` and `ignores` are examples checked when it is loaded;
    a shape or expression needs at least one that matches. `kind` becomes the placeholder `<KIND>_REDACTED`.
    """

    name: str
    kind: str = "SECRET"
    words: tuple[str, ...] = ()
    shape: str = ""
    regex: str = ""
    matches: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()


class PatternEngine(Protocol):
    """A regular expression engine whose time is linear in the text (RE2), with its memory capped.

    `compile` raises `Invalid` for what it refuses; the function it returns gives start and end of every match,
    and raises when it ran out of memory instead of answering nothing.
    """

    def compile(self, name: str, regex: str) -> Finder: ...


class Finder(Protocol):
    def __call__(self, text: str) -> list[tuple[int, int]]: ...


class CustomPatterns:
    """All patterns of the settings, checked. Raises `Invalid` naming the pattern and what is wrong with it."""

    __slots__ = ("_finders", "_patterns", "_shapes", "_words")

    def __init__(self, patterns: Sequence[CustomPattern], engine: PatternEngine | None) -> None:
        if len(patterns) > PATTERNS_AT_MOST:
            raise Invalid("there are too many redaction patterns", f"at most {PATTERNS_AT_MOST}")
        self._patterns = tuple(patterns)
        self._words: list[tuple[str, CustomPattern]] = []
        self._shapes: list[tuple[Shape, CustomPattern]] = []
        self._finders: list[tuple[Finder, CustomPattern]] = []
        names: set[str] = set()
        for pattern in patterns:
            if not _NAME.fullmatch(pattern.name) or pattern.name in names:
                raise Invalid(
                    f"a redaction pattern has the bad or repeated name {pattern.name[:64]!r}",
                    "small letters, digits, hyphens",
                )
            names.add(pattern.name)
            self._load(pattern, engine)
            self._try_examples(pattern)

    def _load(self, pattern: CustomPattern, engine: PatternEngine | None) -> None:
        def bad(why: str) -> Invalid:
            return Invalid(f"redaction pattern {pattern.name!r} cannot be used", why)

        if not _KIND.fullmatch(pattern.kind) or pattern.kind.endswith("_REDACTED"):
            raise bad("its kind is not made of capitals, digits and underscores")
        if (bool(pattern.words) + bool(pattern.shape) + bool(pattern.regex)) != 1:
            raise bad("give exactly one of words, shape and regex")
        if not pattern.words and not pattern.matches:
            raise bad("give at least one example that matches")
        if pattern.words:
            if any(len(word) < 4 or word.isspace() for word in pattern.words):
                raise bad("words shorter than four characters would change ordinary text")
            self._words += [(word, pattern) for word in pattern.words]
        elif pattern.shape:
            try:
                self._shapes.append((Shape.parse(pattern.shape), pattern))
            except ValueError as problem:
                raise bad(str(problem)) from problem
        elif engine is None:
            raise bad("regular expressions need the extra [re2]")
        elif len(pattern.regex) > EXPRESSION_AT_MOST:
            raise bad(f"the expression is longer than {EXPRESSION_AT_MOST} characters")
        else:
            self._finders.append((engine.compile(pattern.name, pattern.regex), pattern))

    def _try_examples(self, pattern: CustomPattern) -> None:
        for examples, wanted in ((pattern.matches, True), (pattern.ignores, False)):
            for example in examples:
                try:
                    found = any(span.rule == pattern.name for span in self.find(example, Budget(len(example))))
                except BridgeError:
                    raise
                except Exception as problem:
                    raise Invalid(
                        f"redaction pattern {pattern.name!r} failed on its own example", str(problem)
                    ) from problem
                if found != wanted:
                    verb = "does not match an example it should" if wanted else "matches an example it should not"
                    raise Invalid(f"redaction pattern {pattern.name!r} {verb}", "correct the pattern or the example")

    def find(self, text: str, budget: Budget) -> list[Span]:
        """Everything in `text` that a custom pattern names."""
        out: list[Span] = []
        for word, pattern in self._words:
            at = text.find(word)
            while at >= 0:
                budget.spend()
                out.append(Span(at, at + len(word), pattern.kind, pattern.name, 4))
                at = text.find(word, at + len(word))
        if self._shapes:
            runs = Runs(text)
            for shape, pattern in self._shapes:
                out += [Span(*found, pattern.kind, pattern.name, 4) for found in _matches(shape, runs, budget)]
        for finder, pattern in self._finders:
            found_spans = finder(text)
            budget.spend(len(found_spans))
            out += [Span(low, high, pattern.kind, pattern.name, 4) for low, high in found_spans if high > low]
        return out

    def lines(self) -> list[tuple[str, str, str]]:
        """Name, placeholder and form of every pattern; words are secrets and are not shown."""
        return [(p.name, f"{p.kind}_REDACTED", p.shape or p.regex or f"{len(p.words)} words") for p in self._patterns]


def _matches(shape: Shape, runs: Runs, budget: Budget) -> Iterator[tuple[int, int]]:
    at = runs.text.find(shape.anchor)
    while at >= 0:
        budget.spend()
        found = shape.match(runs, at)
        if found:
            yield found
        at = runs.text.find(shape.anchor, max(at + 1, found[1] if found else 0))
