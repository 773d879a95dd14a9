"""`mab watch` and `mab keepalive`: a line for each thing that happened, and never a word of it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faces.terminal import SECONDS, Done, Terminal, ended


class Following:
    """A command that follows along, its lines read one by one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.done: Done | None = None

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def left(self, number: int = signal.SIGTERM) -> Done:
        self.process.send_signal(number)
        return ended(self.process)


@contextmanager
def following(terminal: Terminal, conversation: str, *words: str, **env: str) -> Iterator[Following]:
    """The command, once it listens: the first line it prints is of mail that waited already."""
    process = terminal.started(*words, "--json", **env)
    made = Following(process)
    try:
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def begun(terminal: Terminal, conversation: str, action: str) -> None:
    """Wait until the command has written that it begins."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if any(e["action"] == action for e in terminal.mab("audit", conversation, "50", "--json").json):
            return
        time.sleep(0.05)
    raise AssertionError(f"no {action}")


def test_a_watch_prints_a_line_for_what_other_processes_do(terminal: Terminal) -> None:
    conversation = terminal.opened()
    with following(terminal, conversation, "watch", conversation) as watch:
        begun(terminal, conversation, "journal.watch")
        terminal.mab("send", conversation, "xyzzy", "--type", "question")
        assert watch.line() == {
            "seq": 4, "at": watch_at(terminal, conversation), "event": "mail", "action": "message.send",
            "conversation_id": conversation, "from": "a", "role": "backend", "to": ["b"], "message_id": 1,
            "action_type": "question",
        }  # fmt: skip
        terminal.mab("task", "assign", conversation, "xyzzy", "--to", "b")
        assert [watch.line()["event"] for _ in range(2)] == ["task", "mail"]
        done = watch.left()
    assert (done.status, done.out) == (0, "")
    assert "Traceback" not in done.err


def watch_at(terminal: Terminal, conversation: str) -> str:
    entries = terminal.mab("audit", conversation, "50", "--json").json
    return str(next(e["at"] for e in entries if e["action"] == "message.send"))


def test_a_watched_session_hears_only_what_is_for_it_and_its_sender_that_it_was_told(terminal: Terminal) -> None:
    conversation = terminal.opened("orchestrator", "backend", "tests")
    terminal.mab("send", conversation, "before", "--to", "b")
    with following(terminal, conversation, "watch", conversation, "-s", "b") as watch:
        assert watch.line() == {"event": "waiting", "unread": 1}
        terminal.mab("send", conversation, "not for b", "--to", "c")
        terminal.mab("send", conversation, "for b", "--to", "b")
        assert watch.line()["message_id"] == 3
        begun(terminal, conversation, "message.notify")
        done = watch.left(signal.SIGINT)
    assert done.status == 130
    (entry,) = [e for e in terminal.mab("audit", conversation, "50", "--json").json if e["action"] == "message.notify"]
    assert (entry["session"], entry["facts"]) == ("b", {"through": 3})
    assert terminal.mab("check", conversation, "-s", "b", "--json").json["unread"] == 0, "both were still unread"


def test_a_program_is_run_for_each_line_without_the_text(terminal: Terminal) -> None:
    conversation, out = terminal.opened(), terminal.root / "got"
    program = f"sh -c 'cat >> {out}; echo $MAB_NOTICE_MESSAGE_ID >> {out}'"
    with following(terminal, conversation, "watch", conversation, "-s", "b", "--exec", program) as watch:
        begun(terminal, conversation, "journal.watch")
        terminal.mab("send", conversation, "xyzzy")
        watch.line()
        assert watch.left().status == 0
    line, number = out.read_text().splitlines()
    assert (json.loads(line)["message_id"], number) == (1, "1")
    assert "xyzzy" not in line


def test_a_program_that_fails_is_said_and_written_down(terminal: Terminal) -> None:
    conversation = terminal.opened()
    with following(terminal, conversation, "watch", conversation, "--exec", "false") as watch:
        begun(terminal, conversation, "journal.watch")
        terminal.mab("send", conversation, "x")
        watch.line()
        begun(terminal, conversation, "alert.fail")
        assert "exec: notice" in watch.left().err


def test_a_person_sees_who_and_what_in_one_line(terminal: Terminal) -> None:
    conversation = terminal.opened()
    watch = terminal.started("watch", conversation)
    try:
        begun(terminal, conversation, "journal.watch")
        terminal.mab("send", conversation, "xyzzy")
        assert watch.stdout is not None
        line = watch.stdout.readline()
    finally:
        watch.send_signal(signal.SIGTERM)
        ended(watch)
    assert line.endswith(f"Z  mail: {conversation} from a (backend) to b: message 1, info\n")


@pytest.mark.parametrize("command", ["watch", "keepalive"])
def test_a_session_that_is_revoked_ends_what_follows_it_with_a_sentence(terminal: Terminal, command: str) -> None:
    conversation = terminal.opened()
    place = [conversation] if command == "watch" else ["--conversation", conversation, "--interval", "1"]
    with following(terminal, conversation, command, *place, "-s", "b") as follow:
        begun(terminal, conversation, {"watch": "journal.watch", "keepalive": "status.heartbeat"}[command])
        terminal.mab("revoke", conversation, "b")
        terminal.mab("send", conversation, "x", "-s", "b", "--to", "a")
        done = ended(follow.process)
    assert (done.status, done.code) == (3, "refused")
    assert f"mab rotate {conversation} b" in done.err


def test_what_cannot_be_followed_is_said_at_once(terminal: Terminal) -> None:
    conversation = terminal.opened()
    assert terminal.mab("watch", "--session", "b", status=2).code == "invalid"
    assert terminal.mab("watch", "conv_nobody", status=7).code == "not_found"
    assert terminal.mab("watch", conversation, "-s", "z", status=7).code == "not_found"
    assert terminal.mab("watch", conversation, "--exec", "no-such-program", status=2).code == "invalid"
    assert terminal.mab("keepalive", "-c", conversation, "-s", "z", status=7).code == "not_found"
    assert terminal.mab("keepalive", "-s", "b", status=2, MAB_TOKEN="0" * 64).code == "invalid"
    wrong = terminal.mab("keepalive", "-c", conversation, "-s", "b", status=4, MAB_TOKEN="0" * 64)
    assert wrong.code == "not_allowed"
    terminal.later(4 * 3600)
    assert terminal.mab("watch", conversation, status=3).code == "refused"
    assert terminal.mab("keepalive", "-c", conversation, "-s", "b", status=3).code == "refused"


def test_a_keepalive_beats_and_tells_of_mail_which_stays_unread(terminal: Terminal) -> None:
    conversation = terminal.opened()
    token = terminal.root / "token"
    token.write_text(terminal.token(conversation, "b"))
    token.chmod(0o600)
    words = ("keepalive", "--conversation", conversation, "-s", "b", "--token-file", str(token), "--interval", "1")
    with following(terminal, conversation, *words) as keep:
        begun(terminal, conversation, "status.heartbeat")
        for number in (1, 2):
            terminal.mab("send", conversation, "xyzzy")
            line = keep.line()
            assert (line["unread"], line["from"], line["message_id"]) == (number, "a", number)
            assert "xyzzy" not in str(line)
        begun(terminal, conversation, "message.notify")
        assert terminal.mab("check", conversation, "--json").json["messages"][0]["id"] == 1
        assert keep.left().status == 0
    entries = [e for e in terminal.mab("audit", conversation, "90", "--json").json if e["action"] == "status.heartbeat"]
    assert {e["actor"] for e in entries} == {f"session {conversation}/b"}


def test_a_keepalive_without_words_is_for_the_one_conversation_there_is(terminal: Terminal) -> None:
    assert terminal.mab("keepalive", status=2).code == "invalid"
    conversation = terminal.opened()
    keep = terminal.started("keepalive", "-s", "b")
    try:
        begun(terminal, conversation, "status.heartbeat")
        terminal.mab("send", conversation, "x")
        assert keep.stdout is not None
        assert keep.stdout.readline() == "unread: 1; message 1 from a (backend)\n"
    finally:
        keep.send_signal(signal.SIGINT)
        done = ended(keep)
    assert done.status == 130
    terminal.opened()
    assert terminal.mab("keepalive", status=2).code == "invalid"


def test_a_token_file_that_is_missing_or_open_to_others_is_refused(terminal: Terminal) -> None:
    conversation = terminal.opened()
    path = terminal.root / "token"
    words = ("keepalive", "-c", conversation, "-s", "b", "--token-file", str(path))
    assert terminal.mab(*words, status=7).code == "not_found"
    path.write_text(terminal.token(conversation, "b"))
    path.chmod(0o644)
    assert terminal.mab(*words, status=9).code == "unavailable"
