"""Rules as data: one line a published token format, checked when the table is loaded.

A rule carries an example that matches and one that does not, both written without the anchor literal (`hit` and `miss`
continue after it), so that no complete key, not even an invented one, stands in the source.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.redaction.shapes import ALPHABETS, BASE62, Runs, Shape

_KIND = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
NEEDS = ("", "digit", "mixed", "crc")


@dataclass(frozen=True)
class Rule:
    """One token format.

    `kind` names the placeholder without `_REDACTED`; `shape` is read by `shapes.Shape`; `needs` asks more of the token:
    "digit" one digit, "mixed" a digit, a capital and a small letter; "crc" says that 36 characters end with the base62 CRC-32
    of GitHub and npm, so that a token that runs into other text is cut at the right place.
    `before` is what an example needs in front of its anchor.
    """

    name: str
    kind: str
    shape: str
    hit: str
    miss: str
    needs: str = ""
    before: str = ""
    glued: bool | None = None
    parsed: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            shape = Shape.parse(self.shape)
        except ValueError as problem:
            raise Invalid(f"redaction rule {self.name!r} cannot be read", str(problem)) from problem
        if not _KIND.fullmatch(self.kind) or self.kind.endswith("_REDACTED"):
            raise Invalid(
                f"redaction rule {self.name!r} has the bad kind {self.kind!r}", "capitals, digits, underscores"
            )
        if self.needs not in NEEDS:
            raise Invalid(f"redaction rule {self.name!r} needs something unknown", f"one of {', '.join(NEEDS[1:])}")
        object.__setattr__(self, "parsed", shape)
        self._check_examples()

    def _check_examples(self) -> None:
        anchor = self.parsed.anchor
        for tail, wanted in ((self.hit, True), (self.miss, False)):
            text = f"{self.before}{anchor}{tail}"
            at = len(self.before)
            found = self.match(Runs(text), at)
            if wanted and found != (0, len(text)):
                raise Invalid(f"redaction rule {self.name!r} does not match its own example", "correct the rule")
            if not wanted and found is not None:
                raise Invalid(f"redaction rule {self.name!r} matches its counter-example", "correct the rule")

    @cached_property
    def may_be_glued(self) -> bool:
        """True when the anchor is distinctive enough to count in the middle of a word."""
        if self.glued is not None:
            return self.glued
        anchor = self.parsed.anchor
        return len(anchor) >= 4 and anchor[-1] in "_-.:~/=" and self.parsed.lead is None

    def match(self, runs: Runs, at: int) -> tuple[int, int] | None:
        """Start and end of a token whose anchor stands at `at`, boundaries and needs included, or None."""
        found = self.parsed.match(runs, at)
        if found is None:
            return None
        start, end = found
        text = runs.text
        body = set(text[start + len(self.parsed.anchor) : min(end, start + 64)])
        if len(body) < 4 and body <= _MASKS:
            return None
        if self.needs in ("digit", "mixed") and not _has(
            text[start : min(end, start + 256)], self.needs, self.parsed.anchor
        ):
            return None
        if start and text[start - 1] in _ALNUM and not after_escape(text, start) and not self.may_be_glued:
            return None
        exact = start + len(self.parsed.anchor) + _CRC_LENGTH
        if self.needs == "crc" and end > exact and checksum_holds(text[start:exact]):
            end = exact
        return start, end


_MASKS = frozenset("xX0.*_-")  # what people write over a key
_CRC_LENGTH = 36
_ALNUM = frozenset(BASE62)
_ESCAPED = re.compile(
    r"(?:\\[abfnrtv0]|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}|\x1b\[[0-9;]{0,5}[A-Za-z])\Z"
)


def after_escape(text: str, at: int) -> bool:
    r"""True when the characters before `at` are the end of an escape (`\n`, `\u003d`, `%3D`, a colour), not of a word."""
    low = max(0, at - 8)
    return _ESCAPED.search(text[low:at]) is not None


def _has(token: str, needs: str, anchor: str) -> bool:
    body = token.replace(anchor, "", 1)
    digit = any(c.isdigit() for c in body)
    if needs == "digit":
        return digit
    return digit and not body.isupper() and not body.islower()


def checksum_holds(token: str) -> bool:
    """True when the last six characters are the base62 CRC-32 of the rest after the prefix (GitHub's and npm's form)."""
    body = token.partition("_")[2]
    if len(body) < 30:
        return False
    number = zlib.crc32(body[:-6].encode("ascii", "replace"))
    digits = ""
    order = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = order[rest] + digits
    return digits == body[-6:]


_SEPARATOR = re.compile(r"[_.~=-]")
GLUED_AT_MOST = 8
GLUED_TAIL = 3


class RuleTable:
    """All rules by anchor, with one compiled search for the anchors' shortest heads."""

    __slots__ = (
        "_by_head",
        "_by_led_head",
        "_search",
        "begins",
        "glued",
        "glued_reaches",
        "named",
        "rules",
        "search_led",
    )

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Sequence[Rule] = tuple(rules)
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise Invalid(f"redaction rule {twice[0]!r} is given twice", "rule names are unique")
        self.named = {rule.name: rule for rule in self.rules}
        self._by_head = _by_head([rule for rule in self.rules if rule.parsed.lead is None])
        self._by_led_head = _by_head([rule for rule in self.rules if rule.parsed.lead is not None])
        trie = _trie([(head, _ahead(head, rules)) for head, rules in self._by_head.items()])
        # Group 1 is the head. The character before it is read, not looked behind at: the search then skips to such characters.
        self._search = re.compile(f"[^A-Za-z0-9]({trie})").search
        self.begins = re.compile(f"({trie})").match
        # Anchors in the middle of a token: no boundary stands before them.
        self.search_led = re.compile(
            _trie([(head, _ahead(head, rules)) for head, rules in self._by_led_head.items()])
        ).search
        # Heads that may stand inside a word, by their beginning up to the first separator.
        self.glued: dict[str, list[str]] = {}
        for head, rules in self._by_head.items():
            cut = _SEPARATOR.search(head)
            if cut and 2 < cut.end() <= GLUED_AT_MOST and any(rule.may_be_glued for rule in rules):
                self.glued.setdefault(head[: cut.end()], []).append(head)
        # How far before its last character each may begin, by its last characters.
        self.glued_reaches: dict[str, set[int]] = {}
        for beginning in self.glued:
            self.glued_reaches.setdefault(beginning[-GLUED_TAIL:], set()).add(len(beginning) - 1)

    def search(self, text: str, at: int, end: int) -> re.Match[str] | None:
        """The first head (group 1) at or behind `at` that no letter or digit stands before."""
        if at:
            return self._search(text, at - 1, end)
        return self.begins(text, 0, end) or self._search(text, 0, end)

    def match(self, runs: Runs, head: str, at: int, led: bool = False) -> tuple[Rule, int, int] | None:
        """The first rule that accepts a token whose anchor begins with `head` at `at`: longest anchors first."""
        text = runs.text
        for rule in (self._by_led_head if led else self._by_head)[head]:
            if text.startswith(rule.parsed.anchor, at):
                found = rule.match(runs, at)
                if found:
                    return rule, *found
        return None


