from __future__ import annotations

import json
import signal
import time

import pytest

from tests.faces.terminal import SECONDS, Terminal, ended


def test_what_one_session_sends_the_other_reads_once(terminal: Terminal) -> None:
    conversation = terminal.opened()
    sent = terminal.mab("send", conversation, "hello", "--type", "question", "--file", "a.py", "--json").json
    assert sent == {
        "message_id": 1, "status": "sent", "redacted": False, "redactions": [], "to": ["b"], "unread": 0,
    }  # fmt: skip
    read = terminal.mab("check", conversation, "--json").json
    assert set(read) == {"messages", "unread"}
    (message,) = read["messages"]
    assert set(message) == {
        "id", "from", "role", "action_type", "message", "files_involved", "timestamp", "reply_to",
    }  # fmt: skip
    assert (message["message"], message["from"], message["files_involved"]) == ("hello", "a", ["a.py"])
    assert terminal.mab("check", conversation, "--json").json["messages"] == []


def test_a_person_reads_message_and_files_in_plain_lines(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "one\ntwo", "--file", "src/a.py")
    done = terminal.mab("check", conversation)
    assert done.out.splitlines()[1:] == ["  file | src/a.py", "  | one", "  | two"]
    assert done.err == "unread: 0\n"


def test_a_secret_is_replaced_and_the_sender_is_told(terminal: Terminal) -> None:
    conversation = terminal.opened()
    key = "AKIA" + "Q7WERTYUIOPASDFG"
    done = terminal.mab("send", conversation, f"use {key}")
    assert done.err == "redacted: AWS_KEY\n"
    assert terminal.mab("check", conversation, "--json").json["messages"][0]["message"] == "use AWS_KEY_REDACTED"


def test_a_message_comes_from_standard_input(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "-", given="grüße\nzwei".encode())
    assert terminal.mab("check", conversation, "--json").json["messages"][0]["message"] == "grüße\nzwei"


@pytest.mark.parametrize("given", [b"\xff\xfe", b"", b"a\x00b", b"x" * 50_001], ids=["bytes", "empty", "NUL", "long"])
def test_standard_input_that_is_no_message_is_invalid(terminal: Terminal, given: bytes) -> None:
    conversation = terminal.opened()
    assert terminal.mab("send", conversation, "-", given=given, status=2).code == "invalid"
    assert terminal.mab("check", conversation, "--json").json["messages"] == []


