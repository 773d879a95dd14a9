from __future__ import annotations

import json
import stat

import apsw
import pytest

from multiagent_bridge.model.journal import FIELDS
from tests.faces.terminal import Terminal


def altered(terminal: Terminal, sequence: int) -> None:
    """Change one letter of one entry in the database, as somebody with the file could."""
    connection = apsw.Connection(str(terminal.home / "bridge.db"))
    try:
        connection.execute(
            'UPDATE journal SET line = replace(line, \'"outcome":"done"\', \'"outcome":"dune"\') WHERE seq = ?',
            (sequence,),
        )
        assert connection.changes() == 1
    finally:
        connection.close()


def test_audit_shows_the_newest_entries_and_their_fields(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "hello")
    entries = terminal.mab("audit", "--json").json
    assert all(set(entry) == FIELDS for entry in entries)
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len(terminal.mab("audit", "-", "1").out.splitlines()) == 1
    assert "message.send" in terminal.mab("audit", conversation, "1").out


def test_audit_of_one_conversation_shows_no_other(terminal: Terminal) -> None:
    first, second = terminal.opened(), terminal.opened()
    assert {entry["conversation"] for entry in terminal.mab("audit", second, "--json").json} == {second}
    assert first not in terminal.mab("audit", second).out


@pytest.mark.parametrize("limit", ["0", "-1", "x", "99999999"])
def test_a_limit_out_of_range_is_invalid(terminal: Terminal, limit: str) -> None:
    assert terminal.mab("audit", "-", limit, status=2).code == "invalid"


def test_a_sound_journal_verifies(terminal: Terminal) -> None:
    terminal.opened()
    assert terminal.mab("audit", "--verify").out.startswith("verified: 2 entries")
    told = terminal.mab("audit", "--verify", "--json").json
    assert told["verified"] is True
    assert told["entries"] == 2
    assert len(bytes.fromhex(told["root"])) == 32


def test_one_altered_letter_is_tampering_and_the_entry_is_named(terminal: Terminal) -> None:
    terminal.opened()
    terminal.opened()
    altered(terminal, 2)
    done = terminal.mab("audit", "--verify", status=10)
    assert done.code == "tampered"
    assert "entry 2" in done.err
    told = terminal.mab("audit", "--verify", "--json", status=10)
    assert told.json["verified"] is False
    assert told.json["seq"] == 2


def test_a_kept_checkpoint_shows_that_the_journal_was_cut(terminal: Terminal) -> None:
    terminal.opened()
    kept = terminal.root / "kept.txt"
    kept.write_text(terminal.mab("audit", "--checkpoint").out)
    terminal.mab("audit", "--verify", "--against", str(kept))
    for name in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        (terminal.home / name).unlink(missing_ok=True)
    terminal.opened("somebody", "else")
    assert terminal.mab("audit", "--verify", "--against", str(kept), status=10).code == "tampered"


@pytest.mark.parametrize("content", [b"", b"\xff", b"not a checkpoint\n"])
def test_a_file_that_is_no_checkpoint_is_invalid(terminal: Terminal, content: bytes) -> None:
    terminal.opened()
    kept = terminal.root / "kept.txt"
    kept.write_bytes(content)
    assert terminal.mab("audit", "--verify", "--against", str(kept), status=2).code == "invalid"


def test_an_export_holds_every_line_and_the_checkpoint_beside_it(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "the words themselves")
    file = terminal.root / "journal.jsonl"
    told = terminal.mab("audit", "--export", str(file), "--json").json
    assert set(told) == {"entries", "file", "checkpoint", "verifier_key"}
    lines = file.read_text().splitlines()
    assert len(lines) == told["entries"]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert "the words themselves" not in file.read_text()
    kept = terminal.mab("audit", "--verify", "--against", told["checkpoint"], "--json").json
    assert kept["verified"] is True


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.jsonl.checkpoint"])
def test_an_export_overwrites_nothing(terminal: Terminal, name: str) -> None:
    terminal.opened()
    there = terminal.root / name
    there.write_text("mine")
    assert terminal.mab("audit", "--export", str(terminal.root / "journal.jsonl"), status=2).code == "invalid"
    assert there.read_text() == "mine"


def test_an_export_to_standard_output_is_lines_and_nothing_else(terminal: Terminal) -> None:
    terminal.opened()
    done = terminal.mab("audit", "--export", "-")
    assert [json.loads(line)["seq"] for line in done.out.splitlines()] == [1, 2, 3]
    assert terminal.process("audit", "--export", "-").err == ""


def test_an_export_that_nobody_can_write_is_unavailable(terminal: Terminal) -> None:
    terminal.opened()
    assert terminal.mab("audit", "--export", str(terminal.root / "nowhere" / "file"), status=9).code == "unavailable"


def test_everything_in_the_state_directory_is_its_owners_alone(terminal: Terminal) -> None:
    terminal.mab("send", terminal.opened(), "hello")
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in [terminal.home, *terminal.home.iterdir()]}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()


def test_a_report_is_a_page_of_lines(terminal: Terminal) -> None:
    conversation = terminal.opened()
    lines = terminal.mab("report", conversation).out.splitlines()
    assert lines[0] == f"# Evidence: {conversation}"
    assert {"## acts", "## citation"} <= set(lines)
