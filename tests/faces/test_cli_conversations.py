from __future__ import annotations

import re

import pytest

from tests.faces.terminal import Terminal

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def test_create_gives_an_invite_for_every_session_and_the_fields_of_the_tool(terminal: Terminal) -> None:
    made = terminal.mab("create", "backend", "frontend", "reviewer", "--json").json
    assert set(made) == {
        "conversation_id", "session_id", "session_a_token", "session_b_token", "session_c_token", "sessions", "expires_at",
    }  # fmt: skip
    assert [(s["session_id"], s["role"]) for s in made["sessions"]] == [
        ("a", "backend"), ("b", "frontend"), ("c", "reviewer"),
    ]  # fmt: skip
    assert all(re.fullmatch(r"[0-9a-z]{5}-[0-9a-z]{5}", s["invite"]) for s in made["sessions"])
    assert re.fullmatch(INSTANT, made["expires_at"])


def test_create_off_a_terminal_prints_plain_rows_and_talks_on_stderr(terminal: Terminal) -> None:
    done = terminal.mab("create", "backend", "frontend")
    assert re.search(r"^conversation  conv_\w{12}$", done.out, re.M)
    assert re.search(r"^a  backend   \S+$", done.out, re.M)
    assert "\x1b" not in done.out
    assert "join_conversation" in done.err
    assert "join_conversation" not in done.out


