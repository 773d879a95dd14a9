"""What a run ran on: the machine, and the version of everything that has a say in a figure."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from multiagent_bridge import __version__

PARTS = ("mcp", "apsw", "cryptography", "pydantic", "anyio")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class Here:
    """Names of no host, no user and no place."""

    machine: dict[str, object]
    versions: dict[str, object]


def here() -> Here:
    load = os.getloadavg() if hasattr(os, "getloadavg") else (0.0, 0.0, 0.0)
    machine: dict[str, object] = {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": " ".join(f"{part:.2f}" for part in load),
    }
    versions: dict[str, object] = {
        "multiagent_bridge": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PARTS},
    }
    return Here(machine, versions)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def commit() -> str:
    """The commit of the checkout that this package runs from; `released` where it is no checkout of its own."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists() or not (root / "pyproject.toml").exists():
        return "released"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        changed = subprocess.run(
            ["git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"],
            cwd=root, env=environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = done.stdout.strip()
    if not _COMMIT.fullmatch(found):
        return "unknown"
    return f"{found} with changes" if changed.stdout.strip() else found
