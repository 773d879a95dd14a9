"""The command policy: one pure answer about one command line in one mode (SPEC section 5).

Safe and restricted never meet a shell: the line is read strictly into words, each program's arguments are compared with a table
of accepted options, and what is in no table is refused. Yolo runs a shell inside the sandbox; there the line is read as a shell
would and the disasters are refused. No judgement is a boundary: the sandbox is.
"""

from __future__ import annotations

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.verdict import Denied, Step, Verdict

MODES = ("safe", "restricted", "yolo")
LONGEST = 1000
"""Characters of a command (SPEC section 3)."""
POLICY_VERSION = "1"
"""Changes whenever an answer may change: approvals are bound to it (SPEC section 5)."""
SHELL = ("bash", "--noprofile", "--norc", "-c")
"""What runs a yolo line, inside the sandbox only."""


def judge(command: str, mode: str, workspace: str = "") -> Verdict:
    """Whether `mode` lets `command` run, and which rule decided. Reads nothing but its arguments.

    `workspace` is the absolute path that absolute paths in the line may stand below; without it they are all refused in safe
    and restricted. Bounded: a line over LONGEST characters is refused unread. Raises Invalid when the mode
    is unknown or the command is no text.
    """
    if mode not in MODES:
        raise Invalid(f"mode {mode!r} is unknown", f"use {', '.join(MODES)}")
    if not isinstance(command, str):
        raise Invalid("a command must be text", "pass a string")
    try:
        steps = _steps(command, mode, workspace)
    except Denied as denied:
        return Verdict(False, denied.rule, denied.reason, None)
    except RecursionError:
        return Verdict(False, "limit.depth", "the line nests too deeply to be read", None)
    if mode == "yolo":
        return Verdict(
            True, "yolo.allowed", "no rule of yolo mode refuses it; the sandbox is the boundary", steps[0].argv, steps
        )
    plain = len(steps) == 1 and not (steps[0].streams or steps[0].globs or steps[0].environment)
    rule = steps[0].argv[0] if len(steps) == 1 else "plan"
    reason = f"every word is among what {mode} mode accepts"
    return Verdict(True, f"{mode}.{rule}", reason, steps[0].argv if plain else None, steps)


def _steps(command: str, mode: str, workspace: str) -> tuple[Step, ...]:
    if len(command) > LONGEST:
        raise Denied("limit.length", f"the line has {len(command):,} characters; at most {LONGEST:,} are read")
    if not command.strip():
        raise Denied("shell.empty", "an empty command")
    if mode == "yolo":
        from multiagent_bridge.guard.commands.disasters import refuse_disasters

        refuse_disasters(command, workspace)
        return (Step((*SHELL, command)),)
    from multiagent_bridge.guard.commands.strict import plan

    return plan(command, mode, workspace)
