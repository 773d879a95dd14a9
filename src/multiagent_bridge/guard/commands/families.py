"""Programs whose first words decide how the rest is judged: sub-commands, scripts and modules of interpreters, tests of find."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from multiagent_bridge.guard.commands.kinds import Flags
from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.paths import inside, pattern_inside
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied


class Row(Protocol):
    """What judges the arguments of one program (its name not among them). Raises Denied."""

    def judge(self, words: Sequence[Word], workspace: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Family:
    """A program with sub-commands: options accepted before them, and a row for each.

    `alone`: words accepted when nothing else is given. `skip`: a first word that is passed over (a tool chain of cargo).
    """

    name: str
    before: Program
    rows: Mapping[str, Program]
    alone: frozenset[str]
    skip: re.Pattern[str] | None = None

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        if len(words) == 1 and words[0].text in self.alone:
            return
        if self.skip and words and self.skip.fullmatch(words[0].text):
            words = words[1:]
        given = self.before.judge(words, workspace)
        if given.dashed >= 0:
            raise Denied(f"{self.name}.option", f"-- stands before the sub-command of {self.name}")
        if not given.operands:
            raise Denied(f"{self.name}.subcommand", f"{self.name} needs a sub-command")
        first = given.operands[0]
        row = self.rows.get(first.text)
        if row is None or not first.bare:
            raise Denied(
                f"{self.name}.subcommand", f"{self.name} {first.text} is not among the sub-commands of this mode"
            )
        row.judge(given.operands[1:], workspace, self.name)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A script of the workspace with arguments that stay inside it, a module of the list, or a first option with its own row."""

    language: str
    before: Program
    script: Program
    arguments: Program
    alone: frozenset[str]
    modules: Mapping[str, Row]
    first: Mapping[str, Row]

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        texts = [word.text for word in words]
        if len(texts) == 1 and texts[0] in self.alone:
            return
        if self.modules and "-m" in texts and all(text.startswith("-") for text in texts[: texts.index("-m")]):
            self._module(words, texts.index("-m"), workspace)
        elif texts and (row := self.first.get(texts[0])):
            row.judge(words, workspace)
        else:
            self._script(self.before.judge(words, workspace), workspace)

    def _module(self, words: Sequence[Word], at: int, workspace: str) -> None:
        self.before.judge(words[:at], workspace)
        module = self.modules.get(words[at + 1].text) if at + 1 < len(words) else None
        if module is None:
            raise Denied(f"{self.language}.module", f"of modules only {', '.join(self.modules)} are accepted")
        module.judge(words[at + 2 :], workspace)

    def _script(self, given: Given, workspace: str) -> None:
        if not given.operands or given.dashed >= 0:
            raise Denied("interpreter.script", "an interpreter without a script runs what it is fed")
        self.script.judge(given.operands[:1], workspace)
        self.arguments.judge(given.operands[1:], workspace)


_STARTS_NO_PATH = frozenset({"(", ")", "!", ","})


@dataclass(frozen=True, slots=True)
class Expression:
    """find: start paths, then tests; what is no test of the list is refused (-exec, -ok, -delete, -fprint, -fls)."""

    name: str
    before: frozenset[str]
    tests: Flags

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        queue = list(reversed(words))
        while queue and queue[-1].text in self.before:
            queue.pop()
        while queue and not queue[-1].text.startswith("-") and queue[-1].text not in _STARTS_NO_PATH:
            word = queue.pop()
            inside(word.text, workspace)
            if word.glob:
                pattern_inside(word.text)
        while queue:
            self._test(queue.pop(), queue, workspace)

    def _test(self, word: Word, queue: list[Word], workspace: str) -> None:
        if word.glob:
            raise Denied("shell.glob", f"a pattern stands in a test of {self.name}; quote it")
        if word.text not in self.tests:
            raise Denied(
                f"{self.name}.option", f"{word.text} is not among the tests of {self.name} that this mode accepts"
            )
        kind = self.tests[word.text][1]
        if kind is None:
            return
        if not queue or queue[-1].glob:
            raise Denied("shell.glob", f"{word.text} needs a value; quote a pattern")
        kind.judge(queue.pop().text, workspace)
