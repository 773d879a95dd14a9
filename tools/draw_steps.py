"""Draw the tables of legal steps into docs/inside/a-command.md, the same bytes every time: draw_steps.py [FILE]."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from multiagent_bridge.model import commands, yolo

PAGE = Path(__file__).parent.parent / "docs" / "inside" / "a-command.md"

Steps = Mapping[str, Sequence[str]]
Reasons = Mapping[tuple[str, str], str]

COMMAND: Reasons = {
    ("", "pending"): "an agent asks",
    ("pending", "approved"): "a person says yes to the digest, or a grant has",
    ("pending", "denied"): "a person says no",
    ("pending", "expired"): "nobody decided in time",
    ("approved", "running"): "start, once",
    ("approved", "expired"): "not used in time, disabled, or something changed",
    ("running", "done"): "it ended",
    ("running", "lost"): "its runner is gone",
}
ENABLING: Reasons = {
    ("", "asked"): "an agent asks",
    ("", "offered"): "a person at a terminal begins",
    ("asked", "met"): "a person enabled that mode",
    ("asked", "denied"): "a person says no",
    ("asked", "expired"): "nobody answered in time",
    ("offered", "enabled"): "phrase and code typed back",
    ("offered", "expired"): "not typed back in time",
    ("enabled", "disabled"): "a person ends it, or enables another",
}
DRAWN: Mapping[str, tuple[Steps, Reasons]] = {
    "model/commands.py": (commands.STEPS, COMMAND),
    "model/yolo.py": (yolo.STEPS, ENABLING),
}


def picture(steps: Steps, reasons: Reasons) -> str:
    """A Mermaid state diagram. Raises KeyError for a step without a reason, ValueError for a reason without its step."""
    taken = list(_steps(steps))
    if left := set(reasons) - set(taken):
        raise ValueError(f"no such steps: {sorted(left)}")
    lines = ["stateDiagram-v2"]
    for was, state in taken:
        lines.append(f"    {was or '[*]'} --> {state}: {reasons[was, state]}")
    lines += [f"    {state} --> [*]" for state in steps if not steps[state]]
    return "\n".join(lines)


def _steps(steps: Steps) -> Iterator[tuple[str, str]]:
    """Every step in the table's order; what no step leads to is where it begins."""
    reached = {state for after in steps.values() for state in after}
    yield from (("", state) for state in steps if state not in reached)
    yield from ((was, state) for was, after in steps.items() for state in after)


def page(text: str) -> str:
    """The page with each picture drawn anew. Raises ValueError when it has no place for one."""
    for name, (steps, reasons) in DRAWN.items():
        place = re.compile(rf"(<!-- drawn from {re.escape(name)} -->\n```mermaid\n).*?(\n```\n)", re.DOTALL)
        drawn = picture(steps, reasons)
        text, found = place.subn(lambda match, drawn=drawn: match[1] + drawn + match[2], text)
        if found != 1:
            raise ValueError(f"{found} places for the picture of {name}")
    return text


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    file.write_text(page(file.read_text("utf-8")), encoding="utf-8")
