"""`mab doctor`: every check, whatever else is broken, and the command that mends what failed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from multiagent_bridge import __version__
from multiagent_bridge.cli import output
from multiagent_bridge.cli.conversations import Json

if TYPE_CHECKING:
    from multiagent_bridge.cli.checks import Check, Examination, Patient

EXAMINATIONS = (
    ("python", "checks"),
    ("sqlite", "checks"),
    ("settings", "checks"),
    ("state_directory", "checks"),
    ("socket_path", "checks"),
    ("master_key", "checks"),
    ("database", "checks_store"),
    ("server", "checks_postgres"),
    ("journal", "checks_store"),
    ("hub", "checks_store"),
    ("sandbox", "checks_sandbox"),
    ("clients", "checks"),
)
"""(function, module), in the order in which one relies on another."""

STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Check everything the bridge stands on; each failure ends with the command that mends it."""
    from multiagent_bridge.cli.checks import Patient

    found = list(examined(Patient()))
    failed = sum(check.verdict == "fail" for check in found)
    if as_json:
        rows = [{"check": c.name, "verdict": c.verdict, "found": c.found, "mend": c.mend} for c in found]
        output.data({"ok": not failed, "version": __version__, "checks": rows})
    else:
        _print(found, failed)
    raise typer.Exit(1 if failed else 0)


def examined(patient: Patient) -> Iterator[Check]:
    """Every check in order. One that breaks down is itself a failure, and the others still run."""
    from multiagent_bridge.cli.checks import REINSTALL, Check

    for name, module in EXAMINATIONS:
        try:
            examine: Examination = getattr(import_module(f"multiagent_bridge.cli.{module}"), name)
            yield from examine(patient)
        except ImportError as error:
            yield Check(
                name.replace("_", " "), "fail", f"a part of the program is missing: {error.name or error}", REINSTALL
            )
        except PermissionError as error:
            mend = "run it as the user to whom that belongs, or set MAB_HOME to a directory of your own"
            yield Check(name.replace("_", " "), "fail", f"{error.filename}: permission denied", mend)
        except Exception as error:
            # a doctor that faints is no doctor: what a check did not foresee is its finding
            told = f"the check itself failed: {type(error).__name__}: {error}"
            yield Check(name.replace("_", " "), "fail", told, REINSTALL)


def _print(found: list[Check], failed: int) -> None:
    wide = max(output.width(check.name) for check in found)
    for check in found:
        mark = output.painted(f"{check.verdict:<4}", STYLES[check.verdict])
        output.written(f"{mark}  {output.visible(check.name):<{wide}}  {output.visible(check.found)}")
        if check.mend and check.verdict != "ok":
            output.written(f"{'':<{wide + 6}}  {output.painted('mend: ', 'bold')}{output.visible(check.mend)}")
    warned = sum(check.verdict == "warn" for check in found)
    output.say(f"{len(found)} checks, {failed} failed, {warned} warned")
