from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge import errors
from multiagent_bridge.cli import app as application
from multiagent_bridge.cli import output
from tests.faces.terminal import MAB, SECONDS, Terminal, at_a_terminal, ended

EVIL = "\x1b[31mred\x07 \x9b2J \u202etxt.exe \x7f\r\nmab: error: forged\u2028and \u200b"


def test_colour_is_for_terminals_that_want_it(terminal: Terminal) -> None:
    terminal.opened()
    assert "\x1b[1m" in at_a_terminal(terminal, "list")[1]
    assert "\x1b" not in at_a_terminal(terminal, "list", NO_COLOR="1")[1]
    assert "\x1b" not in at_a_terminal(terminal, "list", TERM="dumb")[1]
    assert "\x1b[1m" in at_a_terminal(terminal, "list", NO_COLOR="")[1]
    assert "\x1b" not in terminal.process("list", TERM="xterm").out


def test_a_heading_is_for_people_only(terminal: Terminal) -> None:
    terminal.opened()
    assert "expires" in at_a_terminal(terminal, "list")[1]
    assert "expires" not in terminal.process("list").out


@pytest.mark.parametrize("words", [("check",), ("show",), ("tail", "--once")], ids=lambda words: words[0])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_control_characters_of_an_agent_never_reach_the_terminal(
    terminal: Terminal, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, EVIL)
    out = terminal.mab(words[0], conversation, *words[1:], *form).out
    assert not [c for c in out if not c.isprintable() and c != "\n"]
    assert not any(line.startswith("mab: error") for line in out.splitlines())
    assert "forged" in out


def test_json_gives_back_exactly_what_was_said(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, EVIL)
    assert terminal.mab("check", conversation, "--json").json["messages"][0]["message"] == EVIL


@given(st.text())
def test_what_is_shown_is_printable_and_one_line(text: str) -> None:
    assert output.visible(text).isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_printable_and_means_the_same(value: Any) -> None:
    text = output._json(value)
    assert text.isprintable()
    assert json.loads(text) == value


def test_columns_stay_aligned_whatever_the_letters(capsys: pytest.CaptureFixture[str]) -> None:
    output.rows([("日本", "x"), ("ab", "y"), ("e\u0301a", "z"), ("", "w")])
    lines = capsys.readouterr().out.splitlines()
    assert [output.width(line[: line.index(mark)]) for line, mark in zip(lines, "xyzw", strict=True)] == [6] * 4


def test_a_cell_cannot_begin_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["a"], [("one\nforged",)])
    assert capsys.readouterr().out == "one\\x0aforged\n"


def test_a_terminal_without_unicode_gets_escapes_and_valid_json(terminal: Terminal) -> None:
    conversation = terminal.opened()
    terminal.mab("send", conversation, "grüße 日本")
    plain = terminal.process("check", conversation, "--keep", PYTHONIOENCODING="ascii")
    assert "gr\\xfc\\xdfe \\u65e5\\u672c" in plain.out
    told = terminal.process("check", conversation, "--json", PYTHONIOENCODING="ascii")
    assert told.json["messages"][0]["message"] == "grüße 日本"


@pytest.mark.parametrize("words", [("redact", "--rules"), ("--help",), ("audit", "--json")], ids=" ".join)
def test_a_reader_that_leaves_early_ends_the_command_quietly(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.opened()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*MAB, *words], env=terminal.environment(), stdout=writing, stderr=subprocess.PIPE, timeout=SECONDS, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_closed_standard_streams_are_no_traceback(terminal: Terminal) -> None:
    terminal.opened()
    command = f"{' '.join(MAB)} list >&-"
    done = subprocess.run(
        ["sh", "-c", command], env=terminal.environment(), capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 9
    assert b"Traceback" not in done.stderr
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(MAB)} show nowhere 2>&-"], env=terminal.environment(), timeout=SECONDS, check=False
    )
    assert done.returncode == 7


def test_a_full_device_is_unavailable(terminal: Terminal) -> None:
    terminal.opened()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*MAB, "list"],
            env=terminal.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 9
    assert done.stderr.decode().startswith("mab: error: unavailable: ")
    assert b"Traceback" not in done.stderr


def test_an_interrupt_ends_a_command_with_130_and_nothing_more(terminal: Terminal) -> None:
    conversation = terminal.opened()
    waiting = terminal.started("check", conversation, "--wait", "50")
    deadline = time.monotonic() + SECONDS
    while not list((terminal.home / "bells").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    waiting.send_signal(signal.SIGINT)
    done = ended(waiting)
    assert (done.status, done.out) == (130, "")
    assert "Traceback" not in done.err


def kinds() -> list[type[errors.BridgeError]]:
    def family(kind: type[errors.BridgeError]) -> list[type[errors.BridgeError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in family(child))]

    return sorted(
        {kind for kind in family(errors.BridgeError) if kind.__module__ == errors.__name__}, key=lambda k: k.code
    )


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_every_error_ends_in_its_sentence_its_hint_and_its_status(
    kind: type[errors.BridgeError], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"retry_after": 6.0} if kind is errors.TooFast else {}

    def failing(*_: object, **__: object) -> None:
        raise kind("it\x1b[31m is so", "do that", **more)

    monkeypatch.setattr(application, "app", failing)
    assert application.run([]) == kind.exit_status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"mab: error: {kind.code}: it\\x1b[31m is so\nmab: hint: do that\n"


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (PermissionError(errno.EACCES, "Permission denied", "/Some/Path"), 9),
        (ModuleNotFoundError("no", name="apsw"), 9),
        (SystemExit(3), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_other_ending_has_its_status(
    ending: BaseException, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise ending

    monkeypatch.setattr(application, "app", ends)
    assert application.run([]) == status
    said = capsys.readouterr().err
    if isinstance(ending, OSError):
        assert "/Some/Path: permission denied" in said


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(application, "app", breaks)
    with pytest.raises(ZeroDivisionError):
        application.run([])


def test_the_program_has_two_names(terminal: Terminal) -> None:
    for name in ("mab", "mcp-multiagent-bridge"):
        script = os.path.join(os.path.dirname(sys.executable), name)
        done = subprocess.run([script, "--version"], capture_output=True, timeout=SECONDS, check=True, text=True)
        assert done.stdout.startswith("mab ")


def test_a_stream_without_encoding_counts_as_ascii() -> None:
    assert not output._speaks_unicode(io.StringIO())


def test_a_command_that_prints_nothing_needs_no_standard_output(terminal: Terminal) -> None:
    conversation = terminal.opened()
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(MAB)} revoke {conversation} b >&-"],
        env=terminal.environment(), capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"revoked: b\n")
