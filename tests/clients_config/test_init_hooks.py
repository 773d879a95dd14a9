"""`mab init --hooks`: the hooks of the clients that have some, beside whatever else stands in the same file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from multiagent_bridge.clients import hooks, jsonc
from multiagent_bridge.errors import Conflict, Invalid

from .conftest import CLIENTS, Place, Run

FILES = {
    "claude-code": ".claude/settings.json",
    "codex": ".codex/hooks.json",
    "gemini-cli": ".gemini/settings.json",
}
EVENTS = {
    "claude-code": {"SessionStart": ["start", "wake"], "UserPromptSubmit": ["prompt"], "Stop": ["stop", "wake"]},
    "codex": {"SessionStart": ["start"], "UserPromptSubmit": ["prompt"], "Stop": ["stop"], "SessionEnd": ["end"]},
    "gemini-cli": {"SessionStart": ["start"], "BeforeAgent": ["prompt"], "AfterAgent": ["stop"]},
}
OURS = {"hooks": [{"type": "command", "command": "mab hook stop --as x"}]}
THEIRS = {"matcher": "", "hooks": [{"type": "command", "command": "say done; mab hook stop"}]}


def events(path: Path) -> dict[str, list[list[str]]]:
    """The words of every hook of every event."""
    found = jsonc.loads(path.read_text())["hooks"]
    assert isinstance(found, dict)
    return {
        event: [shlex.split(hook["command"]) for group in groups for hook in group["hooks"]]
        for event, groups in found.items()
    }


@pytest.mark.parametrize("client", FILES)
def test_each_client_gets_its_hooks_where_it_looks_and_undo_leaves_no_trace(
    client: str, place: Place, run: Run
) -> None:
    before = place.tree()
    shown = run("--client", client, "--hooks", "--print")
    assert shown.stdout.count("hook stop") == 1
    assert place.tree() == before
    done = run("--client", client, "--hooks", "--as", "builder", "--yes")
    assert done.exit_code == 0, done.stderr
    told = events(place.home / FILES[client])
    more = ["--client", client.split("-")[0], "--as", "builder", "--home", str(place.state)]
    assert told == {
        event: [[str(place.mab), "hook", what, *more] for what in whats] for event, whats in EVENTS[client].items()
    }
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == before
    assert not [p for p in place.home.rglob("*") if p.is_dir()]
    assert not list((place.state / "clients").iterdir())


PLUGIN = ".config/opencode/plugins/multiagent-bridge.js"


def said(path: Path, name: str) -> object:
    """The value of one constant of the plugin."""
    (line,) = [line for line in path.read_text().splitlines() if line.startswith(f"const {name} = ")]
    return json.loads(line.removeprefix(f"const {name} = "))


def test_opencode_gets_a_plugin_that_asks_this_very_program_and_undo_leaves_no_trace(place: Place, run: Run) -> None:
    before = place.tree()
    shown = run("--client", "opencode", "--hooks", "--print")
    assert "+export const MultiagentBridge" in shown.stdout
    assert place.tree() == before
    done = run("--client", "opencode", "--hooks", "--as", "builder", "--yes")
    assert done.exit_code == 0, done.stderr
    plugin = place.home / PLUGIN
    assert said(plugin, "COMMAND") == [str(place.mab)]
    assert said(plugin, "OPTIONS") == ["--client", "opencode", "--as", "builder", "--home", str(place.state)]
    assert plugin.stat().st_mode & 0o777 == 0o600
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == before
    assert not [p for p in place.home.rglob("*") if p.is_dir()]
    assert not list((place.state / "clients").iterdir())


def test_a_second_run_leaves_the_plugin_and_a_new_name_replaces_it_with_a_backup(place: Place, run: Run) -> None:
    run("--client", "opencode", "--hooks", "--yes")
    before = place.tree()
    again = run("--client", "opencode", "--hooks")
    assert (again.exit_code, again.stdout) == (0, "")
    assert place.tree() == before
    run("--client", "opencode", "--hooks", "--as", "second", "--yes")
    options = said(place.home / PLUGIN, "OPTIONS")
    assert isinstance(options, list)
    assert options[3] == "second"
    kept = place.home / f"{PLUGIN}.mab-backup-1"
    assert kept.read_bytes() == before[str(place.home / PLUGIN)]
    assert run("--undo", "--yes").exit_code == 0
    assert not (place.home / PLUGIN).exists()


def test_the_plugins_of_others_stay_as_they_are(place: Place, run: Run) -> None:
    other = (place.home / PLUGIN).with_name("bell.js")
    other.parent.mkdir(parents=True)
    other.write_text("export const Bell = async () => ({})\n")
    before = place.tree()
    run("--client", "opencode", "--hooks", "--yes")
    assert before.items() <= place.tree().items()
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == before


def test_a_plugin_that_a_person_edited_is_kept_beside_when_it_is_taken_out(place: Place, run: Run) -> None:
    run("--client", "opencode", "--hooks", "--yes")
    plugin = place.home / PLUGIN
    edited = plugin.read_text() + "// mine\n"
    plugin.write_text(edited)
    assert run("--undo", "--yes").exit_code == 0
    assert not plugin.exists()
    assert plugin.with_name(f"{plugin.name}.mab-backup-1").read_text() == edited


def test_opencode_finds_no_plugin_among_the_backups(place: Place, run: Run) -> None:
    for name in ("one", "two", "three"):
        run("--client", "opencode", "--hooks", "--as", name, "--yes")
    folder = (place.home / PLUGIN).parent
    assert [path.name for path in folder.iterdir() if path.suffix in (".js", ".ts")] == ["multiagent-bridge.js"]


def test_only_the_wakers_run_beside_the_session_and_every_hook_has_its_limit(place: Place, run: Run) -> None:
    run("--client", "claude-code", "--client", "gemini-cli", "--hooks", "--yes")
    claude = jsonc.loads((place.home / FILES["claude-code"]).read_text())["hooks"]
    stop, waker = claude["Stop"][0]["hooks"]  # type: ignore[index]
    assert (stop["timeout"], "asyncRewake" in stop) == (10, False)
    assert (waker["timeout"], waker["asyncRewake"]) == (3600, True)
    gemini = jsonc.loads((place.home / FILES["gemini-cli"]).read_text())["hooks"]
    assert gemini["AfterAgent"][0]["hooks"][0]["timeout"] == 10_000  # type: ignore[index]
    run("--client", "codex", "--hooks", "--yes")
    codex = jsonc.loads((place.home / FILES["codex"]).read_text())["hooks"]
    assert codex["SessionEnd"][0]["hooks"][0]["timeout"] == 3  # type: ignore[index]


@pytest.mark.parametrize("client", FILES)
def test_a_second_run_changes_nothing_and_a_new_name_replaces_the_old(client: str, place: Place, run: Run) -> None:
    run("--client", client, "--hooks", "--yes")
    before = place.tree()
    again = run("--client", client, "--hooks")
    assert (again.exit_code, again.stdout) == (0, "")
    assert place.tree() == before
    run("--client", client, "--hooks", "--as", "second", "--yes")
    commands = [words for event in events(place.home / FILES[client]).values() for words in event]
    assert len(commands) == sum(map(len, EVENTS[client].values()))
    assert all("second" in words for words in commands)


@pytest.mark.parametrize("client", FILES)
def test_hooks_come_beside_a_server_that_was_configured_before(client: str, place: Place, run: Run) -> None:
    before = place.tree()
    run("--client", client, "--yes")
    run("--client", client, "--hooks", "--yes")
    assert set(events(place.home / FILES[client])) == set(EVENTS[client])
    assert run("--undo", "--yes").exit_code == 0
    assert {path: content for path, content in place.tree().items() if "mab-backup" not in path} == before


SETTINGS = """{
  // mine
  "model": "opus",
  "hooks": {
    "Stop": [
      {"hooks": [{"type": "command", "command": "say done"}]}, // loud
    ],
    "Notification": [{"hooks": []}]
  },
}
"""


def test_hooks_of_the_person_stay_and_so_does_every_character_of_theirs(place: Place, run: Run) -> None:
    file = place.home / FILES["claude-code"]
    file.parent.mkdir()
    file.write_text(SETTINGS)
    assert run("--client", "claude-code", "--hooks", "--yes").exit_code == 0
    assert events(file)["Stop"][0] == ["say", "done"]
    assert [line for line in SETTINGS.splitlines() if line.strip() not in file.read_text()] == []
    file.write_text(file.read_text().replace("opus", "sonnet"))
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == SETTINGS.replace("opus", "sonnet")


def test_gemini_undo_after_other_edits_takes_server_and_hooks_out(place: Place, run: Run) -> None:
    file = place.home / FILES["gemini-cli"]
    file.parent.mkdir()
    file.write_text('{\n  "theme": "One"\n}\n')
    run("--client", "gemini-cli", "--hooks", "--yes")
    assert {"mcpServers", "hooks"} <= set(jsonc.loads(file.read_text()))
    file.write_text(file.read_text().replace("One", "Two"))
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == '{\n  "theme": "Two"\n}\n'


def test_hooks_that_a_person_took_out_are_no_trouble_for_undo(place: Place, run: Run) -> None:
    run("--client", "claude-code", "--hooks", "--yes")
    file = place.home / FILES["claude-code"]
    file.write_text("{}\n")
    assert run("--undo", "--yes").exit_code == 0
    assert file.read_text() == "{}\n"


@pytest.mark.parametrize("client", [client for client in CLIENTS if client not in (*FILES, "opencode")])
def test_a_client_without_hooks_gets_its_server_and_says_so(client: str, place: Place, run: Run) -> None:
    done = run("--client", client, "--hooks", "--yes")
    assert done.exit_code == 0
    assert f"{client}: no hooks" in done.stderr
    assert not any(b"hook stop" in content for content in place.tree().values())


def test_they_never_go_into_a_projects_file_which_others_clone(place: Place, run: Run) -> None:
    before = place.tree()
    assert run("--client", "claude-code", "--scope", "project", "--hooks", "--yes").exit_code == 2
    assert place.tree() == before


def test_they_have_no_meaning_with_undo(run: Run) -> None:
    assert run("--undo", "--hooks").exit_code == 2


def test_json_tells_of_both_files(run: Run) -> None:
    rows = json.loads(run("--client", "claude-code", "--hooks", "--yes", "--json").stdout)["changes"]
    assert [(row["key"], row["action"], row["done"]) for row in rows] == [
        ("mcpServers.mab", "add", True),
        ("hooks", "add", True),
    ]
    assert set(rows[1]["entry"]) == set(EVENTS["claude-code"])


@pytest.mark.parametrize(
    "text", ['{"hooks": []}', '{"hooks": {"Stop": {}}}', '{"hooks": {"Stop": "mab"}}', '{"hooks": 7}', "[]"]
)
def test_a_file_of_another_form_is_left_alone(text: str, place: Place, run: Run) -> None:
    file = place.home / FILES["claude-code"]
    file.parent.mkdir()
    file.write_text(text)
    assert run("--client", "claude-code", "--hooks", "--yes").exit_code == 2
    assert file.read_text() == text


def test_a_group_that_a_person_shares_with_ours_is_theirs_to_edit() -> None:
    mixed = {"hooks": [*OURS["hooks"], {"type": "command", "command": "say done"}]}
    with pytest.raises(Conflict):
        hooks.put(json.dumps({"hooks": {"Stop": [mixed]}}), {"Stop": OURS})


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("mab hook stop", True),
        ("'/a b/mab' hook wake --as x", True),
        ("uvx mcp-multiagent-bridge hook stop", True),
        ("uvx other hook stop", False),
        ("say mab hook stop", False),
        ("mab status", False),
        ("mab 'unclosed", False),
        (7, False),
        (None, False),
    ],
)
def test_our_hooks_are_known_by_what_they_run(command: object, ours: bool) -> None:
    assert hooks.is_ours({"type": "command", "command": command}) is ours


@pytest.mark.parametrize("style", [None, 1, 2, "\t"])
@pytest.mark.parametrize("groups", [[], [THEIRS], [THEIRS, THEIRS], [OURS], [OURS, THEIRS], [THEIRS, OURS, THEIRS]])
def test_in_and_out_again_keeps_every_other_group(groups: list[object], style: int | str | None) -> None:
    text = json.dumps({"hooks": {"Stop": groups}, "more": [1]}, indent=style)
    wanted = {"hooks": [{"type": "command", "command": "mab hook stop --as new"}]}
    there = hooks.put(text, {"Stop": wanted})
    rest = [group for group in groups if group != OURS]
    assert jsonc.loads(there) == {"hooks": {"Stop": [*rest, wanted]}, "more": [1]}
    assert hooks.put(there, {"Stop": wanted}) == there
    out = hooks.taken_out(there)
    assert jsonc.loads(out) == {"more": [1]} | ({"hooks": {"Stop": rest}} if rest else {})
    if rest == groups and rest:
        assert out == text


def test_a_list_that_is_none_is_named(place: Place) -> None:
    with pytest.raises(Invalid, match="not a list"):
        jsonc.append('{"a": 1}', ("a",), 1)
