"""The command policy: one pure answer about one command line in one mode (SPEC section 5).

Safe and restricted never meet a shell: the line is read strictly into words, each program's arguments are compared with the
rules of accepted options, and what is in no rule is refused. Yolo runs a shell inside the sandbox; there the line is read as
a shell would and the disasters are refused. No judgement is a boundary: the sandbox is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Protocol

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.book import Book, Shelf, book_of
from multiagent_bridge.guard.commands.disasters import refuse_disasters
from multiagent_bridge.guard.commands.entries import MODES, read
from multiagent_bridge.guard.commands.examples import check_examples, check_users_examples
from multiagent_bridge.guard.commands.strict import plan
from multiagent_bridge.guard.commands.users import with_users
from multiagent_bridge.guard.commands.verdict import Denied, Step, Verdict

__all__ = [
    "LONGEST",
    "MODES",
    "POLICY_VERSION",
    "SHELL",
    "Policy",
    "ShellReader",
    "Verdict",
    "built_in",
    "judge",
    "load",
]

LONGEST = 1000
"""Characters of a command (SPEC section 3)."""
POLICY_VERSION = "2"
"""Changes with every change of the code that may change an answer; the rules add their digest (`Policy.version`)."""
SHELL = ("bash", "--noprofile", "--norc", "-c")
"""What runs a yolo line, inside the sandbox only."""


class ShellReader(Protocol):
    """A second reader of shell lines, of other make than the guard's own."""

    @property
    def name(self) -> str:
        """What it is and in which version: part of the policy's version."""

    def unreadable(self, command: str) -> str:
        """Why a line that the guard's own reader understands is refused, "" when this one understands it as well."""


class Policy:
    """The rules of all modes. `version` changes whenever an answer may change: approvals are bound to it (SPEC section 5)."""

    def __init__(self, book: Book, version: str, second: ShellReader | None = None) -> None:
        self.book = book
        self.version = version
        self.second = second

    def judge(self, command: str, mode: str, workspace: str = "") -> Verdict:
        """Whether `mode` lets `command` run, and which rule decided. Reads nothing but its arguments.

        `workspace` is the absolute path that absolute paths in the line may stand below; without it they are all refused in
        safe and restricted. Bounded: a line over LONGEST characters is refused unread. Raises Invalid when the mode
        is unknown or the command is no text.
        """
        if mode not in MODES:
            raise Invalid(f"mode {mode!r} is unknown", f"use {', '.join(MODES)}")
        if not isinstance(command, str):
            raise Invalid("a command must be text", "pass a string")
        try:
            steps = self._steps(command, mode, workspace)
        except Denied as denied:
            return Verdict(False, denied.rule, denied.reason, None)
        except RecursionError:
            return Verdict(False, "limit.depth", "the line nests too deeply to be read", None)
        if mode == "yolo":
            return Verdict(
                True,
                "yolo.allowed",
                "no rule of yolo mode refuses it; the sandbox is the boundary",
                steps[0].argv,
                steps,
            )
        plain = len(steps) == 1 and not (steps[0].streams or steps[0].globs or steps[0].environment)
        rule = steps[0].argv[0] if len(steps) == 1 else "plan"
        reason = f"every word is among what {mode} mode accepts"
        return Verdict(True, f"{mode}.{rule}", reason, steps[0].argv if plain else None, steps)

    def _steps(self, command: str, mode: str, workspace: str) -> tuple[Step, ...]:
        if len(command) > LONGEST:
            raise Denied("limit.length", f"the line has {len(command):,} characters; at most {LONGEST:,} are read")
        if not command.strip():
            raise Denied("shell.empty", "an empty command")
        if mode == "yolo":
            refuse_disasters(command, self.book.yolo, workspace)
            if self.second and (why := self.second.unreadable(command)):
                raise Denied("yolo.unreadable", why)
            return (Step((*SHELL, command)),)
        return plan(command, self.book.strict[mode], workspace)


def load(
    built_in: Mapping[str, str],
    users: str | None = None,
    *,
    users_file: str = "the policy file",
    second: ShellReader | None = None,
) -> Policy:
    """The policy of the built-in rule files (text by file name) and of a person's own rules.

    A line of yolo is refused as well when `second` cannot read it. Every example of every rule is judged; raises Invalid naming
    the file, the rule and the example that does not hold.
    """
    sets: dict[str, str] = {}
    entries = [entry for file, text in built_in.items() for entry in read(file, text, sets)]
    shelf = Shelf(entries)
    book = book_of(shelf)
    check_examples(entries, Policy(book, "").judge, book)
    reader = second.name if second else ""
    version = f"{POLICY_VERSION}.{_digest(reader, *built_in, *built_in.values())}"
    if users is not None:
        own = read(users_file, users, {}, users=True)
        book = with_users(book, shelf, own)
        check_users_examples(own, Policy(book, "").judge)
        version += f"+{_digest(users)}"
    return Policy(book, version, second)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


@cache
def built_in() -> Policy:
    """The policy of the built-in rules alone, loaded once."""
    from multiagent_bridge.guard.commands.rules import texts

    return load(texts())


def judge(command: str, mode: str, workspace: str = "") -> Verdict:
    """`Policy.judge` of the built-in rules."""
    return built_in().judge(command, mode, workspace)
