"""A person at a terminal: the only one whom the guard asks. Never an argument, an environment or a pipe."""

from __future__ import annotations

import os
import sys

from multiagent_bridge.cli import output
from multiagent_bridge.errors import Refused

FOLD = "  : "
"""Begins every further row of a long line: no line of ours begins so."""

PROSE = "  LACKS "
"""Begins a sentence about a sandbox, which is ours alone and may be folded by the terminal."""

NARROWEST = 20


def show(line: str, *styles: str) -> None:
    """A line that an agent's words stand in, whole. On a terminal it is folded here and not by the terminal, so that no row of
    it can begin like a line of ours.
    """
    if line.startswith(PROSE):
        output.line(line, *styles)
        return
    output.line(line[: (room := _columns())], *styles)
    step = room - len(FOLD)
    for start in range(room, len(line), step):
        output.line(FOLD + line[start : start + step], *styles)


def _columns() -> int:
    """Columns of the terminal; without one, more than any line has."""
    try:
        return max(NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns or 80)
    except (OSError, ValueError, AttributeError):
        return sys.maxsize


def required(what: str) -> None:
    """Raises Refused unless both standard input and standard output are terminals. `what` begins the sentence."""
    for stream in (sys.stdin, sys.stdout):
        if stream is None or not stream.isatty():
            raise Refused(f"{what} is for a person at a terminal", "type the command there, and redirect nothing")


def agreed(question: str, undone: str, hint: str) -> None:
    """A yes or no on standard error. Raises Refused for a no; Ctrl-C ends the command."""
    import typer

    if not typer.confirm(question, default=False, err=True):
        raise Refused(undone, hint)


def answer(asked: str) -> str:
    """The line that is typed after `asked` was shown; what was typed or pasted before that does not count.

    Raises Refused at the end of input.
    """
    import termios

    output.line(asked, "bold")
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    output.raw("> ")
    typed = sys.stdin.buffer.readline()
    if not typed:
        output.line("")
        raise Refused("nothing was typed", "run it again when you have decided")
    return typed.decode("utf-8", "replace").strip()
