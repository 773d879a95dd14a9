"""`mab watchdog` as a person and a program meet it."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.faces.terminal import SECONDS, Terminal, ended

SECRET = "0123456789abcdef0123"


@pytest.fixture
def silent(terminal: Terminal) -> str:
    """A conversation whose session b gave its last heartbeat 400 seconds ago, and holds a task."""
    conversation = terminal.opened("orchestrator", "tests", "docs")
    terminal.mab("heartbeat", conversation, "-s", "b")
    terminal.mab("task", "assign", conversation, "a task", "--to", "b")
    terminal.later(400)
    return conversation


def test_one_check_says_who_is_silent_and_what_became_of_its_tasks(terminal: Terminal, silent: str) -> None:
    terminal.mab("heartbeat", silent, "-s", "c")
    done = terminal.mab("watchdog", "--once", "--json", "-")
    (alert,) = [json.loads(line) for line in done.out.splitlines()]
    assert set(alert) == {
        "id", "at", "kind", "conversation_id", "session_id", "role", "status", "silent_seconds", "unread", "tasks",
    }  # fmt: skip
    assert (alert["kind"], alert["session_id"], alert["role"]) == ("silent", "b", "tests")
    assert alert["silent_seconds"] >= 400
    assert [(task["to"], task["fence"]) for task in alert["tasks"]] == [("c", 2)]
    assert re.search(rf"silent: {silent} session b \(tests\), 4\d\d s", done.err), done.err
    (entry,) = [e for e in terminal.mab("audit", silent, "50", "--json").json if e["action"] == "silence.warn"]
    assert entry["seq"] == alert["id"]
    again = terminal.mab("watchdog", "--once", "--json", "-")
    assert again.out == ""
    assert again.err == f"silent still: {silent} session b\n"


def test_a_check_that_finds_nothing_says_nothing(terminal: Terminal) -> None:
    terminal.opened()
    done = terminal.mab("watchdog", "--once")
    assert (done.out, done.err) == ("", "")


def test_the_threshold_and_the_capacity_are_what_was_asked_for(terminal: Terminal, silent: str) -> None:
    terminal.mab("heartbeat", silent, "-s", "c")
    assert terminal.mab("watchdog", "--once", "--threshold", "500", "--json", "-").out == ""
    alert = json.loads(terminal.mab("watchdog", "--once", "--capacity", "0", "--json", "-").out)
    assert [task["to"] for task in alert["tasks"]] == [None]


def test_a_file_collects_a_line_an_alert(terminal: Terminal, silent: str) -> None:
    path = terminal.root / "alerts.jsonl"
    for _ in range(2):
        terminal.mab("watchdog", "--once", "--json", str(path))
    terminal.mab("heartbeat", silent, "-s", "b")
    terminal.mab("watchdog", "--once", "--json", str(path))
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == [
        "silent",
        "recovered",
        "reassigned",
    ], "who is back gets what was held for want of anybody"


def test_a_program_is_run_with_each_alert(terminal: Terminal, silent: str) -> None:
    out = terminal.root / "got"
    terminal.mab("watchdog", "--once", "--exec", f"sh -c 'cat > {out}; echo $MAB_NOTICE_KIND >> {out}'")
    line, kind = out.read_text().splitlines()
    assert (json.loads(line)["session_id"], kind) == ("b", "silent")


def test_a_sink_that_fails_is_said_and_written_down_and_ends_nothing(terminal: Terminal, silent: str) -> None:
    path = terminal.root / "alerts.jsonl"
    path.symlink_to(terminal.root / "elsewhere")
    done = terminal.mab("watchdog", "--once", "--json", str(path), "--exec", "false")
    assert "json: notice" in done.err
    assert "exec: notice" in done.err
    assert "silent: " in done.err
    entries = [e for e in terminal.mab("audit", silent, "50", "--json").json if e["action"] == "alert.fail"]
    assert sorted(e["target"] for e in entries) == ["exec", "json"]
    assert all(e["facts"]["notice"] for e in entries)


@pytest.mark.parametrize(
    "words",
    [
        ("--interval", "0"), ("--threshold", "0"), ("--capacity", "-1"), ("--exec", "no-such-program"), ("--exec", "'"),
        ("--webhook", "http://example.org/", "--webhook-secret", SECRET), ("--webhook", "https://example.org/"),
        ("--webhook", "https://example.org/", "--webhook-secret", "short"),
    ],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_what_cannot_work_is_refused_before_the_first_check(
    terminal: Terminal, silent: str, words: tuple[str, ...]
) -> None:
    assert terminal.mab("watchdog", "--once", *words, status=2).code == "invalid"
    assert terminal.mab("watchdog", "--once", "--json", "-").out != ""


def test_it_goes_on_until_it_is_told_to_end(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("heartbeat", conversation, "-s", "b")
    for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        guard = terminal.started("watchdog", "--interval", "1", "--threshold", "1", "--json", "-")
        assert guard.stdout is not None
        try:
            assert json.loads(guard.stdout.readline())["kind"] in ("silent", "escalated", "recovered")
            # it looks again, and again
            terminal.process("heartbeat", conversation, "-s", "b")
            assert json.loads(guard.stdout.readline())["kind"] in ("silent", "escalated", "recovered")
        finally:
            guard.send_signal(number)
            done = ended(guard)
        assert done.status == status
        assert "Traceback" not in done.err


def test_a_post_that_nobody_takes_does_not_keep_it_from_ending(terminal: Terminal, silent: str) -> None:
    began = time.monotonic()
    done = terminal.mab(
        "watchdog", "--once", "--webhook", "http://127.0.0.1:9/", MAB_WEBHOOK_SECRET=SECRET,
    )  # fmt: skip
    assert time.monotonic() - began < SECONDS
    assert "webhook: notice" in done.err
    assert SECRET not in done.err


def test_the_secret_may_lie_in_a_file(terminal: Terminal, silent: str) -> None:
    path = Path(terminal.root / "secret")
    path.write_text(SECRET)
    path.chmod(0o600)
    words = ("--webhook", "http://127.0.0.1:9/", "--webhook-secret", f"file:{path}")
    assert "webhook: notice" in terminal.mab("watchdog", "--once", *words).err
    path.chmod(0o644)
    assert terminal.mab("watchdog", "--once", *words, status=9).code == "unavailable"


def test_the_settings_of_the_user_are_the_plan_and_a_flag_overrides_them(terminal: Terminal, silent: str) -> None:
    out = terminal.root / "got"
    file = terminal.root / "config" / "multiagent-bridge" / "bridge.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"[watchdog]\nthreshold_seconds = 900\ncommand = ['sh', '-c', 'cat > {out}']\nwebhook_secret = '{SECRET}'\n"
    )
    assert terminal.mab("watchdog", "--once", "--json", "-").out == ""
    assert terminal.mab("watchdog", "--once", "--json", "-", "--threshold", "300").out != ""
    assert json.loads(out.read_text())["kind"] == "silent"
    assert SECRET not in terminal.mab("config", "show", "--json").out


def test_the_settings_may_come_from_the_environment(terminal: Terminal, silent: str) -> None:
    assert terminal.mab("watchdog", "--once", "--json", "-", MAB_WATCHDOG__THRESHOLD_SECONDS="900").out == ""
    assert terminal.mab("watchdog", "--once", MAB_WATCHDOG__CAPACITY="-1", status=2).code == "invalid"
