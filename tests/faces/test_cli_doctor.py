from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import pytest

from multiagent_bridge.adapters.sandbox import choice
from multiagent_bridge.cli import checks, checks_sandbox, checks_store, doctor
from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.model.sandboxes import Profile
from tests.faces.terminal import Terminal
from tests.faces.test_cli_status import serving


def found(terminal: Terminal, status: int | None = None, **env: str) -> dict[str, dict[str, str]]:
    """Checks by name; of several of one name the worst."""
    told = terminal.mab("doctor", "--json", status=status, **env).json
    worst: dict[str, dict[str, str]] = {}
    for row in told["checks"]:
        assert set(row) == {"check", "verdict", "found", "mend"}
        assert row["verdict"] in ("ok", "warn", "fail")
        assert row["mend"] or row["verdict"] != "fail", "a failure says what mends it"
        if row["check"] not in worst or row["verdict"] == "fail":
            worst[row["check"]] = row
    assert told["ok"] is all(row["verdict"] != "fail" for row in told["checks"])
    return worst


def test_a_fresh_machine_is_healthy_and_nothing_is_made(terminal: Terminal) -> None:
    rows = found(terminal, 0)
    assert set(rows) >= {"python", "sqlite", "configuration", "state directory", "socket path"}
    assert set(rows) >= {"master key", "database", "clock", "hub", "sandbox", "clients"}
    assert not terminal.home.exists()


def test_a_used_state_directory_is_healthy_and_its_journal_verifies(terminal: Terminal) -> None:
    terminal.opened()
    rows = found(terminal, 0)
    assert "2 entries verify" in rows["journal"]["found"]
    assert "sound" in rows["database"]["found"]
    assert rows["disk"]["verdict"] in ("ok", "warn")


def test_a_person_sees_a_table_with_what_mends_each_failure(terminal: Terminal) -> None:
    terminal.opened()
    (terminal.home / "master.key").chmod(0o644)
    done = terminal.mab("doctor", status=1)
    lines = done.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("fail  master key"))
    assert (
        lines[at + 1].strip()
        == f"mend: chmod 600 {terminal.home}/master.key, then: mab rotate CONV for each conversation"
    )
    assert "\x1b" not in done.out
    assert "1 failed" in done.err


def test_the_command_that_is_named_mends(terminal: Terminal) -> None:
    terminal.opened()
    terminal.home.chmod(0o755)
    row = found(terminal, 1)["state directory"]
    assert row["mend"] == f"chmod 700 {terminal.home}"
    assert os.system(row["mend"]) == 0
    found(terminal, 0)


def test_a_state_directory_that_is_a_link_fails(terminal: Terminal) -> None:
    (terminal.root / "elsewhere").mkdir(mode=0o700)
    terminal.home.symlink_to(terminal.root / "elsewhere")
    assert found(terminal, 1)["state directory"]["verdict"] == "fail"


def test_a_state_directory_that_is_a_file_fails(terminal: Terminal) -> None:
    terminal.home.write_text("")
    rows = found(terminal, 1)
    assert rows["state directory"]["verdict"] == "fail"


def test_a_planted_link_is_named(terminal: Terminal) -> None:
    terminal.opened()
    (terminal.home / "hub.log").symlink_to("/etc/passwd")
    row = found(terminal, 1)["planted file"]
    assert str(terminal.home / "hub.log") in row["found"]


@pytest.mark.parametrize(
    ("content", "verdict"), [(b"", "fail"), (b"zz" * 32, "fail"), (b"ab" * 31, "fail"), (b"ab" * 32 + b"\n", "ok")]
)
def test_a_master_key_is_64_hex_characters(terminal: Terminal, content: bytes, verdict: str) -> None:
    terminal.home.mkdir(mode=0o700)
    key = terminal.home / "master.key"
    key.touch(mode=0o600)
    key.write_bytes(content)
    assert found(terminal)["master key"]["verdict"] == verdict


def test_a_key_that_is_missing_beside_a_database_fails_and_is_not_made_anew(terminal: Terminal) -> None:
    terminal.opened()
    (terminal.home / "master.key").unlink()
    rows = found(terminal, 1)
    assert rows["master key"]["verdict"] == "fail"
    assert rows["journal"]["verdict"] == "warn"
    assert not (terminal.home / "master.key").exists()


def test_a_key_of_another_database_does_not_verify_its_journal(terminal: Terminal) -> None:
    terminal.opened()
    terminal.mab("audit", "--checkpoint")
    (terminal.home / "master.key").write_text("ab" * 32)
    assert found(terminal, 1)["journal"]["verdict"] == "fail"


class Keyring:
    """A desktop's keyring with these entries."""

    def __init__(self, key: str | None, broken: bool = False) -> None:
        self.key, self.broken = key, broken

    def get_password(self, service: str, username: str) -> str | None:
        if self.broken:
            raise RuntimeError("locked")
        return self.key

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("a doctor makes nothing")


