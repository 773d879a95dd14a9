"""What a hostile project, a hostile file or a careless second program can do to `mab init`: nothing."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from multiagent_bridge.clients import files, jsonc
from multiagent_bridge.clients.difference import difference
from multiagent_bridge.errors import Conflict, Invalid

from .conftest import Place, Run


@pytest.fixture
def cursor(place: Place) -> Path:
    file = place.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    return file


@pytest.mark.parametrize("link", [".vscode/mcp.json", ".vscode"])
def test_a_link_out_of_the_project_is_not_followed(link: str, place: Place, run: Run) -> None:
    outside = place.home / "private"
    outside.mkdir()
    (outside / "mcp.json").write_text("{}")
    target = outside / "mcp.json" if link.endswith(".json") else outside
    (place.project / link).parent.mkdir(exist_ok=True)
    (place.project / link).symlink_to(target)
    result = run("--client", "vscode", "--scope", "project", "--yes")
    assert result.exit_code == 3
    assert "out of the project" in result.stderr
    assert (outside / "mcp.json").read_text() == "{}"


def test_a_linked_configuration_is_written_at_its_target_and_stays_a_link(place: Place, run: Run, cursor: Path) -> None:
    real = place.home / "dotfiles" / "cursor.json"
    real.parent.mkdir()
    real.write_text("{}")
    cursor.symlink_to(real)
    assert run("--client", "cursor", "--yes").exit_code == 0
    assert cursor.is_symlink()
    assert "mab" in jsonc.loads(real.read_text())["mcpServers"]  # type: ignore[operator]
    assert (real.parent / "cursor.json.mab-backup-1").read_text() == "{}"
    assert run("--undo", "--yes").exit_code == 0
    assert (cursor.is_symlink(), real.read_text()) == (True, "{}")


def test_undo_does_not_follow_a_target_that_became_a_link(place: Place, run: Run, cursor: Path) -> None:
    assert run("--client", "cursor", "--yes").exit_code == 0
    victim = place.home / "victim.json"
    victim.write_bytes(cursor.read_bytes())
    cursor.unlink()
    cursor.symlink_to(victim)
    before = victim.read_bytes()
    assert run("--undo", "--yes").exit_code == 8
    assert victim.read_bytes() == before


def test_a_loop_of_links_ends_in_one_sentence(run: Run, cursor: Path) -> None:
    cursor.symlink_to(cursor)
    result = run("--client", "cursor", "--yes")
    assert result.exit_code == 9
    assert result.stderr.count("\n") == 1


def test_a_directory_a_pipe_and_a_file_where_a_directory_belongs_are_refused(place: Place, run: Run) -> None:
    (place.home / ".cursor" / "mcp.json").mkdir(parents=True)
    (place.home / ".codex").write_text("")
    (place.home / ".gemini").mkdir()
    os.mkfifo(place.home / ".gemini" / "settings.json")
    for client, sentence in {"cursor": "is a directory", "codex": "directory", "gemini-cli": "regular file"}.items():
        result = run("--client", client, "--yes")
        assert (result.exit_code, sentence in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("mark", ["file", "directory"])
def test_what_is_marked_read_only_stays_as_it_is(mark: str, run: Run, cursor: Path) -> None:
    cursor.write_text("{}")
    marked = cursor if mark == "file" else cursor.parent
    marked.chmod(0o444 if mark == "file" else 0o555)
    result = run("--client", "cursor", "--yes")
    marked.chmod(0o755)
    assert result.exit_code == 9
    assert cursor.read_text() == "{}"
    assert [p.name for p in cursor.parent.iterdir()] == ["mcp.json"]


def test_a_file_that_is_not_utf_8_is_refused(run: Run, cursor: Path) -> None:
    cursor.write_bytes('{"a": "é"}'.encode("utf-16"))
    assert run("--client", "cursor", "--yes").exit_code == 2
    assert cursor.read_bytes() == '{"a": "é"}'.encode("utf-16")


def test_a_file_changed_after_it_was_shown_is_not_overwritten(cursor: Path) -> None:
    cursor.write_text("{}")
    seen = files.look(cursor)
    cursor.write_text('{"new": 1}')
    with pytest.raises(Conflict):
        files.replace(seen, b"{}")
    with pytest.raises(Conflict):
        files.delete(seen, ())
    assert cursor.read_text() == '{"new": 1}'
    assert [p.name for p in cursor.parent.iterdir()] == ["mcp.json"]


def test_a_planted_backup_name_is_passed_over_not_written_through(place: Place, run: Run, cursor: Path) -> None:
    cursor.write_text("{}")
    victim = place.home / "victim"
    victim.write_text("mine")
    cursor.with_name("mcp.json.mab-backup-1").symlink_to(victim)
    cursor.with_name("mcp.json.mab-backup-2").symlink_to(place.home / "nowhere")
    assert run("--client", "cursor", "--yes").exit_code == 0
    assert victim.read_text() == "mine"
    assert not (place.home / "nowhere").exists()
    assert cursor.with_name("mcp.json.mab-backup-3").read_text() == "{}"


@pytest.mark.parametrize("planted", ["clients", "record"])
def test_a_link_planted_in_the_state_directory_is_refused(planted: str, place: Place, run: Run, cursor: Path) -> None:
    elsewhere = place.home / "elsewhere"
    elsewhere.mkdir()
    if planted == "clients":
        place.state.mkdir()
        (place.state / "clients").symlink_to(elsewhere)
    else:
        assert run("--client", "cursor", "--yes").exit_code == 0
        (record,) = (place.state / "clients").iterdir()
        cursor.unlink()
        record.unlink()
        record.symlink_to(elsewhere / "x")
    assert run("--client", "cursor", "--yes").exit_code == 3
    assert not list(elsewhere.iterdir())
    assert not cursor.exists()


def test_the_records_are_the_users_alone_and_hold_no_configuration(place: Place, run: Run, cursor: Path) -> None:
    cursor.write_text('{"mcpServers": {"x": {"command": "y", "env": {"K": "hunter2"}}}}')
    assert run("--client", "cursor", "--yes").exit_code == 0
    (record,) = (place.state / "clients").iterdir()
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (place.state, record.parent, record)]
    assert modes == [0o700, 0o700, 0o600]
    assert "hunter2" not in record.read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"client": 1}', "\x00", '{"directories": 3}'])
def test_a_spoilt_record_is_named_and_nothing_is_undone(text: str, place: Place, run: Run, cursor: Path) -> None:
    assert run("--client", "cursor", "--yes").exit_code == 0
    (record,) = (place.state / "clients").iterdir()
    record.write_text(text)
    before = cursor.read_bytes()
    result = run("--undo", "--yes")
    assert result.exit_code == 2
    assert record.name in result.stderr
    assert cursor.read_bytes() == before


def test_other_servers_secrets_do_not_show_in_the_difference(run: Run, cursor: Path) -> None:
    secrets = ["hunter2", "sk-proj-abcdefghijklmnopqrstuv", "xoxb", "Basic-abc", "s3cr3t"]
    servers = {
        "x": {
            "env": {"DB_PASSWORD": secrets[0], "X": secrets[1], "MY_TOKEN": secrets[2]},
            "headers": {"Authorization": secrets[3]},
            "args": [f"--api-key={secrets[4]}"],
        }
    }
    for indent in (2, None):
        cursor.write_text(json.dumps({"mcpServers": servers}, indent=indent))
        result = run("--client", "cursor", "--print", "--json")
        assert result.exit_code == 0
        assert '"mab": {' in result.stderr
        assert not [s for s in secrets if s in result.stdout + result.stderr]


def test_a_comment_cannot_steer_the_terminal(run: Run, cursor: Path) -> None:
    cursor.write_text('{\n  "a": 1 // \x1b[2J\x1b]0;x\x07 \u202e\n}\n')
    result = run("--client", "cursor", "--print")
    assert not {"\x1b", "\x07", "\u202e"} & set(result.stdout)
    assert "\\x1b[2J" in result.stdout


def test_a_huge_minified_file_is_shown_around_the_place_that_changes() -> None:
    before = '{"a":"' + "x " * 50_000 + '","b":{}}'
    after = before.replace("{}}", '{},"mcpServers":{"mab":{"command":"mab"}}}')
    lines = difference(Path("f"), before, after)
    assert max(map(len, lines)) < 400
    assert '"mab"' in lines[-1]


@pytest.mark.parametrize("folder", ["$HOME", "a{env:X}b", "${x}"])
def test_a_path_that_clients_would_expand_is_refused(
    folder: str, place: Place, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAB_HOME", str(tmp_path / folder))
    assert run("--client", "cursor", "--yes").exit_code == 2
    assert place.tree() == {}


def test_a_large_configuration_is_edited_in_bounded_time(run: Run, cursor: Path) -> None:
    projects = {f"/p/{n}": {"history": [{"display": f"line {m}"} for m in range(40)]} for n in range(1000)}
    text = json.dumps({"projects": projects}, indent=2)
    assert len(text) > 2_000_000
    cursor.write_text(text)
    assert run("--client", "cursor", "--yes").exit_code == 0
    assert cursor.read_text().startswith(text[:-3])


def test_sixty_five_megabytes_are_not_read(cursor: Path) -> None:
    with cursor.open("wb") as file:
        file.truncate(files.LARGEST + 1)
    with pytest.raises(Invalid):
        files.look(cursor)


def test_nothing_is_left_behind_when_the_disk_is_full(
    place: Place, run: Run, cursor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor.write_text("{}")
    before = place.tree()
    real = os.fsync
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and list(cursor.parent.glob(".mcp.json.mab-*")):
            calls.append(descriptor)
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    result = run("--client", "cursor", "--yes")
    assert result.exit_code == 9
    assert "no space left" in result.stderr
    assert calls
    assert place.tree() == before
    assert not list((place.state / "clients").iterdir())