def _by_head(rules: Sequence[Rule]) -> dict[str, tuple[Rule, ...]]:
    """Rules by the shortest anchor that begins theirs. In order of the alphabet it comes right before all it begins."""
    groups: dict[str, list[Rule]] = {}
    head = ""
    for rule in sorted(rules, key=lambda rule: rule.parsed.anchor):
        if not (head and rule.parsed.anchor.startswith(head)):
            head = rule.parsed.anchor
        groups.setdefault(head, []).append(rule)
    return {head: tuple(sorted(group, key=lambda rule: -len(rule.parsed.anchor))) for head, group in groups.items()}


def _ahead(head: str, rules: Sequence[Rule]) -> str:
    """What must follow a short head, so that the many places in ordinary text where it stands cost nothing."""
    shapes = {(rule.parsed.anchor, rule.parsed.rest[0] if rule.parsed.rest else None) for rule in rules}
    anchor, part = next(iter(shapes))
    if len(shapes) > 1 or anchor != head or part is None or not part.alphabet or len(head) > 3:
        return ""
    return f"(?=[{re.escape(ALPHABETS[part.alphabet])}]{{{min(part.least, 8)}}})"


def _trie(words: Sequence[tuple[str, str]]) -> str:
    """A regular expression of the words with what must follow each, factored by common beginnings; no word begins another."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for word, ahead in words:
        groups.setdefault(word[0], []).append((word[1:], ahead))
    out: list[str] = []
    for first, rests in sorted(groups.items()):
        if len(rests) == 1:
            out.append(re.escape(first + rests[0][0]) + rests[0][1])
        else:
            out.append(f"{re.escape(first)}(?:{_trie(rests)})")
    return "|".join(out)
