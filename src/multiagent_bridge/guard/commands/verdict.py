"""What a judgement says, and the plan of what would run."""

from __future__ import annotations

from dataclasses import dataclass


class Denied(Exception):
    """A rule said no while a line was read. Never leaves `policy.judge`, which turns it into a Verdict."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Step:
    """One program of a plan. An executor runs it as it stands and never reads the command line again.

    `join` says how it follows the step before: "" (first), "|", "&&", "||" or ";", with the left-to-right meaning of POSIX
    (XCU 2.9.3). `streams` are to be applied in order: "1>/dev/null", "2>/dev/null", "1>&2" or "2>&1". `globs` are the places in
    `argv` that hold a pattern of `*` and `?`: expand them inside the workspace, hidden names left out, sorted; put "./"
    before a name that begins with "-"; a pattern that matches nothing stays as it is. `argv[0] == "cd"` is
    the executor's own: it changes the directory of the steps after it.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    join: str = ""
    streams: tuple[str, ...] = ()
    globs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one command line in one mode.

    `rule` is the name of the rule that decided ("git.flag"), `reason` one sentence for a person. `argv` is what is executed
    when that is one plain program (in yolo: the shell that gets the line), else None; `steps` is the plan of an allowed line.
    """

    allowed: bool
    rule: str
    reason: str
    argv: tuple[str, ...] | None
    steps: tuple[Step, ...] = ()
