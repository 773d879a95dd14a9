from __future__ import annotations

from pathlib import Path

import pytest

from multiagent_bridge import config
from multiagent_bridge.config.sections import LimitSettings
from tests.faces.terminal import Terminal

HOURS = "limits.conversation_seconds"


def written(folder: Path, text: str) -> None:
    (folder / "bridge.toml").write_text(text)


def seconds(terminal: Terminal, **env: str) -> int:
    return int(terminal.mab("config", "show", "--json", **env).json["limits"]["conversation_seconds"])


def test_a_setting_comes_from_the_strongest_place_that_names_it(terminal: Terminal) -> None:
    assert seconds(terminal) == 10_800
    written(terminal.user, "[limits]\nconversation_seconds = 1000\nfiles = 7\n")
    assert seconds(terminal) == 1000
    written(terminal.project, "[limits]\nconversation_seconds = 2000\n")
    assert seconds(terminal) == 2000
    assert seconds(terminal, MAB_LIMITS__CONVERSATION_SECONDS="3000") == 3000
    # what only the weaker place names still holds
    shown = terminal.mab("config", "show", "--json", MAB_LIMITS__CONVERSATION_SECONDS="3000").json
    assert shown["limits"]["files"] == 7


def test_a_flag_is_stronger_than_the_environment(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAB_STORE", "sqlite:////from/environment.db")
    assert config.load(store="sqlite:////from/flag.db").store_url == "sqlite:////from/flag.db"
    assert config.load(store=None).store_url == "sqlite:////from/environment.db"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("colour = 'red'\n", "colour"),
        ("[limits]\nmesage_characters = 5\n", "limits.mesage_characters"),
        ("[hub]\nidle = 5\n", "hub.idle"),
        ("[limits]\nconversation_seconds = 0\n", HOURS),
        ("[limits]\nwrites = []\n", "limits.writes"),
        ("[hub]\nlog_level = 'loud'\n", "hub.log_level"),
    ],
    ids=["top", "typing error", "section", "range", "empty", "choice"],
)
def test_a_key_that_is_wrong_is_named_and_refused_by_every_command(terminal: Terminal, text: str, key: str) -> None:
    written(terminal.project, text)
    for words in (("config", "validate"), ("config", "show"), ("list",)):
        done = terminal.mab(*words, status=2)
        assert done.code == "invalid"
        assert key in done.err


@pytest.mark.parametrize("text", ["limits = [", "\x00", "[limits]\n[limits]\n"], ids=["cut off", "NUL", "twice"])
def test_a_file_that_is_no_toml_is_invalid(terminal: Terminal, text: str) -> None:
    written(terminal.project, text)
    assert terminal.mab("config", "validate", status=2).code == "invalid"


def test_validate_names_its_sources(terminal: Terminal) -> None:
    assert "defaults" in terminal.mab("config", "validate").err
    written(terminal.user, "")
    written(terminal.project, "")
    told = terminal.mab("config", "validate", "--json").json
    assert told == {
        "valid": True,
        "sources": [str(terminal.project / "bridge.toml"), str(terminal.user / "bridge.toml")],
    }


def test_show_prints_every_setting_and_where_it_was_read(terminal: Terminal) -> None:
    written(terminal.project, "")
    done = terminal.mab("config", "show")
    names = {line.split()[0] for line in done.out.splitlines()}
    wanted = {f"limits.{name}" for name in LimitSettings.model_fields}
    assert wanted <= names
    assert f"read from {terminal.project / 'bridge.toml'}" in done.err


def test_show_masks_what_is_secret(terminal: Terminal) -> None:
    key = "ab" * 32
    for words in (("config", "show"), ("config", "show", "--json")):
        out = terminal.mab(*words, MAB_MASTER_KEY=key, MAB_STORE="postgresql://mab:hunter2@db/mab").out
        assert key not in out
        assert "hunter2" not in out
        assert "postgresql://mab:" in out


def test_a_store_of_another_kind_is_invalid(terminal: Terminal) -> None:
    assert terminal.mab("list", MAB_STORE="mysql://somewhere/x", status=2).code == "invalid"


def test_settings_change_what_commands_do(terminal: Terminal) -> None:
    written(terminal.project, "[limits]\nmessage_characters = 5\n")
    assert terminal.mab("send", terminal.opened(), "longer", status=2).code == "invalid"


def test_a_file_that_cannot_be_read_is_named(terminal: Terminal) -> None:
    written(terminal.project, "foo = \n")
    done = terminal.mab("config", "validate", status=2)
    assert done.code == "invalid"
    assert f"{terminal.project / 'bridge.toml'} cannot be read" in done.err