@pytest.mark.parametrize(
    "words",
    [("--type", "shout"), ("--to", "nobody"), ("--reply-to", "99"), ("--reply-to", "x"), ("--file", "a\nb")],
    ids=lambda words: " ".join(words).encode("unicode_escape").decode(),
)
def test_a_message_with_wrong_words_is_invalid(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.mab("send", terminal.opened(), "hello", *words, status=2).code == "invalid"


def test_one_key_stores_one_message_and_another_text_under_it_is_a_conflict(terminal: Terminal) -> None:
    conversation = terminal.opened()
    first = terminal.mab("send", conversation, "hello", "--key", "k", "--json").json
    assert terminal.mab("send", conversation, "hello", "--key", "k", "--json").json["message_id"] == first["message_id"]
    assert terminal.mab("send", conversation, "other", "--key", "k", status=8).code == "conflict"


def test_a_token_meets_the_limit_that_the_owner_does_not(terminal: Terminal) -> None:
    conversation = terminal.opened()
    token = terminal.token(conversation, "a")
    limit = {"MAB_LIMITS__WRITES": "[[2,60]]", "MAB_TOKEN": token}
    for _ in range(2):
        terminal.mab("send", conversation, "x", **limit)
    done = terminal.mab("send", conversation, "x", status=5, **limit)
    assert done.code == "too_fast"
    assert "try again in" in done.err
    terminal.mab("send", conversation, "x", MAB_LIMITS__WRITES="[[2,60]]")


@pytest.mark.parametrize(
    "token", ["0" * 64, "short", "ü" * 64, "f" * 10_000], ids=["wrong", "short", "foreign", "long"]
)
def test_a_wrong_token_is_not_allowed_and_leaves_an_entry(terminal: Terminal, token: str) -> None:
    conversation = terminal.opened()
    assert terminal.mab("check", conversation, "--token", token, status=4).code == "not_allowed"
    entry = terminal.mab("audit", "-", "1", "--json").json[0]
    assert (entry["action"], entry["outcome"], entry["code"]) == ("message.check", "refused", "not_allowed")


def test_a_token_of_one_session_does_not_open_another(terminal: Terminal) -> None:
    conversation = terminal.opened()
    token = terminal.token(conversation, "a")
    assert terminal.mab("heartbeat", conversation, "-s", "b", "--token", token, status=4).code == "not_allowed"


def test_mail_that_is_kept_comes_again_and_history_finds_what_was_read(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "the fox")
    assert terminal.mab("check", conversation, "--keep", "--json").json["unread"] == 1
    assert len(terminal.mab("check", conversation, "--json").json["messages"]) == 1
    assert [m["message"] for m in terminal.mab("check", conversation, "--history", "--json").json["messages"]] == [
        "the fox"
    ]
    assert len(terminal.mab("check", conversation, "--query", "FOX", "--json").json["messages"]) == 1
    assert terminal.mab("check", conversation, "--query", "hen", "--json").json["messages"] == []


def test_a_heartbeat_makes_a_session_alive(terminal: Terminal) -> None:
    conversation = terminal.opened()
    assert terminal.mab("heartbeat", conversation, "-s", "b", "--json").json == {"session_id": "b", "unread": 0}
    (row,) = terminal.mab("status", "--json").json["conversations"]
    assert [(s["session_id"], s["alive"]) for s in row["sessions"]] == [("a", False), ("b", True)]


def test_a_check_that_waits_is_woken_by_a_message_of_another_process(terminal: Terminal) -> None:
    conversation = terminal.opened()
    waiting = terminal.started("check", conversation, "--wait", "50", "--json")
    until = time.monotonic() + SECONDS
    # the first one wakes it; the others only bound the test on a machine where it is slow to start
    while waiting.poll() is None and time.monotonic() < until:
        terminal.process("send", conversation, "wake up")
    done = ended(waiting)
    assert done.status == 0
    assert done.json["messages"][0]["message"] == "wake up"


def test_a_check_that_waits_in_vain_returns_no_messages(terminal: Terminal) -> None:
    assert terminal.mab("check", terminal.opened(), "--wait", "0.05", "--json").json == {"messages": [], "unread": 0}


def test_tail_shows_the_last_entries_with_what_was_said(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "one\ntwo")
    out = terminal.mab("tail", conversation, "--once").out
    assert "message.send  message 1\n        | one\n        | two\n" in out
    assert "one" not in terminal.mab("tail", conversation, "--once", "--no-texts").out
    lines = terminal.mab("tail", conversation, "--once", "--json", "-n", "2").out.splitlines()
    assert len(lines) == 2
    assert all({"seq", "action", "outcome", "prev"} <= set(json.loads(line)) for line in lines)


def test_tail_follows_what_other_processes_do_until_it_is_interrupted(terminal: Terminal) -> None:
    conversation = terminal.opened()
    following = terminal.started("tail", conversation, "--json")
    assert following.stdout is not None
    try:
        while json.loads(following.stdout.readline())["action"] != "invite.create":
            pass
        terminal.process("send", conversation, "seen at once")
        entry = json.loads(following.stdout.readline())
        while entry["action"] != "message.send":
            entry = json.loads(following.stdout.readline())
        assert entry["message"] == "seen at once"
    finally:
        following.send_signal(signal.SIGINT)
        done = ended(following)
    assert done.status == 130
    assert "Traceback" not in done.err
