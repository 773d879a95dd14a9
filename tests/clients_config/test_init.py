"""`mab init` as a person meets it, on a throwaway HOME."""

from __future__ import annotations

import json
import stat
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import Result

from multiagent_bridge.cli import init as command
from multiagent_bridge.clients import jsonc

from .conftest import CLIENTS, Place, Run

USER_FILES = {
    "claude-code": ".claude.json",
    "codex": ".codex/config.toml",
    "gemini-cli": ".gemini/settings.json",
    "opencode": ".config/opencode/opencode.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".config/Code/User/mcp.json",
    "windsurf": ".codeium/windsurf/mcp_config.json",
    "zed": ".config/zed/settings.json",
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
}
PROJECT_FILES = {
    "claude-code": ".mcp.json",
    "codex": ".codex/config.toml",
    "gemini-cli": ".gemini/settings.json",
    "opencode": "opencode.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "zed": ".zed/settings.json",
}


def told(result: Result) -> str:
    return result.stderr


def load(path: Path) -> dict[str, object]:
    text = path.read_text()
    return tomllib.loads(text) if path.suffix == ".toml" else jsonc.loads(text)


def expected(place: Place, client: str) -> dict[str, object]:
    command, args, env = str(place.mab), ["mcp", "--as", client], {"MAB_HOME": str(place.state)}
    plain = {"command": command, "args": args, "env": env}
    servers = {"mcpServers": {"mab": plain}}
    return {
        "claude-code": {"mcpServers": {"mab": {**plain, "alwaysLoad": True}}},
        "codex": {
            "mcp_servers": {"mab": {**plain, "required": True, "startup_timeout_sec": 20, "tool_timeout_sec": 600}}
        },
        "gemini-cli": {"mcpServers": {"mab": {**plain, "timeout": 600000}}},
        "opencode": {
            "mcp": {"mab": {"type": "local", "command": [command, *args], "environment": env,
                            "enabled": True, "timeout": 15000}}
        },
        "vscode": {"servers": {"mab": {"type": "stdio", **plain}}},
        "zed": {"context_servers": {"mab": {"source": "custom", **plain}}},
        "cursor": servers, "windsurf": servers, "claude-desktop": servers,
    }[client]  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_gets_its_own_entry_where_it_looks_and_undo_leaves_no_trace(
    client: str, place: Place, run: Run
) -> None:
    before = place.tree()
    result = run("--client", client, "--yes")
    assert result.exit_code == 0, told(result)
    file = place.home / USER_FILES[client]
    assert load(file) == expected(place, client)
    assert list(place.tree()) == [str(file)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == before
    assert not [p for p in place.home.rglob("*") if p.is_dir()]
    assert not list((place.state / "clients").iterdir())


@pytest.mark.parametrize("client", PROJECT_FILES)
def test_project_scope_writes_into_the_project_only(client: str, place: Place, run: Run) -> None:
    assert run("--client", client, "--scope", "project", "--yes").exit_code == 0
    file = place.project / PROJECT_FILES[client]
    assert load(file) == expected(place, client)
    assert list(place.tree()) == [str(file)]


def test_project_files_are_undone_from_within_their_project(
    place: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--client", "cursor", "--scope", "project", "--yes").exit_code == 0
    monkeypatch.chdir(place.home)
    elsewhere = run("--undo", "--yes")
    assert (elsewhere.exit_code, "undo it there" in told(elsewhere)) == (0, True)
    assert len(place.tree()) == 1
    monkeypatch.chdir(place.project)
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == {}


@pytest.mark.parametrize("client", ["windsurf", "claude-desktop"])
def test_a_client_without_project_configuration_says_so(client: str, place: Place, run: Run) -> None:
    result = run("--client", client, "--scope", "project", "--yes")
    assert result.exit_code == 2
    assert "has no project configuration" in told(result)


def test_only_the_clients_that_are_present_are_configured(place: Place, run: Run) -> None:
    (place.home / ".cursor").mkdir()
    (place.mab.parent / "codex").write_text("#!/bin/sh\n")
    (place.mab.parent / "codex").chmod(0o755)
    assert run("--yes").exit_code == 0
    assert sorted(place.tree()) == sorted(str(place.home / USER_FILES[c]) for c in ("codex", "cursor"))


def test_no_client_at_all_is_not_found(place: Place, run: Run) -> None:
    result = run("--yes")
    assert result.exit_code == 7
    assert "--client NAME" in told(result)


def test_an_unknown_client_is_invalid_and_the_choices_are_named(run: Run) -> None:
    result = run("--client", "emacs")
    assert result.exit_code == 2
    assert "claude-code, codex" in told(result)


def test_a_second_run_finds_everything_configured_and_writes_nothing(place: Place, run: Run) -> None:
    words = [word for client in CLIENTS for word in ("--client", client)]
    assert run(*words, "--yes").exit_code == 0
    before = place.tree()
    again = run(*words)  # without --yes: there is nothing to ask
    assert again.exit_code == 0
    assert told(again).count("already configured") == len(CLIENTS)
    assert again.stdout == ""
    assert place.tree() == before


def test_print_shows_the_difference_and_writes_nothing(place: Place, run: Run) -> None:
    (place.home / ".cursor").mkdir()
    (place.home / ".cursor" / "mcp.json").write_text('{\n  "mcpServers": {\n    "x": {"command": "y"}\n  }\n}\n')
    before = place.tree()
    result = run("--print")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        f"--- {place.home}/.cursor/mcp.json",
        f"+++ {place.home}/.cursor/mcp.json",
    ]
    assert '+    "mab": {' in result.stdout
    assert "\x1b" not in result.stdout
    assert place.tree() == before
    assert not place.state.exists()


def test_off_a_terminal_nothing_is_written_without_yes(place: Place, run: Run) -> None:
    result = run("--client", "cursor")
    assert result.exit_code == 3
    assert "--yes" in told(result)
    assert '+    "mab": {' in result.stdout, "the difference is shown all the same"
    assert place.tree() == {}


class _Terminal:
    """A standard stream that says it is a terminal."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@pytest.mark.parametrize(("answer", "status", "files"), [("n", 3, 0), ("y", 0, 1)])
def test_a_person_is_asked_after_the_difference_was_shown(
    answer: str, status: int, files: int, place: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        shown.append(question)
        assert place.tree() == {}, "asked before writing"
        return answer == "y"

    class _System:
        argv, executable, stdout = sys.argv, sys.executable, sys.stdout
        stdin, stderr = _Terminal(None), _Terminal(None)

    monkeypatch.setattr(command.typer, "confirm", confirm)
    monkeypatch.setattr(command, "sys", _System)
    assert run("--client", "cursor").exit_code == status
    assert shown == ["Write this?"]
    assert len(place.tree()) == files


def test_json_is_the_only_thing_on_stdout_and_says_what_was_done(place: Place, run: Run) -> None:
    result = run("--client", "codex", "--yes", "--json")
    answer = json.loads(result.stdout)
    (row,) = answer["changes"]
    assert (row["client"], row["action"], row["done"], row["key"]) == ("codex", "add", True, "mcp_servers.mab")
    assert {"mcp_servers": {"mab": row["entry"]}} == expected(place, "codex")
    assert row["difference"][0] == "--- /dev/null"
    assert "+[mcp_servers.mab]" in told(result), "the difference is shown before writing, on stderr"
    failed = run("--client", "codex", "--as", "-x", "--json")
    assert json.loads(failed.stdout)["error"]["code"] == "invalid"


def test_the_agent_is_called_as_asked(place: Place, run: Run) -> None:
    assert run("--client", "codex", "--as", "reviewer", "--yes").exit_code == 0
    assert load(place.home / ".codex/config.toml")["mcp_servers"]["mab"]["args"] == ["mcp", "--as", "reviewer"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["-x", "", "a\nb", "${HOME}", "{env:X}", "a\x1b[2J"])
def test_a_name_a_client_or_a_shell_would_read_otherwise_is_refused(name: str, place: Place, run: Run) -> None:
    assert run("--client", "codex", f"--as={name}", "--yes").exit_code == 2
    assert place.tree() == {}


def test_one_name_is_not_given_to_several_clients(place: Place, run: Run) -> None:
    assert run("--client", "codex", "--client", "cursor", "--as", "x", "--yes").exit_code == 2


def test_without_mab_home_the_entry_has_no_environment(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAB_HOME")
    assert run("--client", "cursor", "--yes").exit_code == 0
    assert "env" not in load(place.home / ".cursor/mcp.json")["mcpServers"]["mab"]  # type: ignore[index,operator]


def test_an_entry_of_ours_is_brought_up_to_date_and_what_a_person_added_stays(place: Place, run: Run) -> None:
    file = place.home / ".codex/config.toml"
    file.parent.mkdir()
    file.write_text(
        '# mine\n[mcp_servers.mab]  # the bridge\ncommand = \'/old/mab\' # moved\nargs = ["mcp", "--as", "codex"]\n'
        'tool_timeout_sec = 900 # longer\n\n[mcp_servers.mab.env]\nMAB_HOME = "/old"\nEXTRA = "1"\n\n'
        '# theirs\n[mcp_servers.other]\ncommand = "x"\n'
    )
    assert run("--client", "codex", "--yes").exit_code == 0
    assert file.read_text() == (
        f'# mine\n[mcp_servers.mab]  # the bridge\ncommand = "{place.mab}" # moved\nargs = ["mcp", "--as", "codex"]\n'
        "tool_timeout_sec = 900 # longer\nrequired = true\nstartup_timeout_sec = 20\n\n"
        f'[mcp_servers.mab.env]\nMAB_HOME = "{place.state}"\nEXTRA = "1"\n\n'
        '# theirs\n[mcp_servers.other]\ncommand = "x"\n'
    )
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == '# mine\n\n# theirs\n[mcp_servers.other]\ncommand = "x"\n'


FOREIGN = '{\n  "mcpServers": {\n    "mab": {"command": "metabase-mcp", "env": {"METABASE_KEY": "k"}}\n  }\n}\n'


def test_a_foreign_server_under_our_key_is_left_alone(place: Place, run: Run) -> None:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text(FOREIGN)
    result = run("--client", "cursor", "--yes")
    assert result.exit_code == 8
    assert "--force" in told(result)
    assert file.read_text() == FOREIGN


@pytest.mark.parametrize("touched", [False, True])
def test_force_replaces_a_foreign_server_and_undo_brings_it_back(touched: bool, place: Place, run: Run) -> None:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text(FOREIGN)
    assert run("--client", "cursor", "--yes", "--force").exit_code == 0
    assert load(file) == expected(place, "cursor")
    if touched:
        file.write_text(file.read_text() + "\n")
    assert run("--undo", "--yes").exit_code == 0
    assert load(file) == jsonc.loads(FOREIGN)
    assert touched or file.read_text() == FOREIGN


def test_undo_after_other_edits_takes_only_our_entry_out(place: Place, run: Run) -> None:
    file = place.home / ".config/zed/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text('// mine\r\n{\r\n\t"theme": "One", // dark\r\n}\r\n', newline="")
    assert run("--client", "zed", "--yes").exit_code == 0
    file.write_bytes(file.read_bytes().replace(b'"One"', b'"Two"'))
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_bytes() == b'// mine\r\n{\r\n\t"theme": "Two", // dark\r\n}\r\n'


def test_undo_leaves_an_entry_alone_that_somebody_else_took_over(place: Place, run: Run) -> None:
    file = place.home / ".cursor/mcp.json"
    assert run("--client", "cursor", "--yes").exit_code == 0
    file.write_text(FOREIGN)
    result = run("--undo", "--yes")
    assert result.exit_code == 8
    assert file.read_text() == FOREIGN


def test_undo_after_two_different_runs_removes_the_entry_and_restores_the_first_bytes(place: Place, run: Run) -> None:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text("{ }")
    assert run("--client", "cursor", "--yes").exit_code == 0
    assert run("--client", "cursor", "--yes", "--as", "other").exit_code == 0
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == "{ }"


def test_undo_without_the_backup_still_removes_the_entry(place: Place, run: Run) -> None:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"a": 1}\n')
    assert run("--client", "cursor", "--yes").exit_code == 0
    for backup in file.parent.glob("*.mab-backup-*"):
        backup.write_text('{"evil": 1}')
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == '{"a": 1}\n'


def test_undo_of_nothing_says_so(place: Place, run: Run) -> None:
    result = run("--undo", "--yes")
    assert result.exit_code == 0
    assert "nothing to undo" in told(result)


def test_undo_asks_too_and_print_undoes_nothing(place: Place, run: Run) -> None:
    assert run("--client", "cursor", "--client", "codex", "--yes").exit_code == 0
    before = place.tree()
    assert run("--undo").exit_code == 3
    assert run("--undo", "--print").exit_code == 0
    assert place.tree() == before
    assert run("--undo", "--client", "cursor", "--yes").exit_code == 0
    assert list(place.tree()) == [str(place.home / ".codex/config.toml")]


def test_backups_are_numbered_and_keep_the_mode(place: Place, run: Run) -> None:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o640)
    (file.parent / "mcp.json.mab-backup-1").write_text("older")
    assert run("--client", "cursor", "--yes").exit_code == 0
    backup = file.parent / "mcp.json.mab-backup-2"
    assert backup.read_text() == "{}"
    assert (file.parent / "mcp.json.mab-backup-1").read_text() == "older"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (file, backup)] == [0o640, 0o640]


def test_trouble_with_one_client_does_not_stop_the_others(place: Place, run: Run) -> None:
    (place.home / ".cursor").mkdir()
    (place.home / ".cursor" / "mcp.json").write_text("{ broken")
    result = run("--client", "cursor", "--client", "codex", "--yes", "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert [error["client"] for error in answer["errors"]] == ["cursor"]
    assert load(place.home / ".codex/config.toml") == expected(place, "codex")
    assert (place.home / ".cursor" / "mcp.json").read_text() == "{ broken"


def test_the_clients_own_variables_decide_where_it_looks(
    place: Place, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = {
        "claude-code": ("CLAUDE_CONFIG_DIR", ".claude.json"),
        "codex": ("CODEX_HOME", "config.toml"),
        "gemini-cli": ("GEMINI_CLI_HOME", ".gemini/settings.json"),
        "opencode": ("XDG_CONFIG_HOME", "opencode/opencode.json"),
    }
    for client, (variable, file) in where.items():
        monkeypatch.setenv(variable, str(tmp_path / client))
        assert run("--client", client, "--yes").exit_code == 0
        assert load(tmp_path / client / file) == expected(place, client)


def test_opencode_jsonc_is_used_when_it_is_there(place: Place, run: Run) -> None:
    file = place.home / ".config/opencode/opencode.jsonc"
    file.parent.mkdir(parents=True)
    file.write_text('{\n  "model": "m", // mine\n}\n')
    assert run("--client", "opencode", "--yes").exit_code == 0
    assert load(file) == {"model": "m", **expected(place, "opencode")}
    assert '"model": "m", // mine' in file.read_text()
