"""State directories that are not as they should be, and homes that are not there at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.terminal import MAB, SECONDS, Terminal

NOBODY = 65_534
COMMANDS = [("list",), ("create", "backend", "frontend"), ("audit",), ("audit", "--verify"), ("tail", "--once")]


WARM = """
import asyncio, concurrent.futures.thread, encodings.idna, os, pydantic, shlex, sys, typer.main, zoneinfo
from multiagent_bridge.cli import app, audit, checks, checks_store, conversations, doctor, messages, owner, running, status
from multiagent_bridge.clients import documents, programs
from multiagent_bridge.guard.redact import Redactor
import multiagent_bridge.wiring
Redactor().redact("warm AKIAQ7WERTYUIOPASDFG")
"""
BECOME = f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that another user can reach."""
    made = Path(tempfile.mkdtemp(prefix="mab-t-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def unprivileged(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user to whom permissions apply; the tests may be run as root."""
    root = os.geteuid() == 0
    # a user of its own may lack the way to this interpreter's files: what is imported is read before the change
    program = f"{WARM}{BECOME if root else ''}sys.exit(app.run({list(words)!r}))"
    env = {"MAB_HOME": str(home), "HOME": str(home.parent), "PATH": os.defpath, "XDG_CONFIG_HOME": str(home.parent)}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False
    )


def owned(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_read_only_state_directory_is_unavailable_in_one_sentence(shared: Path, words: tuple[str, ...]) -> None:
    home = shared / "state"
    home.mkdir(mode=0o700)
    owned(home)
    home.chmod(0o500)
    done = unprivileged(home, *words)
    assert done.returncode == 9, done.stderr
    assert done.stderr.startswith("mab: error: unavailable: ")
    assert "Traceback" not in done.stderr
    assert list(home.iterdir()) == []


def test_a_state_directory_of_another_user_is_unavailable(shared: Path) -> None:
    home = shared / "state"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    if os.geteuid() != 0:
        home = Path("/")
    done = unprivileged(home, "list")
    assert done.returncode == 9, done.stderr
    assert "another user" in done.stderr
    told = json.loads(unprivileged(home, "doctor", "--json").stdout)
    assert next(row for row in told["checks"] if row["check"] == "state directory")["verdict"] == "fail"


def test_doctor_names_what_mends_a_read_only_state_directory(shared: Path) -> None:
    home = shared / "state"
    home.mkdir(mode=0o700)
    owned(home)
    home.chmod(0o500)
    done = unprivileged(home, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    row = next(row for row in json.loads(done.stdout)["checks"] if row["check"] == "state directory")
    assert row["verdict"] == "fail"
    assert f"chmod 700 {home}" in row["mend"]


def test_a_place_where_nothing_can_be_made_is_unavailable(shared: Path) -> None:
    owned(shared)
    shared.chmod(0o500)
    done = unprivileged(shared / "state", "list")
    assert done.returncode == 9, done.stderr
    assert "set MAB_HOME" in done.stderr
    done = unprivileged(shared / "state", "status", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["bridge.db", "bridge.db-lock", "bridge.db-wal", "master.key", "master.lock"])
def test_a_planted_link_is_refused_and_its_target_untouched(terminal: Terminal, name: str) -> None:
    victim = terminal.root / "victim"
    victim.write_text("precious")
    terminal.home.mkdir(mode=0o700)
    (terminal.home / name).symlink_to(victim)
    done = terminal.mab("create", "backend", "frontend", status=9)
    assert done.code == "unavailable"
    assert victim.read_text() == "precious"
    assert "link" in done.err or name in done.err


def test_a_link_in_the_place_of_the_state_directory_is_refused(terminal: Terminal) -> None:
    elsewhere = terminal.root / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    terminal.home.symlink_to(elsewhere)
    assert terminal.mab("list", status=9).code == "unavailable"
    assert list(elsewhere.iterdir()) == []


def test_a_state_directory_open_to_others_is_closed_before_anything_is_put_there(terminal: Terminal) -> None:
    terminal.home.mkdir(mode=0o777)
    terminal.home.chmod(0o777)
    terminal.opened()
    assert terminal.home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["a b", "a#b", "a%20b", "a?b", "ä", "a;b", "a:b@c"])
def test_a_state_directory_of_any_name_holds_its_own_database(terminal: Terminal, name: str) -> None:
    home = terminal.root / name
    terminal.mab("create", "backend", "frontend", MAB_HOME=str(home))
    assert (home / "bridge.db").is_file()
    assert len(terminal.mab("list", "--json", MAB_HOME=str(home)).json) == 1


def test_a_relative_state_directory_means_the_one_it_was_started_in(terminal: Terminal) -> None:
    terminal.mab("create", "backend", "frontend", MAB_HOME="here")
    assert (terminal.project / "here" / "bridge.db").is_file()


HOMELESS = """
import os, pwd, sys
def unknown(*_):
    raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = unknown
from multiagent_bridge.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def homeless(terminal: Terminal, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command without HOME, as a user whom no register knows, as in a bare container."""
    return subprocess.run(
        [sys.executable, "-c", HOMELESS, *words], env={"PATH": os.defpath} | env, cwd=terminal.project,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [("list",), ("status",), ("config", "show"), ("serve",)], ids=" ".join)
def test_without_any_home_a_command_says_what_to_set_and_makes_nothing(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    done = homeless(terminal, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("mab: error: invalid: ")
    assert "MAB_HOME" in done.stderr
    assert list(terminal.project.iterdir()) == []


def test_without_any_home_a_state_directory_that_is_named_is_enough(terminal: Terminal) -> None:
    done = homeless(terminal, "list", "--json", MAB_HOME=str(terminal.home))
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr


def test_without_any_home_doctor_still_answers(terminal: Terminal) -> None:
    done = homeless(terminal, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert rows["state directory"]["verdict"] == "fail"
    assert "MAB_HOME" in rows["state directory"]["mend"]
    assert list(terminal.project.iterdir()) == []


def test_an_unset_home_falls_back_on_the_register_of_users(terminal: Terminal) -> None:
    done = subprocess.run(
        [*MAB, "config", "show", "--json"], env={"PATH": os.defpath}, cwd=terminal.project,
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert Path(json.loads(done.stdout)["home"]).is_absolute()
    assert "~" not in json.loads(done.stdout)["home"]
