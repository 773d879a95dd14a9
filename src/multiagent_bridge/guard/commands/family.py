"""Programs with sub-commands, and what programs of the workspace are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from multiagent_bridge.guard.commands.options import Program
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

ARGUMENTS = Program("arguments", "", "inside*", raw=True)
"""What a program of the workspace itself is given."""

_TOOLCHAIN = re.compile(r"\+(?:stable|beta|nightly|[0-9]{1,3}(?:\.[0-9]{1,3}){0,2})(?:-[0-9]{4}-[0-9]{2}-[0-9]{2})?")
"""A published tool chain by name; a path would be any program."""


class Family:
    """A program with sub-commands: options accepted before them, and a row for each."""

    def __init__(
        self, name: str, before: str, rows: Mapping[str, Program], alone: tuple[str, ...], refuse: tuple[str, ...]
    ) -> None:
        self.name = name
        self.before = Program(name, before, "text*", stop=True, bundled=False)
        self.rows = rows
        self.alone = alone
        self.refuse = (*refuse, *(line for row in rows.values() for line in row.refuse))
        self.allow = tuple(line for row in rows.values() for line in row.allow)

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        if [word.text for word in words] in [[alone] for alone in self.alone]:
            return
        operands = self.before.judge(self._own(words), workspace).operands
        if not operands:
            raise Denied(f"{self.name}.subcommand", f"{self.name} needs a sub-command")
        row = self.rows.get(operands[0].text)
        if row is None or not operands[0].bare:
            raise Denied(
                f"{self.name}.subcommand", f"{self.name} {operands[0].text} is not among the sub-commands of this mode"
            )
        row.judge(operands[1:], workspace, self.name)

    def _own(self, words: Sequence[Word]) -> Sequence[Word]:
        """Without the tool chain that rustup reads before everything else (`cargo +nightly build`)."""
        if self.name == "cargo" and words and _TOOLCHAIN.fullmatch(words[0].text):
            return words[1:]
        return words
