from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from multiagent_bridge.cli import running
from tests.faces.terminal import Terminal, ended


@contextmanager
def serving(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    """A hub in a process of its own, until the block ends."""
    hub = terminal.started("serve")
    try:
        assert hub.stderr is not None
        assert "listens" in hub.stderr.readline()
        yield hub
    finally:
        hub.terminate()
        ended(hub)


def test_a_fresh_machine_has_no_state_and_status_makes_none(terminal: Terminal) -> None:
    assert terminal.mab("status", "--json").json == {
        "warnings": [],
        "state_directory": str(terminal.home),
        "hub": {"state": "none", "pid": None, "version": None, "connections": None},
        "conversations": [],
        "more": 0,
        "entries": 0,
        "newest_entry": None,
        "store_away": None,
    }
    assert "not running" in terminal.mab("status").out
    assert not terminal.home.exists()


def test_status_starts_no_hub(terminal: Terminal) -> None:
    terminal.opened()
    assert terminal.process("status", "--json").json["hub"]["state"] == "none"
    assert not (terminal.home / "hub.sock").exists()


def test_status_shows_the_hub_that_runs(terminal: Terminal) -> None:
    with serving(terminal) as hub:
        told = terminal.mab("status", "--json").json["hub"]
        assert (told["state"], told["pid"]) == ("answers", hub.pid)
        assert f"process {hub.pid}" in terminal.mab("status").out


def test_status_shows_sessions_alive_and_unread_and_the_newest_entry(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "hello")
    terminal.mab("heartbeat", conversation, "-s", "a")
    told = terminal.mab("status", "--json").json
    (row,) = told["conversations"]
    assert set(row) == {"conversation_id", "expires_at", "expired", "messages", "sessions"}
    assert set(row["sessions"][0]) == {
        "session_id", "role", "status", "alive", "age_seconds", "unread", "revoked",
    }  # fmt: skip
    assert [(s["session_id"], s["alive"], s["unread"]) for s in row["sessions"]] == [("a", True, 0), ("b", False, 1)]
    assert told["newest_entry"]["action"] == "status.heartbeat"
    assert told["entries"] == told["newest_entry"]["seq"]
    text = terminal.mab("status").out
    assert "backend   working  alive       0 unread" in text
    assert "frontend  unknown  never seen  1 unread" in text


def test_warnings_come_first_and_name_what_mends_them(terminal: Terminal) -> None:
    silent, expired = terminal.opened(), terminal.opened()
    terminal.mab("heartbeat", silent, "-s", "b")
    terminal.later(3600)
    terminal.mab("extend", expired, "--seconds", "60")
    terminal.later(120)
    told = terminal.mab("status", "--json").json
    assert any(f"{silent}: session b (frontend) has been silent for 62 min" in warning for warning in told["warnings"])
    assert f"{expired} has expired: mab extend {expired}, or mab cleanup" in told["warnings"]
    lines = terminal.mab("status").out.splitlines()
    assert [line.startswith("warning: ") for line in lines[:3]] == [True, True, False]


def test_a_socket_that_a_dead_hub_left_is_a_warning(terminal: Terminal) -> None:
    terminal.opened()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(terminal.home / "hub.sock"))
    told = terminal.mab("status", "--json").json
    assert told["hub"]["state"] == "stale"
    assert any("left its socket behind" in warning for warning in told["warnings"])


def test_a_hub_that_does_not_answer_is_found_in_time(terminal: Terminal) -> None:
    with serving(terminal) as hub:
        hub.send_signal(signal.SIGSTOP)
        try:
            found = running.look(terminal.home, 0.2)
            assert (found.state, found.pid) == ("silent", hub.pid)
            assert found.milliseconds < 60_000
        finally:
            hub.send_signal(signal.SIGCONT)


def test_a_watched_status_is_printed_again_when_something_happens(terminal: Terminal) -> None:
    conversation = terminal.opened()
    watching = terminal.started("status", "--watch", "--json")
    assert watching.stdout is not None
    try:
        first = json.loads(watching.stdout.readline())
        assert first["conversations"][0]["messages"] == 0
        terminal.process("send", conversation, "news")
        # where the message takes long, what is there is told once more before
        while json.loads(watching.stdout.readline())["conversations"][0]["messages"] != 1:
            pass
    finally:
        watching.send_signal(signal.SIGINT)
        done = ended(watching)
    assert done.status == 130


def test_a_watched_status_waits_for_the_first_use(terminal: Terminal) -> None:
    watching = terminal.started("status", "--watch", "--json")
    assert watching.stdout is not None
    try:
        assert json.loads(watching.stdout.readline())["conversations"] == []
        assert not terminal.home.exists()
    finally:
        watching.send_signal(signal.SIGINT)
        assert ended(watching).status == 130
