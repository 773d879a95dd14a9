"""What a judgement says, and the plan of what would run."""

from __future__ import annotations

from dataclasses import dataclass

from multiagent_bridge.model.commands import Step

__all__ = ["Denied", "Step", "Verdict"]


class Denied(Exception):
    """A rule said no while a line was read. Never leaves `policy.judge`, which turns it into a Verdict."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


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
