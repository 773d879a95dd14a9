"""Programs that run another program: how to find the inner one in their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.words import Text

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """`values`: options that take the next word. `operands`: words of its own before the program's name.

    `run`: the sub-commands (run, exec) that run one, and nothing else does. `line`: a word with blanks is a line.
    """

    values: frozenset[str]
    operands: int
    run: frozenset[str]
    line: bool


class Wrappers:
    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_name = {
            name: Wrapper(
                frozenset(entry.words("values")),
                entry.number("operands"),
                frozenset(entry.words("run")),
                entry.flag("line"),
            )
            for entry in entries
            for name in entry.words("programs")
        }
        self.names = frozenset(self._by_name)

    def takes_line(self, name: str) -> bool:
        return self._by_name[name].line

    def inner_words(self, name: str, words: Sequence[Text]) -> tuple[list[Text], list[list[Text]]]:
        """The words of the program that `name` runs (none when it runs none), and where else they might begin."""
        wrapper = self._by_name[name]
        at, operands = 1, wrapper.operands
        skipped: list[list[Text]] = []
        if wrapper.run:
            at = next((place + 1 for place, word in enumerate(words) if word.text in wrapper.run), len(words))
        while at < len(words):
            text = words[at].text
            if name == "command" and text in ("-v", "-V"):
                return [], []
            if text == "--" or (name == "env" and text == "-"):
                at += 1
            elif text.startswith("-") and len(text) > 1:
                bundled = len(text) > 2 and text[1] != "-" and f"-{text[-1]}" in wrapper.values
                if text in wrapper.values or bundled:
                    skipped += [list(words[at + 1 :])] if words[at + 1 :] else []
                    at += 1
                at += 1
            elif name == "env" and _ASSIGNMENT.match(text):
                at += 1
            elif operands:
                operands -= 1
                at += 1
            else:
                break
        return list(words[at:]), skipped
