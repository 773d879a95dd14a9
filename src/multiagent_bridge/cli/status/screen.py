"""The terminal while a status is watched: drawn over in place, and given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from multiagent_bridge.cli import output
from multiagent_bridge.cli.status.page import Line

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The terminal's other screen without a cursor, and back (xterm control sequences)."""

BEGIN, END = "\x1b[?2026h\x1b[H", "\x1b[J\x1b[?2026l"
"""What is drawn between them is shown at once, by terminals that know of it (synchronized output)."""

SMALL = (80, 24)
"""What a terminal measures that does not say."""


def drawable() -> bool:
    """Whether standard output is a terminal that can be drawn on."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


class Screen:
    """`with Screen() as screen`. Keys that are typed meanwhile are not shown; Ctrl-Z gives the terminal back, too."""

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._drawn = ""

    def size(self) -> tuple[int, int]:
        """Columns and rows, now."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return SMALL
        return columns or SMALL[0], rows or SMALL[1]

    def draw(self, lines: Sequence[Line]) -> None:
        """Put these lines where the last ones were, in one write; none if they are the same. They fit the terminal."""
        text = "\r\n".join(f"{output.painted(text, *style)}\x1b[K" for text, style in lines)
        if text != self._drawn:
            self._drawn = text
            output.raw(f"{BEGIN}{text}{END}")

    def forget(self) -> None:
        """Draw the next lines whatever was drawn before: the terminal has changed."""
        self._drawn = ""

    def suspend(self, redraw: Callable[[], None]) -> None:
        """Stop, as Ctrl-Z asks for, until the shell lets this process go on."""
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()
        redraw()

    def __enter__(self) -> Screen:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            # a terminal that was closed takes nothing back
            self._leave()

    def _enter(self) -> None:
        self._drawn = ""
        output.raw(ENTER)
        self._echo(False)

    def _leave(self) -> None:
        output.raw(LEAVE)
        self._echo(True)

    def _echo(self, on: bool) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            return
        with suppress(termios.error):
            if not on:
                self._settings = termios.tcgetattr(sys.stdin)
                quiet = [*self._settings[:3], self._settings[3] & ~termios.ECHO, *self._settings[4:]]
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
            elif self._settings is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)