@pytest.mark.parametrize(
    ("keyring", "used", "verdict"),
    [
        (Keyring("ab" * 32), False, "ok"), (Keyring("ab"), False, "fail"), (Keyring(None), False, "ok"),
        (Keyring(None), True, "fail"), (Keyring(None, broken=True), False, "fail"), (None, False, "fail"),
    ],
    ids=["there", "short", "not yet", "lost", "locked", "not installed"],
)  # fmt: skip
def test_a_key_in_the_keyring_is_looked_up_and_not_made(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, keyring: Keyring | None, used: bool, verdict: str
) -> None:
    if used:
        terminal.opened()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert found(terminal, MAB_MASTER_KEY="keyring")["master key"]["verdict"] == verdict


def test_a_key_in_the_environment_is_looked_at(terminal: Terminal) -> None:
    assert found(terminal, MAB_MASTER_KEY="ab" * 32)["master key"]["verdict"] == "ok"
    row = found(terminal, 1, MAB_MASTER_KEY="short")["master key"]
    assert row["verdict"] == "fail"
    assert "short" not in row["found"]


def test_a_damaged_database_fails(terminal: Terminal) -> None:
    terminal.opened()
    database = terminal.home / "bridge.db"
    content = bytearray(database.read_bytes())
    content[4096:] = random.Random(1).randbytes(len(content) - 4096)
    database.write_bytes(content)
    assert found(terminal, 1)["database"]["verdict"] == "fail"


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\0" * 500])
def test_a_file_that_is_no_database_fails(terminal: Terminal, content: bytes) -> None:
    terminal.opened()
    (terminal.home / "bridge.db").write_bytes(content)
    assert found(terminal, 1)["database"]["verdict"] == "fail"


def test_a_database_of_a_newer_version_fails_and_the_upgrade_is_named(terminal: Terminal) -> None:
    terminal.opened()
    connection = apsw.Connection(str(terminal.home / "bridge.db"))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    row = found(terminal, 1)["database"]
    assert (row["verdict"], "upgrade" in row["mend"]) == ("fail", True)


def test_an_edited_entry_fails_and_is_named(terminal: Terminal) -> None:
    from tests.faces.test_cli_audit import altered

    terminal.opened()
    terminal.opened()
    altered(terminal, 2)
    row = found(terminal, 1)["journal"]
    assert row["verdict"] == "fail"
    assert "entry 2" in row["found"]


def test_a_clock_behind_the_newest_entry_fails(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.opened()
    real = checks_store.time.time
    monkeypatch.setattr(checks_store.time, "time", lambda: real() - 3600)
    row = found(terminal, 1)["clock"]
    assert row["verdict"] == "fail"
    assert "behind the newest entry" in row["found"]


def test_a_wrong_setting_fails_and_the_other_checks_still_run(terminal: Terminal) -> None:
    terminal.opened()
    (terminal.project / "bridge.toml").write_text("colour = 'red'\n")
    rows = found(terminal, 1)
    assert rows["configuration"]["verdict"] == "fail"
    assert "colour" in rows["configuration"]["found"]
    assert str(terminal.project / "bridge.toml") in rows["configuration"]["mend"]
    assert rows["state directory"]["verdict"] == "ok"
    assert rows["database"]["verdict"] == "ok"


def test_a_running_hub_is_greeted_and_timed(terminal: Terminal) -> None:
    with serving(terminal) as hub:
        row = found(terminal, 0)["hub"]
        assert f"process {hub.pid}" in row["found"]
        assert "answered in" in row["found"]


def test_a_hub_that_hangs_fails_and_the_command_that_ends_it_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiagent_bridge.cli import running

    monkeypatch.setattr(running.look, "__defaults__", (0.3,))
    with serving(terminal) as hub:
        hub.send_signal(signal.SIGSTOP)
        try:
            row = found(terminal, 1)["hub"]
        finally:
            hub.send_signal(signal.SIGCONT)
        assert (row["verdict"], row["mend"]) == ("fail", f"kill -9 {hub.pid}")


def test_a_socket_of_nobody_is_a_warning_and_a_file_in_its_place_fails(terminal: Terminal) -> None:
    terminal.opened()
    place = terminal.home / "hub.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    assert found(terminal, 0)["hub"]["verdict"] == "warn"
    place.unlink()
    place.write_text("")
    assert found(terminal, 1)["hub"]["verdict"] == "fail"


def client(root: Path, entry: dict[str, Any]) -> None:
    (root / ".claude.json").write_text(json.dumps({"mcpServers": {"mab": entry}}))


def test_a_configured_client_is_named_and_one_whose_program_is_gone_fails(terminal: Terminal) -> None:
    client(terminal.root, {"command": sys.executable, "args": ["mab"]})
    assert found(terminal, 0)["clients"]["verdict"] == "warn"
    script = terminal.root / "mab"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    client(terminal.root, {"command": str(script), "args": ["mcp"]})
    assert "Claude Code" in found(terminal, 0)["clients"]["found"]
    script.unlink()
    row = found(terminal, 1)["client"]
    assert (row["verdict"], row["mend"]) == ("fail", "mab init --client claude-code --yes")


def test_a_client_file_that_does_not_parse_is_a_warning(terminal: Terminal) -> None:
    (terminal.root / ".claude.json").write_text("{")
    assert found(terminal, 0)["client"]["verdict"] == "warn"


class Stub:
    """A sandbox that is good for these modes, or does not work."""

    def __init__(self, name: str, *modes: str, error: BridgeError | None = None) -> None:
        self.name, self._modes, self._error = name, modes, error

    async def profile(self) -> Profile:
        if self._error is not None:
            raise self._error
        return Profile(self.name, "f", self._modes, (f"what {self.name} lacks",))


BROKEN = Unavailable("it cannot be built", "install it anew")
ALL = ("safe", "restricted", "yolo")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ((Stub("bubblewrap", *ALL), Stub("landlock", error=BROKEN)), {
            "bubblewrap": ("ok", "confines; good for safe, restricted, yolo", ""),
            "landlock": ("ok", "it cannot be built", ""),
            "sandbox": ("ok", "commands run in bubblewrap", ""),
            "sandbox lacks": ("ok", "what bubblewrap lacks", ""),
        }),
        ((Stub("bubblewrap", error=BROKEN), Stub("landlock", "safe")), {
            "bubblewrap": ("warn", "it cannot be built", "install it anew"),
            "sandbox": ("warn", "commands run in landlock, which is not enough for restricted and yolo", checks_sandbox.INSTALL),
            "sandbox lacks": ("ok", "what landlock lacks", ""),
        }),
        ((Stub("bubblewrap", error=BROKEN), Stub("landlock", error=BROKEN)), {
            "bubblewrap": ("warn", "it cannot be built", "install it anew"),
            "landlock": ("warn", "it cannot be built", "install it anew"),
            "sandbox": ("warn", "none works here, so commands are refused", checks_sandbox.INSTALL),
        }),
        ((Stub("bubblewrap", error=BROKEN), Stub("none", "safe")), {
            "no sandbox": ("warn", "where no sandbox works, commands of mode safe run without one",
                           "take sandbox_required out of [yolo] in your bridge.toml"),
            "sandbox": ("warn", "none works here, so commands are refused", checks_sandbox.INSTALL),
        }),
        ((Stub("bubblewrap", *ALL), Stub("docker", error=BROKEN)), {
            "docker": ("warn", "it cannot be built", "install it anew"),
            "sandbox": ("ok", "commands run in bubblewrap", ""),
        }),
    ],
    ids=["best", "reduced", "nothing", "none", "docker"],
)  # fmt: skip
def test_each_sandbox_is_run_and_what_does_not_work_says_why(
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    there: tuple[Stub, ...],
    wanted: dict[str, tuple[str, str, str]],
) -> None:
    monkeypatch.setattr(choice, "sandboxes", lambda *settings: there)
    rows = found(terminal, 0)
    assert {name: (rows[name]["verdict"], rows[name]["found"], rows[name]["mend"]) for name in wanted} == wanted


