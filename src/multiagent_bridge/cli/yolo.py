"""Commands of the guard: yolo explain."""

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

LINE = 'lines look like {"id": 1, "command": "git status", "mode": "safe"}'


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The guard of commands: what a mode allows, and why.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(explain)
    app.add_typer(group, name="yolo")


def _group() -> None:
    """The guard of commands: what a mode allows, and why."""


def explain(
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="One command line, quoted; never executed.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="safe, restricted or yolo; all three when left out.")
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", metavar="DIR", help="The folder that absolute paths in the line may stand below."),
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
    from multiagent_bridge.guard.policy import MODES, judge

    below = str(Path(workspace).absolute()) if workspace else ""
    if jsonl:
        if command is not None or mode is not None:
            raise Invalid("--jsonl takes no COMMAND and no --mode", "each line brings its own")
        _each_line(below)
        return
    if command is None:
        raise Invalid("no command is given", "mab yolo explain 'git status' --mode safe")
    verdicts = [(one, judge(command, one, below)) for one in ([mode] if mode else MODES)]
    if as_json:
        shown = [_shown(command, one, verdict) for one, verdict in verdicts]
        output.data(shown[0] if mode else shown)
        return
    for one, verdict in verdicts:
        _say(one, verdict)


def _say(mode: str, verdict: Verdict) -> None:
    word, colour = ("allowed", "green") if verdict.allowed else ("refused", "red")
    output.line(f"{mode}: {word} by {verdict.rule}", colour)
    output.line(f"  {verdict.reason}")
    for step in verdict.steps:
        output.line(f"  {step.join + ' ' if step.join else ''}{json.dumps(list(step.argv), ensure_ascii=False)}")


def _shown(command: str, mode: str, verdict: Verdict) -> dict[str, Any]:
    return {"command": command, "mode": mode, **asdict(verdict)}


def _each_line(workspace: str) -> None:
    """One answer a line, written at once. Raises Invalid naming the first line that is not of the form."""
    from multiagent_bridge.guard.policy import judge

    if sys.stdin is None:
        raise Unavailable("standard input is closed", "give the lines on standard input")
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        identity, command, mode = _asked(number, line)
        verdict = judge(command, mode, workspace)
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
