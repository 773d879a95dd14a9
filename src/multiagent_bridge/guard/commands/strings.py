"""Yolo: arguments and variables that are command lines themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry


@dataclass(frozen=True, slots=True)
class _String:
    """`options` take a line as their value; only when `within` begins it, which is then cut off."""

    options: tuple[str, ...]
    within: re.Pattern[str] | None

    def lines(self, texts: Sequence[str]) -> Iterator[str]:
        for place, text in enumerate(texts[1:], 1):
            value = self._value(text, texts[place + 1] if place + 1 < len(texts) else "")
            if value and self.within:
                found = self.within.match(value)
                value = value[found.end() :] if found else ""
            if value:
                yield value

    def _value(self, text: str, following: str) -> str:
        if text in self.options:
            return following
        for option in self.options:
            if option.startswith("--") and text.startswith(option + "="):
                return text[len(option) + 1 :]
            if len(option) == 2 and option[1] != "-":
                if text.startswith(option):
                    return text[2:].removeprefix("=")
                if text[-1:] == option[1] and text[:1] == "-" and text[1:].isalpha():
                    return following
        return ""


class Strings:
    """The rules that say which arguments of a program, and which variables, hold a command line."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_name: dict[str, list[_String]] = {}
        self.variables = frozenset(name for entry in entries for name in entry.words("variables"))
        for entry in entries:
            string = _String(tuple(entry.words("options")), entry.pattern("within"))
            for name in entry.words("programs"):
                self._by_name.setdefault(name, []).append(string)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def lines(self, name: str, texts: Sequence[str]) -> list[str]:
        """The command lines among the arguments of a program."""
        return [line for string in self._by_name.get(name, ()) for line in string.lines(texts)]
