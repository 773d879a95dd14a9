"""Refusals that are rules: a program, its sub-command, its options, the form of its arguments, or a pattern of the whole line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.verdict import Denied

_CONDITIONS = ("verb", "unless_verb", "first", "unless_first", "word", "unless_word", "line", "unless_line")
_LEAST_ABBREVIATION = 4
_MOST_STARS = 6


class Deny:
    """One rule. It meets a program when everything that it names holds.

    `programs` are bare names, `*` at the end for any rest. `subcommand` are words that stand where a sub-command can stand;
    `options` names of options, given whole, abbreviated, bundled or with a value. `words` is a pattern for the program
    and all its arguments: `*` and `?` inside one word, `**` for any number of words. Of the regular
    expressions (built-in rules only), `first` looks at the first argument, `verb` at the first (or `at`) argument that is
    no option, `word` at each argument, `line` at all of them joined by one space; `unless_...` must not hold. `piped`: only
    where a pipe feeds it.
    """

    def __init__(self, entry: Entry) -> None:
        names = entry.words("programs")
        self.entry = entry
        self.rule = entry.text("rule") or f"user.{entry.name}"
        self.names = frozenset(name for name in names if not name.endswith("*"))
        self.prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        self.subcommands = frozenset(entry.words("subcommand"))
        self.options = tuple(entry.words("options"))
        self.at = entry.number("at", 1)
        self.piped = entry.flag("piped")
        self.patterns = {key: found for key in _CONDITIONS if (found := entry.pattern(key))}
        self.whole = _whole(entry)

    @property
    def always(self) -> bool:
        """Whether the rule refuses its programs whatever they are given."""
        return not (self.whole or self.subcommands or self.options or self.patterns or self.piped)

    def meets(self, name: str, texts: Sequence[str], piped: bool = False) -> bool:
        """Whether the rule refuses a program by its bare name, given these arguments."""
        if self.piped and not piped:
            return False
        if self.whole is not None and not self.whole.fullmatch("\0".join((name, *texts))):
            return False
        if (self.names or self.prefixes) and name not in self.names and not name.startswith(self.prefixes or ("\0",)):
            return False
        if self.subcommands and self.subcommands.isdisjoint(_subcommands(texts)):
            return False
        if self.options and not any(_gives(text, option) for option in self.options for text in texts):
            return False
        return not self.patterns or self._forms(texts)

    def _forms(self, texts: Sequence[str]) -> bool:
        verbs = [text for text in texts if not text.startswith("-")][self.at - 1 : self.at]
        seen = {"verb": verbs, "first": [*texts, ""][:1], "word": texts}
        line = " ".join(texts)
        for key, pattern in self.patterns.items():
            wanted = key.removeprefix("unless_")
            if wanted == "line":
                holds = pattern.search(line) is not None
            else:
                if key == "unless_verb" and not verbs:
                    return False
                holds = any(pattern.fullmatch(text) for text in seen[wanted])
            if holds != (wanted == key):
                return False
        return True

    def refusal(self, name: str) -> Denied:
        reason = self.entry.text("reason", "{name} is not run by agents").replace("{name}", name)
        if not self.entry.text("rule"):
            own = self.entry.text("reason")
            reason = f"the rule {self.entry.name} of {self.entry.file} refuses it{': ' if own else ''}{own}"
        return Denied(self.rule, reason)


def _whole(entry: Entry) -> re.Pattern[str] | None:
    """What `words` means for the words joined by NUL. Raises Invalid when it could take long."""
    words = entry.text("words").split()
    if not words:
        return None
    if sum(word.count("*") for word in words if word != "**") > _MOST_STARS or words.count("**") > 2:
        raise entry.wrong(f"has more than {_MOST_STARS} * or two ** in words")
    return re.compile("".join(_word_pattern(word) for word in words).removeprefix("\0"))


def _word_pattern(word: str) -> str:
    if word == "**":
        return "(?:\0[^\0]*)*"
    made = "".join({"*": "[^\0]*", "?": "[^\0]"}.get(c, re.escape(c)) for c in word)
    return f"\0{made}"


def _subcommands(texts: Sequence[str]) -> Iterator[str]:
    """The words that may be the sub-command: the first that is no option, and the next where an option may have taken it."""
    after_option = False
    for text in texts:
        if text.startswith("-"):
            after_option = "=" not in text
            continue
        yield text
        if not after_option:
            return
        after_option = False


def _gives(text: str, option: str) -> bool:
    """Whether an argument gives an option: whole, with a value, abbreviated (`--forc`), bundled (`-xf`), with more hyphens."""
    if not text.startswith("-"):
        return False
    name = text.partition("=")[0]
    if name.lstrip("-") == option.lstrip("-"):
        return True
    if option.startswith("--"):
        return len(name) >= _LEAST_ABBREVIATION and option.startswith(name)
    return len(option) == 2 and not text.startswith("--") and option[1] in name[1:]


@dataclass(frozen=True, slots=True)
class LinePattern:
    rule: str
    reason: str
    pattern: re.Pattern[str]


class Denials:
    """The refusals of one mode; users' rules before the built-in ones, otherwise in the order of the files."""

    def __init__(self, denies: Sequence[Deny], lines: Sequence[LinePattern]) -> None:
        self._lines = tuple(lines)
        self._named: dict[str, list[tuple[int, Deny]]] = {}
        self._other: list[tuple[int, Deny]] = []
        for place, deny in enumerate(denies):
            for name in deny.names:
                self._named.setdefault(name, []).append((place, deny))
            if deny.prefixes or not deny.names:
                self._other.append((place, deny))

    @property
    def names(self) -> frozenset[str]:
        """The programs that some rule names whole."""
        return frozenset(self._named)

    def always(self, name: str) -> bool:
        """Whether a program is refused whatever it is given."""
        return any(deny.always and deny.meets(name, ()) for _, deny in (*self._named.get(name, ()), *self._other))

    def refuse_line(self, command: str) -> None:
        """Raise Denied when a pattern of the unread line holds."""
        for line in self._lines:
            if line.pattern.search(command):
                raise Denied(line.rule, line.reason)

    def refuse(self, name: str, texts: Sequence[str], piped: bool = False) -> None:
        """Raise Denied for the first rule that meets the program with these arguments."""
        for _, deny in sorted((*self._named.get(name, ()), *self._other), key=lambda one: one[0]):
            if deny.meets(name, texts, piped):
                raise deny.refusal(name)
