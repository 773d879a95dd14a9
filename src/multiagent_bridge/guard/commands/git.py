"""git: the options before the sub-command, then the sub-command's own row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multiagent_bridge.guard.commands.options import Program
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

_BEFORE = frozenset(
    {"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects", "--no-advice"}
)


class Git:
    """git with the sub-commands of a mode."""

    name = "git"

    def __init__(self, rows: Mapping[str, Program]) -> None:
        self.rows = rows

    @property
    def allow(self) -> tuple[str, ...]:
        return ("git --version", *(line for row in self.rows.values() for line in row.allow))

    @property
    def refuse(self) -> tuple[str, ...]:
        own = (
            "git -c a.b=c status",
            "git -C x status",
            "git --git-dir=x log",
            "git -p log",
            "git --exec-path=x log",
            "git x",
        )
        return (*own, *(line for row in self.rows.values() for line in row.refuse))

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        if [word.text for word in words] in (["--version"], ["-v"]):
            return
        for place, word in enumerate(words):
            if word.text in _BEFORE:
                continue
            if word.text.startswith("-"):
                raise Denied("git.option", f"{word.text} before the sub-command changes what git runs or where")
            row = self.rows.get(word.text)
            if row is None or not word.bare:
                raise Denied("git.subcommand", f"git {word.text} is not among the sub-commands of this mode")
            row.judge(words[place + 1 :], workspace, "git")
            return
        raise Denied("git.subcommand", "git needs a sub-command")
