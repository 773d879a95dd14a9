"""`mab key` as a person and a program meet it."""

from __future__ import annotations

import pytest

from multiagent_bridge.cli import owner
from multiagent_bridge.cli.key import span
from multiagent_bridge.errors import Invalid, NotAllowed
from multiagent_bridge.guard.identities import is_key
from multiagent_bridge.model.identities import Identity
from tests.faces.terminal import Terminal

FIELDS = {"key_id", "name", "roles", "conversations", "created_at", "expires_at", "revoked_at", "used_at"}


def authenticated(key: str) -> Identity:
    return owner.run(lambda hub, me: hub.identities.authenticate(key, "ip:192.0.2.7"))


def test_a_key_is_printed_alone_and_once(terminal: Terminal) -> None:
    done = terminal.mab("key", "create", "laptop", "--role", "agent")
    key = done.out.strip()
    assert is_key(key)
    assert key not in done.err
    assert (authenticated(key).name, authenticated(key).roles) == ("laptop", {"agent"})
    for words in (["key", "list"], ["key", "list", "--json"], ["audit"], ["audit", "--json"]):
        assert key[8:] not in terminal.mab(*words).out
    files = [path.read_bytes() for path in terminal.home.rglob("*") if path.is_file()]
    assert files
    assert not any(key.removeprefix("mab_key_").encode() in content for content in files)


def test_a_key_has_the_roles_and_the_conversations_it_was_given(terminal: Terminal) -> None:
    conversation = terminal.opened()
    made = terminal.mab(
        "key", "create", "ci", "--role", "operator", "--role", "auditor", "--conversation", conversation, "--json"
    ).json
    assert set(made) == FIELDS | {"key"}
    assert (made["roles"], made["conversations"]) == (["operator", "auditor"], [conversation])
    found = authenticated(made["key"])
    assert (found.id, found.conversations) == (made["key_id"], {conversation})


def test_the_list_says_where_each_key_stands(terminal: Terminal) -> None:
    first = terminal.mab("key", "create", "first", "--role", "agent", "--expires", "1h", "--json").json
    terminal.mab("key", "create", "second", "--role", "admin", "--expires", "never")
    third = terminal.mab("key", "create", "third", "--role", "agent", "--json").json
    authenticated(third["key"])
    terminal.mab("key", "revoke", third["key_id"])
    terminal.later(3601)
    rows = terminal.mab("key", "list", "--json").json
    assert [set(row) for row in rows] == [FIELDS] * 3
    assert [row["name"] for row in rows] == ["first", "second", "third"]
    assert rows[1]["expires_at"] is None
    assert rows[2]["used_at"] is not None
    assert rows[2]["revoked_at"] is not None
    lines = terminal.mab("key", "list").out.splitlines()
    assert [word for line in lines for word in line.split() if word in ("expired", "valid", "revoked")] == [
        "expired", "valid", "revoked",
    ]  # fmt: skip
    with pytest.raises(NotAllowed):
        authenticated(first["key"])


def test_a_revoked_key_opens_nothing(terminal: Terminal) -> None:
    made = terminal.mab("key", "create", "laptop", "--role", "agent", "--json").json
    terminal.mab("key", "revoke", made["key_id"])
    with pytest.raises(NotAllowed):
        authenticated(made["key"])
    assert terminal.mab("key", "revoke", made["key_id"], status=7).code == "not_found"


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["laptop"], 2, "invalid"),
        (["laptop", "--role", "owner"], 2, "invalid"),
        (["laptop", "--role", "agent", "--expires", "soon"], 2, "invalid"),
        (["laptop", "--role", "agent", "--expires", "59s"], 2, "invalid"),
        (["laptop", "--role", "agent", "--conversation", "conv_000000000000"], 7, "not_found"),
        (["", "--role", "agent"], 2, "invalid"),
    ],
)
def test_a_key_without_sense_is_refused(terminal: Terminal, words: list[str], status: int, code: str) -> None:
    assert terminal.mab("key", "create", *words, status=status).code == code
    assert terminal.mab("key", "list", "--json").json == []


def test_a_length_of_time_has_a_unit() -> None:
    assert [span(given) for given in ("90s", "45m", "12h", "30d", "never")] == [90, 2700, 43_200, 2_592_000, None]
    for wrong in ("", "30", "d", "-1d", "1.5h", "1w", "30 d", "\u0663d", "9999999999s", "Never"):
        with pytest.raises(Invalid):
            span(wrong)
