"""A person's terminal: the command line of a state directory of its own, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.cli.app import run

SECONDS = 90
MAB = (sys.executable, "-m", "multiagent_bridge")


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def code(self) -> str:
        """The code of the error on stderr, "" when there is none."""
        first = next((line for line in self.err.splitlines() if line.startswith("mab: error: ")), "")
        return first.removeprefix("mab: error: ").split(":")[0]


class Terminal:
    """`mab` in this process: everything but the process is real."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.home = root / "state"
        self.project = root / "project"
        self.user = root / "config" / "multiagent-bridge"
        for folder in (self.project, self.user):
            folder.mkdir(parents=True)
        self._patch = monkeypatch
        self._capsys = capsys
        for name in [name for name in os.environ if name.startswith(("MAB_", "XDG_"))]:
            monkeypatch.delenv(name)
        for name, value in self.variables().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(self.project)

    def variables(self) -> dict[str, str]:
        return {
            "MAB_HOME": str(self.home),
            "HOME": str(self.root),
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "PATH": os.environ.get("PATH", os.defpath),
        }

    def mab(self, *words: str, status: int | None = 0, given: bytes = b"", **env: str) -> Done:
        """Run a command in this process; `given` is its standard input."""
        with self._patch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
            self._capsys.readouterr()
            left = run(list(words))
            said = self._capsys.readouterr()
        assert status is None or left == status, said.err + said.out
        return Done(left, said.out, said.err)

    def process(
        self, *words: str, status: int | None = 0, given: bytes = b"", without: Sequence[str] = (), **env: str
    ) -> Done:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [*MAB, *words], env=self.environment(without, **env), cwd=self.project, input=given,
            capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        assert status is None or done.returncode == status, err + out
        return Done(done.returncode, out, err)

    def started(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start a command whose output is read while it runs."""
        return subprocess.Popen(
            [*MAB, *words], env=self.environment(**env), cwd=self.project, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def environment(self, without: Sequence[str] = (), **env: str) -> dict[str, str]:
        return {name: value for name, value in (self.variables() | env).items() if name not in without}

    def later(self, seconds: int) -> None:
        """Let this much time pass for commands run in this process."""
        now = SystemClock.now
        self._patch.setattr(SystemClock, "now", lambda clock: now(clock) + seconds * 1_000_000)

    def opened(self, *roles: str) -> str:
        """A new conversation; its id."""
        made = self.mab("create", *(roles or ("backend", "frontend")), "--json")
        return str(made.json["conversation_id"])

    def token(self, conversation: str, session: str) -> str:
        rows = self.mab("tokens", conversation, "--json").json["sessions"]
        return str(next(row["token"] for row in rows if row["session_id"] == session))


def ended(process: subprocess.Popen[str]) -> Done:
    """What a started command said, once it has left by itself or by a signal."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return Done(process.returncode, out, err)


def at_a_terminal(terminal: Terminal, *words: str, **env: str) -> tuple[int, str]:
    """Run a command on a pseudo terminal: its status, and all it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MAB, *words], env=terminal.environment(**({"TERM": "xterm"} | env)), cwd=terminal.project,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written, until = b"", time.monotonic() + SECONDS
    try:
        while time.monotonic() < until:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                more = os.read(ours, 65_536)
            except OSError:
                # how Linux says that the other end is closed
                break
            if not more:
                break
            written += more
        return process.wait(SECONDS), written.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
