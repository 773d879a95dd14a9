"""What a person is told at a terminal: in the words of the command line, with the exit status that SPEC section 6 gives it."""

from __future__ import annotations

import os
import pty
import signal
import sys

import pytest

from multiagent_bridge import shim
from multiagent_bridge.cli.tree import COMMANDS
from multiagent_bridge.cli.wording import MEANT, WORDS, spoken
from multiagent_bridge.mcp.server import TOOLS
from tests.faces.terminal import Terminal, ended


def test_what_a_person_has_another_word_for_is_said_with_it(terminal: Terminal) -> None:
    done = terminal.mab("create", "backend", "b", status=2)
    assert "the second ROLE is too short" in done.err
    conversation = terminal.opened()
    done = terminal.mab("task", "assign", conversation, "Build", "--after", "task_none", status=2)
    assert done.err.splitlines() == [
        "mab: error: invalid: --after names a task that is not there",
        "mab: hint: make that one first: mab task list",
    ]


def test_every_word_is_one_of_a_tool_and_every_command_there_is(terminal: Terminal) -> None:
    of_tools = {tool.name for tool in TOOLS} | {name for tool in TOOLS for name in tool.schema["properties"]}
    assert set(WORDS) <= of_tools
    commands = {word for word in WORDS.values() if word.startswith("mab ")}
    assert all(terminal.mab(*command.split()[1:], "--help").out for command in commands)


def test_a_command_by_the_name_of_elsewhere_is_told_the_one_of_here(terminal: Terminal) -> None:
    done = terminal.mab("open", "backend", "frontend", status=2)
    assert done.err.splitlines() == [
        "mab: error: invalid: no such command 'open'",
        "mab: hint: did you mean 'mab create'? mab --help",
    ]
    assert not set(MEANT) & set(COMMANDS)
    assert all(terminal.mab(*(word for word in meant.split() if word[0] != "-"), "--help") for meant in MEANT.values())
    # deeper down it is somebody else's word
    assert "mab create" not in terminal.mab("yolo", "open", status=2).err


@pytest.mark.parametrize("quoted", ["no such command 'list_tasks'", 'a role "my_role"', "my_list_tasks", "list_tasks2"])
def test_what_a_person_typed_is_said_back_as_it_was(quoted: str) -> None:
    assert spoken(quoted) == quoted


READING = [
    ("import", "{}"),
    ("redact", "{}"),
    ("restore", "{}"),
    ("restore", "{}", "--identity", "{}"),
    ("audit", "--verify", "--against", "{}"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_file_that_is_not_there_is_not_found(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.opened()
    done = terminal.mab(*(word.format("nowhere/it") for word in words), status=7)
    assert (done.code, "there is no file nowhere/it" in done.err) == ("not_found", True)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_folder_in_a_files_place_is_an_error_and_no_traceback(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.opened()
    folder = terminal.project / "folder"
    folder.mkdir()
    done = terminal.mab(*(word.format(folder) for word in words), status=None)
    assert (done.code, done.status) in {("unavailable", 9), ("invalid", 2)}


def test_a_hub_that_is_interrupted_ends_in_order_with_130(terminal: Terminal) -> None:
    terminal.opened()
    hub = terminal.started("serve")
    assert hub.stderr is not None
    try:
        assert "hub listens" in hub.stderr.readline()
    finally:
        hub.send_signal(signal.SIGINT)
        done = ended(hub)
    assert (done.status, done.err) == (130, "")
    assert not (terminal.home / "hub.sock").exists()
    assert "1 checkpoints" in terminal.mab("audit", "--verify").out


@pytest.mark.parametrize("somebody", [True, False], ids=["a person", "a client"])
def test_whoever_starts_at_a_terminal_what_a_client_starts_is_told_so(
    somebody: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = pty.openpty() if somebody else os.pipe()
    monkeypatch.setattr(shim.Pump, "run", lambda pump: 0)
    with os.fdopen(theirs if somebody else ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert shim.main([]) == 0
    os.close(ours if somebody else theirs)
    said = capsys.readouterr()
    assert (said.out, "waits for an MCP client" in said.err) == ("", somebody)
