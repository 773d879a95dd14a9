"""`mab yolo explain`: what a mode says to a command line, and which rule decided."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.guard.commands.verdict import Verdict
    from multiagent_bridge.guard.policy import Policy

LINE = 'lines look like {"id": 1, "command": "git status", "mode": "safe"}'


def explain(
    command: Annotated[
        str | None, typer.Argument(metavar="COMMAND", help="One command line, quoted; never executed.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="safe, restricted or yolo; all three when left out.")
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", metavar="DIR", help="The folder that absolute paths in the line may stand below."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="Rules of your own (TOML) beside the built-in ones; else what the settings name.",
        ),
    ] = None,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl", help='Lines {"id","command","mode"} in, lines {"id","allowed","rule"} out, one at a time.'
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether a mode lets a command run and which rule decides. Nothing is executed."""
    from multiagent_bridge.adapters.policies import read_policy
    from multiagent_bridge.guard.policy import MODES

    below = str(Path(workspace).absolute()) if workspace else ""
    rules = read_policy(policy or _configured())
    if jsonl:
        if command is not None or mode is not None:
            raise Invalid("--jsonl takes no COMMAND and no --mode", "each line brings its own")
        _each_line(rules, below)
        return
    if command is None:
        raise Invalid("no command is given", "mab yolo explain 'git status' --mode safe")
    verdicts = [(one, rules.judge(command, one, below)) for one in ([mode] if mode else MODES)]
    if as_json:
        shown = [_shown(command, one, verdict) for one, verdict in verdicts]
        output.data(shown[0] if mode else shown)
        return
    for one, verdict in verdicts:
        _say(one, verdict, _advice(command, one, verdict))


def _configured() -> Path | None:
    """The file of rules that the settings name: what the hub judges by."""
    from multiagent_bridge import config

    named = config.load().yolo.policy
    return Path(named).expanduser() if named else None


def _advice(command: str, mode: str, verdict: Verdict) -> tuple[str, ...]:
    """What a person who approves a line of yolo is told about it."""
    if mode != "yolo" or not verdict.allowed:
        return ()
    from multiagent_bridge.adapters.shell_advice import advise

    return advise(command)


def _say(mode: str, verdict: Verdict, advice: tuple[str, ...]) -> None:
    word, colour = ("allowed", "green") if verdict.allowed else ("refused", "red")
    output.line(f"{mode}: {word} by {verdict.rule}", colour)
    output.line(f"  {verdict.reason}")
    for step in verdict.steps:
        output.line(f"  {step.join + ' ' if step.join else ''}{json.dumps(list(step.argv), ensure_ascii=False)}")
    for sentence in advice:
        output.line(f"  advice: {sentence}", "yellow")


def _shown(command: str, mode: str, verdict: Verdict) -> dict[str, Any]:
    return {"command": command, "mode": mode, **asdict(verdict), "advice": list(_advice(command, mode, verdict))}


def _each_line(rules: Policy, workspace: str) -> None:
    """One answer a line, written at once. Raises Invalid naming the first line that is not of the form."""
    if sys.stdin is None:
        raise Unavailable("standard input is closed", "give the lines on standard input")
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        identity, command, mode = _asked(number, line)
        verdict = rules.judge(command, mode, workspace)
        output.json_line({"id": identity, "allowed": verdict.allowed, "rule": verdict.rule})


def _asked(number: int, line: bytes) -> tuple[object, str, str]:
    from multiagent_bridge.guard.policy import MODES

    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"line {number} is not JSON", LINE) from error
    if not isinstance(asked, dict) or "id" not in asked or not isinstance(asked.get("command"), str):
        raise Invalid(f"line {number} has no id and command", LINE)
    if asked.get("mode") not in MODES:
        raise Invalid(f"line {number} has no known mode", f"use {', '.join(MODES)}")
    return asked["id"], asked["command"], asked["mode"]
