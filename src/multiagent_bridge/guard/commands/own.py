"""The guard itself: its programs, its state and its approvals are no business of any command."""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.verdict import Denied

PROGRAMS = frozenset(
    [
        "mab",
        "bridge",
        "multiagent-bridge",
        "mcp-multiagent-bridge",
        "yolo_guard",
        "yolo_guard.py",
        "bridge_cli",
        "bridge_cli.py",
        "yolo-guard",
    ]
)
_FIRST = re.compile(r"(?:^|[;&|(])\s*(?:\S*python[0-9.]*\s+(?:-m\s+)?)?\S*(?:yolo_guard|multiagent_bridge)\b")
_STATE = re.compile(r"\.yolo_|yolo_audit\.log|yolo_guard\.py\s+-|YOLO_MODE=|MAB_[A-Z_]+=")


def refuse_guard(command: str) -> None:
    """Raise Denied when a line runs the guard's own programs or names its tokens."""
    if _FIRST.search(command) or _STATE.search(command):
        raise Denied("guard.self", "the line acts on the guard itself")