def test_the_settings_say_which_sandboxes_are_looked_at(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(choice, "sandboxes", lambda *settings: seen.append(settings) or ())
    (terminal.user / "bridge.toml").write_text(
        '[yolo]\nuser = "worker"\ndocker_image = "tools"\ndocker_runtime = "runsc"\nsandbox_required = false\n'
    )
    found(terminal, 0)
    assert seen[0][1:] == ("worker", "tools", "runsc", False)
    assert not seen[0][0].exists()
    terminal.opened()
    found(terminal, 0)
    assert seen[1][0] == terminal.home


def test_a_user_for_commands_who_is_not_there_is_named(terminal: Terminal) -> None:
    rows = found(terminal, 0, MAB_YOLO__USER="no-such-user")
    assert "no-such-user" in rows["bubblewrap"]["found"]
    assert rows["sandbox"]["verdict"] == "warn"


def test_a_check_that_breaks_down_is_a_failure_and_not_the_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faints(patient: checks.Patient) -> Any:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(checks, "socket_path", faints)
    rows = found(terminal, 1)
    assert "ZeroDivisionError" in rows["socket path"]["found"]
    assert "clients" in rows


def test_a_part_of_the_program_that_is_missing_is_a_failure_with_the_repair(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apsw", None)
    rows = found(terminal, 1)
    assert rows["sqlite"]["verdict"] == "fail"
    assert "pip install" in rows["sqlite"]["mend"]


def test_every_examination_is_there(terminal: Terminal) -> None:
    for name, module in doctor.EXAMINATIONS:
        assert callable(getattr(import_module(f"multiagent_bridge.cli.{module}"), name))


def test_without_a_home_directory_doctor_says_so_without_a_traceback(terminal: Terminal) -> None:
    done = terminal.process("doctor", "--json", status=None, without=("HOME", "MAB_HOME", "XDG_CONFIG_HOME"))
    assert "Traceback" not in done.err
    assert done.json["checks"]


def test_control_characters_of_a_path_never_reach_the_terminal(terminal: Terminal) -> None:
    strange = terminal.root / "a\x1b[31mb"
    strange.write_text("")
    done = terminal.mab("doctor", status=1, MAB_HOME=str(strange))
    assert "\x1b" not in done.out
    assert "\\x1b[31mb" in done.out
