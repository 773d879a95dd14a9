"""Yolo: which operands of a program are removed, and which are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.verdict import Denied

_MODE = re.compile(r"-[rwxXst]+")
_OLD_LETTERS = re.compile(r"[a-zA-Z]{1,8}")
_WHICH = ("", "all", "rest", "last", "but last")


@dataclass(frozen=True, slots=True)
class Touch:
    """One rule: which operands its programs remove or write.

    `removes` and `writes` say all, rest (but the first), last, or but last. `values` are options whose value is no operand,
    `targets` options whose value is written, `prefix` begins an operand that is written (`of=`). `when` must match an
    argument for the rule to hold.
    """

    programs: frozenset[str]
    removes: str
    writes: str
    values: frozenset[str]
    targets: frozenset[str]
    prefix: str
    when: re.Pattern[str] | None

    def holds(self, texts: Sequence[str]) -> bool:
        return self.when is None or any(self.when.fullmatch(text) for text in texts[1:])

    def removed(self, name: str, texts: Sequence[str]) -> list[str]:
        """The operands that are removed; with a target by option, mv takes all of them away."""
        all_move = self.removes == "but last" and any(True for _ in self._targets(texts))
        return _chosen(_operands(name, texts, self.values), "all" if all_move else self.removes)

    def written(self, name: str, texts: Sequence[str]) -> Iterator[str]:
        rest = _operands(name, texts, self.values)
        if self.writes != "last" or len(rest) > 1:
            yield from _chosen(rest, self.writes)
        if self.prefix:
            yield from (text.removeprefix(self.prefix) for text in texts if text.startswith(self.prefix))
        yield from self._targets(texts)

    def _targets(self, texts: Sequence[str]) -> Iterator[str]:
        """The values of the options that name what is written: behind them, glued on, or at the end of bundled letters."""
        for place, text in enumerate(texts[1:], 1):
            following = texts[place + 1 : place + 2]
            name, has_value, value = text.partition("=")
            if text in self.targets:
                yield from following
            elif has_value and name in self.targets:
                yield value
            elif text.startswith("--") or not text.startswith("-"):
                if place == 1 and _OLD_LETTERS.fullmatch(text) and any(f"-{letter}" in self.targets for letter in text):
                    yield from texts[2:]
            elif text[:2] in self.targets:
                yield text[2:]
            elif f"-{text[-1]}" in self.targets:
                yield from following


class Touches:
    """The rules by program."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_name: dict[str, list[Touch]] = {}
        for entry in entries:
            touch = _touch(entry)
            for name in touch.programs:
                self._by_name.setdefault(name, []).append(touch)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def removes(self, name: str, texts: Sequence[str]) -> bool:
        """True for rm with a recursive option and its like."""
        if name == "rm":
            return any(
                re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*", text) or (len(text) > 3 and "--recursive".startswith(text))
                for text in texts[1:]
            )
        return any(touch.removes == "all" for touch in self._by_name.get(name, ()))

    def removed(self, name: str, texts: Sequence[str]) -> Iterator[str]:
        """The operands whose loss may be a disaster. Raises Denied when rm must not spare the root, and for mv to nowhere."""
        if name == "rm":
            if any(len(text) > 4 and "--no-preserve-root".startswith(text) for text in texts):
                raise Denied("yolo.removal", "rm is told not to spare the root")
            if self.removes(name, texts):
                yield from _operands(name, texts, frozenset())
            return
        for touch in self._by_name.get(name, ()):
            if touch.removes and touch.holds(texts):
                if name == "mv" and _operands(name, texts, touch.values)[-1:] == ["/dev/null"]:
                    raise Denied("yolo.removal", "what is moved to /dev/null is gone")
                harmless = {"rest": (".", "./"), "but last": ("*", "./*")}.get(touch.removes, ())
                yield from (text for text in touch.removed(name, texts) if text not in harmless)

    def written(self, name: str, texts: Sequence[str]) -> Iterator[str]:
        """The operands that a program writes."""
        for touch in self._by_name.get(name, ()):
            if touch.holds(texts):
                yield from touch.written(name, texts)


def _touch(entry: Entry) -> Touch:
    for key in ("removes", "writes"):
        if entry.text(key) not in _WHICH:
            raise entry.wrong(f"has a {key} that is none of {', '.join(_WHICH[1:])}")
    return Touch(
        programs=frozenset(entry.words("programs")),
        removes=entry.text("removes"),
        writes=entry.text("writes"),
        values=frozenset(entry.words("values")),
        targets=frozenset(entry.words("targets")),
        prefix=entry.text("prefix"),
        when=entry.pattern("when"),
    )


def _chosen(operands: list[str], which: str) -> list[str]:
    return {"": [], "all": operands, "rest": operands[1:], "last": operands[-1:], "but last": operands[:-1]}[which]


def _operands(name: str, texts: Sequence[str], values: frozenset[str]) -> list[str]:
    # chmod takes a mode that looks like an option
    found: list[str] = [text for text in texts[1:] if name == "chmod" and _MODE.fullmatch(text)]
    skip = plain = False
    for text in texts[1:]:
        if skip:
            skip = False
        elif plain or not text.startswith("-") or text == "-":
            found.append(text)
        elif text == "--":
            plain = True
        else:
            skip = text in values
    return found
