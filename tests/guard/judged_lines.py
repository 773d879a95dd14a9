"""The judged lines of `policy_lines/`: one command line a row, a file for each mode and answer."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "policy_lines"


def judged(mode: str, answer: str) -> list[str]:
    """The lines that `mode` answers with "allowed" or "refused"."""
    return (FOLDER / f"{mode}_{answer}.txt").read_text(encoding="utf-8").splitlines()
