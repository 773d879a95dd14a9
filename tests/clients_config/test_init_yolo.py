"""`mab init --yolo`: the environment gate of commands, opened in a client's own configuration and nowhere else."""

from __future__ import annotations

import pytest

from multiagent_bridge.clients import jsonc

from .conftest import CLIENTS, Place, Run


def environment(place: Place, path: str, *keys: str) -> object:
    found: object = jsonc.loads((place.home / path).read_text())
    for key in keys:
        assert isinstance(found, dict)
        found = found[key]
    return found


def test_the_gate_is_written_into_the_entry_and_shown_first(place: Place, run: Run) -> None:
    shown = run("--client", "claude-code", "--yolo", "--print")
    assert "YOLO_MODE" in shown.stdout
    assert not (place.home / ".claude.json").exists()
    run("--client", "claude-code", "--yolo", "--yes")
    env = environment(place, ".claude.json", "mcpServers", "mab", "env")
    assert env == {"MAB_HOME": str(place.state), "YOLO_MODE": "1"}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_takes_it_and_undo_takes_it_out(client: str, place: Place, run: Run) -> None:
    before = place.tree()
    assert run("--client", client, "--yolo", "--yes").exit_code == 0
    assert any(b"YOLO_MODE" in content for content in place.tree().values())
    assert run("--undo", "--yes").exit_code == 0
    assert place.tree() == before


def test_without_it_no_gate_is_written(place: Place, run: Run) -> None:
    run("--client", "claude-code", "--yes")
    assert not any(b"YOLO" in content for content in place.tree().values())


def test_a_gate_that_a_person_wrote_stays_when_the_entry_is_brought_up_to_date(place: Place, run: Run) -> None:
    run("--client", "claude-code", "--yolo", "--yes")
    run("--client", "claude-code", "--as", "other", "--yes")
    assert environment(place, ".claude.json", "mcpServers", "mab", "env", "YOLO_MODE") == "1"


def test_it_never_goes_into_a_projects_file_which_others_clone(place: Place, run: Run) -> None:
    before = place.tree()
    done = run("--client", "claude-code", "--scope", "project", "--yolo", "--yes")
    assert done.exit_code == 2
    assert "invalid: " in done.stderr
    assert place.tree() == before


def test_it_has_no_meaning_with_undo(run: Run) -> None:
    assert run("--undo", "--yolo").exit_code == 2
