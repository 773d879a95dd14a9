"""`mab top` as a person has it: a process of its own on a pseudo terminal, what it drew, and the keys that are pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machines.agents import MAB, SECONDS, environment

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[P\]_^X][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b[ -/]*[0-~]")
COLOURS = re.compile(r"\x1b\[[0-9;]*\b(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;]*m")
"""SGR sequences that set a colour (ECMA-48, section 8.3.117)."""


class Screen:
    """One process on a terminal. Every wait is bounded, and reads what is drawn meanwhile, so that it never blocks."""

    def __init__(self, home: Path, *words: str, columns: int = 80, lines: int = 24, **env: str) -> None:
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (lines, columns))
        self.before = termios.tcgetattr(self._theirs)
        self._drawn = bytearray()
        self.process = subprocess.Popen(
            [MAB, *words], stdin=self._theirs, stdout=self._theirs, stderr=self._theirs, start_new_session=True,
            env=environment(home, **({"TERM": "xterm-256color", "LANG": "C.UTF-8"} | env)),
        )  # fmt: skip

    @property
    def raw(self) -> str:
        return self._drawn.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """Everything that was ever drawn, without the sequences that placed and painted it."""
        return ESCAPES.sub("", self.raw)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, condition: Callable[[str], object], what: str, since: int = 0) -> str:
        """Wait until what was drawn after `since` letters fulfils the condition. Returns it."""
        end = time.monotonic() + SECONDS
        while not condition(self.text[since:]):
            assert time.monotonic() < end, f"not within {SECONDS} s: {what}\n{self.text[since:][-3000:]}"
            assert self._read(0.05) or self.process.poll() is None, f"it ended before {what}\n{self.text[-3000:]}"
        return self.text[since:]

    def ended(self) -> int:
        """Its exit status, once it has left."""
        end = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end\n{self.text[-3000:]}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    @property
    def settings(self) -> list[object]:
        """How the terminal is set now, as `termios.tcgetattr` has it."""
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        self._drawn += os.read(self._ours, 65_536)
        return True


@contextmanager
def screen(home: Path, *words: str, columns: int = 80, lines: int = 24, **env: str) -> Iterator[Screen]:
    here = Screen(home, *words, columns=columns, lines=lines, **env)
    try:
        yield here
    finally:
        here.close()
