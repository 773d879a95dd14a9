"""What continuous integration runs once more: tests that missed bars of time, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import late_tests


def target(unit: str, measured: float | None = 250, met: bool = False) -> dict[str, Any]:
    return {"what": "longest", "relation": "under", "bound": 200, "measured": measured, "unit": unit, "met": met}


def found(number: str, verdict: str, reason: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return {"number": number, "verdict": verdict, "reason": reason, "targets": list(targets)}


PASSED = found("1", "passed", "", target("", 1, met=True))
LATE = found("12", "failed", "missed: longest", target("ms"), target("", 40, met=True))


def told(tmp_path: Path, *tests: dict[str, Any]) -> int:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"report": {"tests": tests}}), "utf-8")
    return late_tests.main(str(path))


def test_those_that_were_only_too_slow_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = found("11", "failed", "missed: longest", target("s"))
    assert told(tmp_path, PASSED, LATE, slow) == 0
    assert capsys.readouterr().out == "12 11\n"


@pytest.mark.parametrize(
    "other",
    [
        found("5", "failed", "missed: copies", target("", 2)),
        found("5", "failed", "missed: longest, yes", target("ms"), target("yes", 0)),
        found("5", "failed", "missed: longest", target("ms", None)),
        found("5", "failed", "it took too long", target("ms")),
        found("5", "failed", "OSError: gone"),
        found("10", "not run", "there is no git on this machine"),
    ],
)
def test_whatever_else_was_missed_is_not_tried_again(
    other: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(tmp_path, PASSED, LATE, other) == 1
    assert capsys.readouterr().out == ""


def test_a_report_of_tests_that_all_passed_names_none(tmp_path: Path) -> None:
    assert told(tmp_path, PASSED) == 1