@pytest.mark.parametrize(
    "words",
    [("create", "alone"), ("create", "backend", "x"), ("create", "back\x1bend", "frontend"), ("create",)],
    ids=["one role", "short role", "control character", "no role"],
)
def test_create_with_roles_that_are_none_is_invalid(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.mab(*words, status=2).code == "invalid"


def test_create_refuses_a_lifetime_out_of_range(terminal: Terminal) -> None:
    assert terminal.mab("create", "backend", "frontend", "--ttl", "0", status=2).code == "invalid"


def test_an_empty_list_is_an_empty_array_and_says_what_to_do_on_stderr(terminal: Terminal) -> None:
    assert terminal.mab("list", "--json").json == []
    done = terminal.mab("list")
    assert done.out == ""
    assert "mab create" in done.err


def test_list_shows_sessions_with_what_they_have_not_read(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "hello")
    (row,) = terminal.mab("list", "--json").json
    assert set(row) == {"conversation_id", "sessions", "messages", "expires_at"}
    assert row["messages"] == 1
    assert [(s["session_id"], s["unread"]) for s in row["sessions"]] == [("a", 0), ("b", 1)]
    assert f"{conversation}  a:backend b:frontend  1  " in terminal.mab("list").out


def test_show_says_of_every_message_where_it_stands(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "first", "--file", "src/a.py")
    terminal.mab("check", conversation)
    terminal.mab("send", conversation, "second")
    seen = terminal.mab("show", conversation, "--json").json
    assert set(seen) == {"conversation_id", "created_at", "expires_at", "sessions", "messages"}
    assert [(m["message"], m["deliveries"]) for m in seen["messages"]] == [
        ("first", [{"to": "b", "state": "acknowledged"}]),
        ("second", [{"to": "b", "state": "stored"}]),
    ]
    text = terminal.mab("show", conversation).out
    assert "  file | src/a.py\n  | first\n" in text
    assert [m["message"] for m in terminal.mab("show", conversation, "--after", "1", "--json").json["messages"]] == [
        "second"
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "conv_nowhere"),
        ("tokens", "conv_nowhere"),
        ("rotate", "conv_nowhere"),
        ("revoke", "conv_nowhere"),
        ("extend", "conv_nowhere"),
        ("invite", "conv_nowhere", "b"),
        ("send", "conv_nowhere", "hello"),
        ("check", "conv_nowhere"),
        ("heartbeat", "conv_nowhere"),
        ("audit", "conv_nowhere"),
        ("tail", "conv_nowhere"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_conversation_is_not_found(terminal: Terminal, words: tuple[str, ...]) -> None:
    done = terminal.mab(*words, status=7)
    assert done.code == "not_found"
    assert "mab: hint: " in done.err
    assert done.out == ""


@pytest.mark.parametrize("verb", ["invite", "rotate", "revoke"])
def test_an_unknown_session_is_not_found(terminal: Terminal, verb: str) -> None:
    assert terminal.mab(verb, terminal.opened(), "q", status=7).code == "not_found"


def test_tokens_are_shown_to_the_owner_and_the_showing_is_an_entry(terminal: Terminal) -> None:
    conversation = terminal.opened()
    rows = terminal.mab("tokens", conversation, "--json").json["sessions"]
    assert [set(row) for row in rows] == [{"session_id", "role", "token"}] * 2
    assert all(re.fullmatch("[0-9a-f]{64}", row["token"]) for row in rows)
    assert terminal.mab("audit", conversation, "1", "--json").json[0]["action"] == "token.show"


def test_a_rotated_token_works_and_the_one_before_does_not(terminal: Terminal) -> None:
    conversation = terminal.opened()
    old = terminal.token(conversation, "a")
    rotated = terminal.mab("rotate", conversation, "a", "--json").json
    (row,) = rotated["sessions"]
    assert row["session_id"] == "a"
    assert row["token"] != old
    assert terminal.mab("send", conversation, "old", "--token", old, status=4).code == "not_allowed"
    terminal.mab("send", conversation, "new", "--token", row["token"])


def test_a_revoked_session_sends_nothing_until_it_is_rotated(terminal: Terminal) -> None:
    conversation = terminal.opened()
    token = terminal.token(conversation, "b")
    assert "b" in terminal.mab("revoke", conversation, "b").err
    assert terminal.mab("send", conversation, "x", "-s", "b", "--token", token, status=4).code == "not_allowed"
    assert terminal.mab("invite", conversation, "b", status=3).code == "refused"
    fresh = terminal.mab("rotate", conversation, "b", "--json").json["sessions"][0]["token"]
    terminal.mab("send", conversation, "x", "-s", "b", "--token", fresh)


def test_extend_moves_the_end_and_says_where_to(terminal: Terminal) -> None:
    conversation = terminal.opened()
    before = terminal.mab("show", conversation, "--json").json["expires_at"]
    after = terminal.mab("extend", conversation, "--seconds", "86400", "--json").json
    assert set(after) == {"conversation_id", "expires_at"}
    assert after["expires_at"] > before
    assert terminal.mab("extend", conversation, "--seconds", "0", status=2).code == "invalid"


def test_cleanup_takes_no_negative_age_which_would_erase_the_living(terminal: Terminal) -> None:
    terminal.opened()
    assert terminal.mab("cleanup", "--yes", "--older-than", "-999999", status=2).code == "invalid"
    assert len(terminal.mab("list", "--json").json) == 1


def test_an_expired_conversation_refuses_tokens_until_it_is_extended(terminal: Terminal) -> None:
    conversation = terminal.opened()
    token = terminal.token(conversation, "a")
    terminal.later(4 * 3600)
    assert terminal.mab("send", conversation, "late", "--token", token, status=3).code == "refused"
    assert terminal.mab("invite", conversation, "b", status=3).code == "refused"
    terminal.mab("extend", conversation)
    terminal.mab("send", conversation, "in time", "--token", token)


def test_cleanup_wants_a_yes_and_erases_only_what_has_expired(terminal: Terminal) -> None:
    kept, gone = terminal.opened(), terminal.opened()
    terminal.mab("send", gone, "to be forgotten")
    assert terminal.mab("cleanup", status=3).code == "refused"
    terminal.mab("extend", gone, "--seconds", "60")
    assert terminal.mab("cleanup", "--yes", "--json").json == []
    terminal.later(61)
    assert terminal.mab("cleanup", "--yes", "--older-than", "60", "--json").json == []
    assert terminal.mab("cleanup", "--yes", "--json").json == [gone]
    assert [row["conversation_id"] for row in terminal.mab("list", "--json").json] == [kept]
    assert terminal.mab("audit", gone, "--json").json[-1]["action"] == "conversation.erase"
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True
