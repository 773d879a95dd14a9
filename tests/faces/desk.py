"""A person at a terminal, in this process: what they see, and what they type when they are asked."""

from __future__ import annotations

import os
import pty
import re
import sys
import termios
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from multiagent_bridge import wiring
from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.cli import owner
from multiagent_bridge.cli.app import run
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.yolo import PHRASE
from multiagent_bridge.ports import Background
from multiagent_bridge.services.commands import Told
from multiagent_bridge.services.hub import Ground, Hub
from multiagent_bridge.testing.hubs import Default, agent
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces
from tests.faces.terminal import SECONDS, Done, Terminal
from tests.services.guarded import StagedSandbox

T = TypeVar("T")
Typed = str | bytes | Callable[[str], str]
"""What is typed at a prompt, or how it follows from what is seen."""

PROMPT = re.compile(r"(\n> |\[y/N\]: )$")
CODE = re.compile(r"Type the code (\w{6}) ")


def code(seen: str) -> str:
    """The code that was shown last."""
    return CODE.findall(seen)[-1]


@dataclass
class Desk:
    """A terminal of a state directory whose commands run in a staged sandbox, over workspaces in memory."""

    terminal: Terminal
    patch: pytest.MonkeyPatch
    sandbox: StagedSandbox = field(default_factory=StagedSandbox)
    workspaces: MemoryWorkspaces = field(default_factory=MemoryWorkspaces)
    columns: int = 200

    def __post_init__(self) -> None:
        self.snapshots = MemorySnapshots(self.workspaces, SystemClock())

        def ground(settings: object, home: object, clock: object, ids: object, background: Background) -> Ground:
            return Ground(Default(), lambda line: (), (self.sandbox,), self.workspaces, self.snapshots, background)

        self.patch.setattr(wiring, "ground_of", ground)
        self.conversation = self.terminal.opened()
        self._tokens = {name: self.terminal.token(self.conversation, name) for name in "ab"}

    def types(self, *words: str, answers: tuple[Typed, ...] = (), ahead: bytes = b"", away: str = "") -> Done:
        """Run a command at a terminal; `ahead` is typed before it begins, the stream `away` leads into a file.

        What it left, and all that was seen.
        """
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (50, self.columns))
        os.write(ours, ahead)
        seen = bytearray()
        person = threading.Thread(target=typing, args=(ours, seen, list(answers)), daemon=True)
        person.start()
        with (
            self.patch.context() as patch,
            open(theirs, "w", closefd=False) as written,
            open(os.dup(theirs)) as read,
            open(os.devnull, "r+") as nowhere,
        ):
            for name, stream in (("stdin", read), ("stdout", written), ("stderr", written)):
                patch.setattr(sys, name, nowhere if name == away else stream)
            patch.setenv("NO_COLOR", "1")
            status = run(list(words))
        os.close(theirs)
        person.join(SECONDS)
        assert not person.is_alive()
        os.close(ours)
        text = seen.decode().replace("\r\n", "\n")
        return Done(status, text, text)

    def enables(self, mode: str = "restricted", *more: str) -> Done:
        words = ("yolo", "enable", self.conversation, "--mode", mode, "--workspace", "/work/shop", *more)
        done = self.types(*words, answers=(PHRASE, code))
        assert done.status == 0, done.out
        return done

    def approves(self, *words: str) -> Done:
        done = self.types("yolo", "approve", *words, answers=(code,))
        assert done.status == 0, done.out
        return done

    def acts(self, verb: Callable[[Hub, Caller, Credentials], Awaitable[T]], session: str = "a") -> T:
        """What the agent of that session does, its gate open."""
        given = Credentials(self.conversation, session, self._tokens[session])
        return owner.run(lambda hub, me: verb(hub, me, given), agent(f"agent {session}", yolo=True))

    def executes(self, command: str | None = None, session: str = "a", **words: object) -> Told:
        return self.acts(lambda hub, me, given: hub.commands.execute(me, given, command, **words), session)

    def asks(self, command: str = "git status", session: str = "a") -> str:
        """A request that waits; its id."""
        told = self.executes(command, session, dry_run=False)
        assert told.state == "pending", told.reason
        assert told.command_id is not None
        return told.command_id

    def runs(self, command_id: str) -> Told:
        return self.executes(command_id=command_id, dry_run=False)


def typing(terminal: int, seen: bytearray, answers: list[Typed]) -> None:
    """Read what is shown until the other end closes; at each prompt type the next answer, then the end of input."""
    answered = 0
    while True:
        try:
            more = os.read(terminal, 65_536)
        except OSError:
            # how Linux says that the other end is closed
            return
        seen += more
        text = seen[answered:].decode("utf-8", "replace").replace("\r\n", "\n")
        if PROMPT.search(text):
            answered = len(seen)
            typed: Typed = answers.pop(0) if answers else b"\x04"
            if callable(typed):
                typed = typed(seen.decode())
            os.write(terminal, typed if isinstance(typed, bytes) else typed.encode() + b"\n")
