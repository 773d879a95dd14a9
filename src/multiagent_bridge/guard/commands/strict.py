"""Safe and restricted: pieces of a line become a plan of steps, each judged by the row of its program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from multiagent_bridge.guard.commands.builds import CARGO, PYTEST
from multiagent_bridge.guard.commands.git import Git
from multiagent_bridge.guard.commands.git_read import READ
from multiagent_bridge.guard.commands.git_write import WRITE
from multiagent_bridge.guard.commands.interpreters import Node, Python
from multiagent_bridge.guard.commands.kinds import kind_named
from multiagent_bridge.guard.commands.own import refuse_guard
from multiagent_bridge.guard.commands.packages import NPM, PIP
from multiagent_bridge.guard.commands.programs import PROGRAMS
from multiagent_bridge.guard.commands.reading import Operator, Piece, Stream, Word, read
from multiagent_bridge.guard.commands.searching import RG, SED, Find
from multiagent_bridge.guard.commands.spoofing import refuse_spoofing
from multiagent_bridge.guard.commands.verdict import Denied, Step

MOST_STEPS = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*|\[")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?\+?=")
_SAFE_VARIABLES = {
    "LANG": "locale",
    "LC_ALL": "locale",
    "LC_CTYPE": "locale",
    "LC_COLLATE": "locale",
    "TZ": "zone",
    "NO_COLOR": "setting",
    "COLUMNS": "number",
}
_VARIABLES = _SAFE_VARIABLES | {
    "CI": "setting",
    "FORCE_COLOR": "setting",
    "CLICOLOR": "setting",
    "CLICOLOR_FORCE": "setting",
    "NODE_ENV": "word",
    "RUST_BACKTRACE": "0|1|full",
    "RUST_LOG": "setting",
    "CARGO_TERM_COLOR": "always|never|auto",
    "PYTHONPATH": "paths",
    "PYTHONUNBUFFERED": "setting",
    "PYTHONDONTWRITEBYTECODE": "setting",
    "PYTHONHASHSEED": "word",
    "PYTHONWARNINGS": "error|ignore|default|always|module|once",
    "PYTHONUTF8": "0|1",
    "LOG_LEVEL": "word",
    "DEBUG": "setting",
    "PORT": "number",
}


class Row(Protocol):
    """What judges the arguments of one program. `allow` and `refuse` are example lines that hold."""

    @property
    def name(self) -> str: ...
    @property
    def allow(self) -> tuple[str, ...]: ...
    @property
    def refuse(self) -> tuple[str, ...]: ...

    def judge(self, words: Sequence[Word], workspace: str) -> object: ...


@cache
def rows(mode: str) -> dict[str, Row]:
    """The programs of a mode by name."""
    found: dict[str, Row] = {row.name: row for row in PROGRAMS}
    found |= {"rg": RG, "sed": SED, "find": Find(), "git": Git(READ)}
    if mode == "restricted":
        found |= {
            "git": Git(WRITE),
            "npm": NPM,
            "pip": PIP,
            "pip3": PIP,
            "pytest": PYTEST,
            "py.test": PYTEST,
            "cargo": CARGO,
        }
        found |= {"python": Python("python"), "python3": Python("python3"), "node": Node()}
    return found


def plan(command: str, mode: str, workspace: str) -> tuple[Step, ...]:
    """The steps of a line that `mode` allows. Raises Denied naming the first rule that it meets."""
    refuse_spoofing(command)
    refuse_guard(command)
    steps: list[Step] = []
    join = ""
    for pieces, operator in _split(read(command)):
        step = _step(pieces, join, mode, workspace)
        if step.argv[0] == "cd" and "|" in (join, operator):
            raise Denied("shell.cd", "cd in a pipeline changes nothing")
        steps.append(step)
        if len(steps) > MOST_STEPS:
            raise Denied("limit.steps", f"more than {MOST_STEPS} commands in one line")
        join = operator
    return tuple(steps)


def _split(pieces: list[Piece]) -> list[tuple[list[Piece], str]]:
    """Commands with the operator behind each."""
    found: list[tuple[list[Piece], str]] = []
    current: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Operator):
            found.append((current, piece.text))
            current = []
        else:
            current.append(piece)
    if current or not found or found[-1][1] != ";":
        found.append((current, ""))
    return found


def _step(pieces: list[Piece], join: str, mode: str, workspace: str) -> Step:
    words = [piece for piece in pieces if isinstance(piece, Word)]
    streams = tuple(piece.text for piece in pieces if isinstance(piece, Stream))
    environment, words = _environment(words, mode, workspace)
    if not words:
        raise Denied("shell.empty", "an operator or a redirection without a command" if pieces else "an empty command")
    name = words[0]
    if "/" in name.text:
        raise Denied("program.path", "a program is named by its bare name; a path could be any file")
    if not name.bare or name.glob or not _NAME.fullmatch(name.text):
        raise Denied("program.name", f"{name.text!r} is not a plain program name")
    row = rows(mode).get(name.text)
    if row is None:
        raise Denied("program.unlisted", f"{name.text} is not among the programs of {mode} mode")
    arguments = words[1:]
    if name.text == "[":
        if not arguments or arguments.pop().text != "]":
            raise Denied("program.name", "[ without ]")
    elif name.text == "cd" and (len(arguments) != 1 or arguments[0].text == "-" or arguments[0].glob):
        raise Denied("path.home", "cd needs one folder of the workspace")
    row.judge(arguments, workspace)
    globs = tuple(place for place, word in enumerate(words) if word.glob and not word.text.startswith("-"))
    return Step(tuple(word.text for word in words), environment, join, streams, globs)


def _environment(words: list[Word], mode: str, workspace: str) -> tuple[tuple[tuple[str, str], ...], list[Word]]:
    allowed = _VARIABLES if mode == "restricted" else _SAFE_VARIABLES
    found: list[tuple[str, str]] = []
    for place, word in enumerate(words):
        assigned = _ASSIGNMENT.match(word.text)
        if not assigned:
            return tuple(found), words[place:]
        name, _, value = word.text.partition("=")
        kind = allowed.get(name)
        if kind is None or word.glob:
            raise Denied(
                "environment.name",
                f"the variable {assigned[1]} is not among those of {mode} mode; it can change what runs",
            )
        kind_named(kind)(value, workspace)
        found.append((name, value))
    return tuple(found), []
