"""A room of the Landlock sandbox: how each program of a plan is launched, under a supervisor of its own."""

from __future__ import annotations

import marshal
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.sandbox.memory import held
from multiagent_bridge.adapters.sandbox.running import Launch
from multiagent_bridge.adapters.sandbox.trees import readable
from multiagent_bridge.errors import Unavailable

SUPERVISOR = Path(__file__).with_name("landlock_supervisor.py")
NUMBER = 8
"""Bytes of the slate that hold the warden's number, as the supervisor has it."""

Order = Mapping[str, object]
"""What the supervisor is told, by the names it knows, but for the program."""


class LandlockRoom:
    """Each program gets a supervisor of its own, told by way of a file without a name."""

    def __init__(self, order: Order, variables: Mapping[str, str], memory: int) -> None:
        """`memory` is the number of bytes that a program and all it starts may hold."""
        self._order = order
        self._memory = memory
        self._variables = variables
        self._open: set[Watched] = set()

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        """As `running.Room`. Raises Unavailable."""
        given = {os.fsencode(name): os.fsencode(value) for name, value in {**self._variables, **environment}.items()}
        told = {
            **self._order,
            "argv": [os.fsencode(word) for word in argv],
            "environment": given,
            "cwd": os.fsencode(cwd),
        }
        try:
            watched, theirs = _watched(marshal.dumps(told), self._memory)
        except OSError as error:
            raise Unavailable(f"the Landlock supervisor could not be prepared: {error}", "mab doctor") from error
        self._open.add(watched)
        return Launch(
            argv=(sys.executable, "-I", "-S", "-B", str(SUPERVISOR), *map(str, theirs)),
            environment={},
            cwd="/",
            inherit=theirs,
            kill=watched.buried,
            verdict=watched.verdict,
            resident=watched.resident,
        )

    def close(self) -> None:
        for watched in self._open:
            watched.close()


@dataclass(slots=True, eq=False)
class Watched:
    """Our side of a supervisor: the slate with its warden's number, the line whose cutting kills, and the pipe that reports, and
    that ends with the tree. `most` is the memory it may hold.
    """

    most: int
    slate: int
    lifeline: int
    report: int
    said: bytes = b""

    def resident(self) -> int:
        """Bytes of memory that the tree holds."""
        warden = int.from_bytes(os.pread(self.slate, NUMBER, 0), "little") if self.slate >= 0 else 0
        return held(warden, self.most) if warden else 0

    async def buried(self) -> None:
        """Cut the line and wait until leader and warden are gone, which are the last of the tree."""
        os.close(self.lifeline)
        self.lifeline = -1
        while True:
            await readable(self.report)
            more = os.read(self.report, 4096)
            if not more:
                break
            self.said += more
        self.close()

    def verdict(self, status: int, said: bytes) -> int:
        """The program's own status. Raises Unavailable when it was never started."""
        if self.said == b"+":
            return status
        why = self.said.removeprefix(b"+").removeprefix(b"-") or said[-200:] or b"it ended before it had begun"
        told = why.decode(errors="replace").strip()
        raise Unavailable(f"the Landlock sandbox could not be built: {told}", "mab doctor")

    def close(self) -> None:
        for fd in (self.slate, self.lifeline, self.report):
            if fd >= 0:
                os.close(fd)
        self.slate = self.lifeline = self.report = -1


def _watched(told: bytes, most: int) -> tuple[Watched, tuple[int, int, int]]:
    """Our ends and the supervisor's. Raises OSError and leaves nothing open then."""
    opened: list[int] = []
    try:
        slate = _nameless()
        opened.append(slate)
        os.pwrite(slate, bytes(NUMBER) + told, 0)
        opened.append(os.dup(slate))
        opened += os.pipe()
        opened += os.pipe()
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    ours, theirs, lifeline, holding, report, reporting = opened
    return Watched(most, ours, holding, report), (theirs, lifeline, reporting)


def _nameless() -> int:
    """A file that nobody else can open by name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mab")
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())
