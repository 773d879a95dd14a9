"""`mab export` and `mab import` at a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pytest

from multiagent_bridge.cli import archives
from tests.faces.terminal import Terminal


def test_an_archive_that_was_changed_on_its_way_is_tampered(terminal: Terminal) -> None:
    conversation, file = terminal.opened(), terminal.root / "it.json"
    terminal.mab("send", conversation, "pay 10")
    terminal.mab("export", conversation, str(file))
    assert terminal.mab("import", str(file), "--json").json["signed_by"] in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace("pay 10", "pay 90"), "utf-8")
    assert terminal.mab("import", str(file), status=10).code == "tampered"
    assert len(terminal.mab("list", "--json").json) == 2


def test_a_disk_that_fills_up_leaves_no_half_archive(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation, file = terminal.opened(), terminal.root / "it.json"
    plain = archives.new_private

    def full(path: Path) -> IO[str]:
        made = plain(path)
        with open("/dev/full", "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), made.fileno())
        return made

    with monkeypatch.context() as patched:
        patched.setattr(archives, "new_private", full)
        assert terminal.mab("export", conversation, str(file), status=9).code == "unavailable"
    assert not file.exists()
    terminal.mab("export", conversation, str(file))
