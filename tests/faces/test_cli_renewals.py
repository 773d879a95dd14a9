"""Commands that act by a token, when that is renewed; and what keeps a token in a file."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from multiagent_bridge import config
from multiagent_bridge.errors import Invalid
from tests.faces.terminal import Terminal

RENEWING = {"MAB_TOKENS__ROTATE_SECONDS": "3600", "MAB_TOKENS__GRACE_SECONDS": "600"}

COMMANDS: dict[str, tuple[str, ...]] = {
    "send": ("send", "CONV", "hello", "--session", "b"),
    "check": ("check", "CONV", "--session", "b"),
    "assign": ("task", "assign", "CONV", "a thing", "--session", "b"),
    "list": ("task", "list", "CONV", "--session", "b"),
}


class Desk:
    """A terminal with one conversation, whose session b acts by its token."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.conversation = terminal.opened()
        self.token = self.tokens()["b"]

    def tokens(self) -> dict[str, str]:
        shown = self._terminal.mab("tokens", self.conversation, "--json").json
        return {row["session_id"]: row["token"] for row in shown["sessions"]}

    def ages(self) -> None:
        """Two hours pass for the conversation, and no time for anybody else."""
        connection = apsw.Connection(str(self._terminal.home / "bridge.db"))
        connection.execute("UPDATE conversations SET created_at = created_at - 7200000000")
        connection.close()

    def mab(self, *words: str, token: str | None = None, status: int = 0) -> Any:
        named = [self.conversation if word == "CONV" else word for word in words]
        return self._terminal.mab(*named, status=status, MAB_TOKEN=token or self.token, **RENEWING)


@pytest.fixture
def desk(terminal: Terminal) -> Desk:
    return Desk(terminal)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_which_token_follows_the_one_it_was_given(desk: Desk, name: str) -> None:
    words = COMMANDS[name]
    assert "renewed_token" not in desk.mab(*words, "--json").json
    desk.ages()
    told = desk.mab(*words, "--json").json["renewed_token"]
    assert told == desk.tokens()["b"] != desk.token
    done = desk.mab(*words)
    assert f"renewed_token: {told} (use it from now on)\n" in done.err
    assert told not in done.out
    assert "renewed_token" not in desk.mab(*words, "--json", token=told).json
    assert desk.mab(*words, status=4).code == "not_allowed"


def test_a_heartbeat_renews_nothing_and_goes_on_with_either_token(desk: Desk) -> None:
    desk.ages()
    beat = ("heartbeat", "CONV", "--session", "b")
    assert "renewed_token" not in desk.mab(*beat, "--json").json
    assert desk.tokens()["b"] == desk.token
    told = desk.mab(*COMMANDS["send"], "--json").json["renewed_token"]
    for token in (desk.token, told, desk.token):
        desk.mab(*beat, token=token)


def test_a_reused_token_is_an_entry_for_the_person_who_looks(desk: Desk, terminal: Terminal) -> None:
    desk.ages()
    told = desk.mab(*COMMANDS["send"], "--json").json["renewed_token"]
    desk.mab(*COMMANDS["send"], token=told)
    desk.mab(*COMMANDS["send"], status=4)
    out = terminal.mab("audit", desk.conversation).out
    assert "token.reuse" in out
    assert desk.token not in out
    assert told not in out
    terminal.mab("audit", "--verify")


def test_nothing_is_renewed_where_the_setting_is_left_out(desk: Desk, terminal: Terminal) -> None:
    desk.ages()
    done = terminal.mab("send", desk.conversation, "hello", "--session", "b", "--json", MAB_TOKEN=desk.token)
    assert "renewed_token" not in done.json
    assert desk.tokens()["b"] == desk.token


def test_the_settings_are_the_users_and_bounded(terminal: Terminal) -> None:
    shown = terminal.mab("config", "show", "--json").json["tokens"]
    assert shown == {"rotate_seconds": 0, "grace_seconds": 3600}
    for name, value in (("rotate_seconds", "-1"), ("grace_seconds", "9"), ("grace_seconds", "x")):
        failed = terminal.mab("config", "validate", status=2, **{f"MAB_TOKENS__{name.upper()}": value})
        assert failed.code == "invalid"
        assert name in failed.err
    (terminal.project / "bridge.toml").write_text("[tokens]\nrotate_seconds = 0\n", "utf-8")
    with pytest.raises(Invalid, match="tokens"):
        config.load()
