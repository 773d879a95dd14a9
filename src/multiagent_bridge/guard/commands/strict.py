"""Safe and restricted: pieces of a line become a plan of steps, each judged by the row of its program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from multiagent_bridge.guard.commands.deny import Denials
from multiagent_bridge.guard.commands.families import Row
from multiagent_bridge.guard.commands.kinds import Kind
from multiagent_bridge.guard.commands.reading import Operator, Piece, Stream, Word, read
from multiagent_bridge.guard.commands.spoofing import refuse_spoofing
from multiagent_bridge.guard.commands.verdict import Denied, Step

MOST_STEPS = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*|\[")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?\+?=")


@dataclass(frozen=True, slots=True)
class Strict:
    """The rules of safe or restricted: a row for each program, the variables that may stand before one, and refusals."""

    mode: str
    rows: Mapping[str, Row]
    variables: Mapping[str, Kind]
    denials: Denials


def plan(command: str, rules: Strict, workspace: str) -> tuple[Step, ...]:
    """The steps of a line that the rules allow. Raises Denied naming the first rule that it meets."""
    refuse_spoofing(command)
    rules.denials.refuse_line(command)
    steps: list[Step] = []
    join = ""
    for pieces, operator in _split(read(command)):
        step = _step(pieces, join, rules, workspace)
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


def _step(pieces: list[Piece], join: str, rules: Strict, workspace: str) -> Step:
    words = [piece for piece in pieces if isinstance(piece, Word)]
    streams = tuple(piece.text for piece in pieces if isinstance(piece, Stream))
    environment, words = _environment(words, rules, workspace)
    if not words:
        raise Denied("shell.empty", "an operator or a redirection without a command" if pieces else "an empty command")
    name = words[0]
    if "/" in name.text:
        raise Denied("program.path", "a program is named by its bare name; a path could be any file")
    if not name.bare or name.glob or not _NAME.fullmatch(name.text):
        raise Denied("program.name", f"{name.text!r} is not a plain program name")
    rules.denials.refuse(name.text, [word.text for word in words[1:]])
    row = rules.rows.get(name.text)
    if row is None:
        raise Denied("program.unlisted", f"{name.text} is not among the programs of {rules.mode} mode")
    arguments = words[1:]
    if name.text == "[":
        if not arguments or arguments.pop().text != "]":
            raise Denied("program.name", "[ without ]")
    elif name.text == "cd" and (len(arguments) != 1 or arguments[0].text == "-" or arguments[0].glob):
        raise Denied("path.home", "cd needs one folder of the workspace")
    row.judge(arguments, workspace)
    globs = tuple(place for place, word in enumerate(words) if word.glob and not word.text.startswith("-"))
    return Step(tuple(word.text for word in words), environment, join, streams, globs)


def _environment(words: list[Word], rules: Strict, workspace: str) -> tuple[tuple[tuple[str, str], ...], list[Word]]:
    found: list[tuple[str, str]] = []
    for place, word in enumerate(words):
        assigned = _ASSIGNMENT.match(word.text)
        if not assigned:
            return tuple(found), words[place:]
        name, _, value = word.text.partition("=")
        kind = rules.variables.get(name)
        if kind is None:
            raise Denied(
                "environment.name",
                f"the variable {assigned[1]} is not among those of {rules.mode} mode; it can change what runs",
            )
        kind.judge(value, workspace)
        found.append((name, value))
    return tuple(found), []
