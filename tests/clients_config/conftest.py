"""A throwaway machine: a HOME, a project, a state directory and a `mab` of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from multiagent_bridge.cli import init as command

CLIENTS = (
    "claude-code", "codex", "gemini-cli", "opencode", "cursor", "vscode", "windsurf", "zed", "claude-desktop",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    home: Path
    project: Path
    state: Path
    mab: Path

    def tree(self) -> dict[str, bytes]:
        """Every file of home and project, for "nothing was written"."""
        roots = (self.home, self.project)
        return {str(p): p.read_bytes() for root in roots for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    here = Place(tmp_path / "home", tmp_path / "work", tmp_path / "state", tmp_path / "venv" / "bin" / "mab")
    for folder in (here.home, here.project, here.mab.parent):
        folder.mkdir(parents=True)
    here.mab.write_text("#!/bin/sh\n")
    here.mab.chmod(0o755)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "MAB_HOME", "XDG_CONFIG_HOME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(here.home))
    monkeypatch.setenv("PATH", str(here.mab.parent))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("MAB_HOME", str(here.state))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "argv", [str(here.mab)])
    monkeypatch.chdir(here.project)
    return here


Run = Callable[..., Result]


@pytest.fixture
def run(place: Place) -> Run:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)

    def call(*words: str) -> Result:
        result = CliRunner().invoke(app, ["init", *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call
