"""A state directory in which commands are enabled: agents over real processes, and a person at a real terminal."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiagent_bridge.model.yolo import PHRASE
from tests.faces.desk import Typed, code, typing
from tests.faces.terminal import Done
from tests.machines.agents import MAB, SECONDS, Agent, Result, environment
from tests.machines.places import UNLIMITED, Place, made

OPEN = {"YOLO_MODE": "1"}
NOBODY = 65534

COUNT = "with open('ran', 'a') as file:\n    file.write('x')\n"
"""A script whose runs can be counted."""


def at_a_terminal(place: Place, *words: str, answers: tuple[Typed, ...] = ()) -> Done:
    """Run `mab` on a pseudo terminal of its own; what is typed at each of its prompts is given."""
    ours, theirs = pty.openpty()
    seen = bytearray()
    typist = threading.Thread(target=typing, args=(ours, seen, list(answers)), daemon=True)
    try:
        process = subprocess.Popen(
            [MAB, *words], env=environment(place.home, **(place.env | {"NO_COLOR": "1"})),
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
    finally:
        os.close(theirs)
    typist.start()
    try:
        status = process.wait(2 * SECONDS)
        typist.join(SECONDS)
    finally:
        process.kill()
        process.wait(SECONDS)
        os.close(ours)
    text = seen.decode().replace("\r\n", "\n")
    return Done(status, text, text)


@dataclass
class Site:
    """Alice (session a) and Bob (session b), both with an open gate, in a conversation whose commands work in `workspace`."""

    place: Place
    workspace: Path
    conversation: str
    alice: Agent
    bob: Agent
    asked: int = 0

    def person(self, *words: str, answers: tuple[Typed, ...] = ()) -> Done:
        return at_a_terminal(self.place, *words, answers=answers)

    def enables(self, mode: str = "restricted", conversation: str | None = None) -> None:
        done = self.person(
            "yolo", "enable", conversation or self.conversation, "--mode", mode, "--workspace", str(self.workspace),
            answers=(PHRASE, code),
        )  # fmt: skip
        assert done.status == 0, done.out

    def approves(self, *ids: str) -> Done:
        done = self.person("yolo", "approve", *ids, "--token", answers=(code,))
        assert done.status == 0, done.out
        return done

    def asks(self, command: str = "", agent: Agent | None = None) -> str:
        """A request of that agent that waits, for one more run of the script if nothing else is said; its id."""
        self.asked += 1
        line = command or f"python3 count.py {self.asked}"
        asked = (agent or self.alice).good("execute_command", command=line, dry_run=False)
        assert asked["state"] == "pending", asked
        return str(asked["command_id"])

    def runs(self, command_id: str, agent: Agent | None = None, **words: object) -> Result:
        return (agent or self.alice).call("execute_command", command_id=command_id, dry_run=False, **words)

    def given(self, session: str) -> dict[str, str]:
        """The credentials of a session, for a connection that never joined."""
        rows = json.loads(self.place.mab("tokens", self.conversation, "--json").stdout)["sessions"]
        token = next(row["token"] for row in rows if row["session_id"] == session)
        return {"conversation_id": self.conversation, "session_id": session, "token": token}

    def state(self, command_id: str) -> str:
        """How the person sees it."""
        return next(str(row["state"]) for row in self.rows("--all") if row["command_id"] == command_id)

    def rows(self, *more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.place.mab("yolo", "list", *more, "--json").stdout)
        return found

    @property
    def ran(self) -> int:
        """How often the counting script ran."""
        counted = self.workspace / "ran"
        return len(counted.read_text()) if counted.exists() else 0

    def tidies(self) -> None:
        """Nothing waits any more, and nothing was counted."""
        if waiting := [row["command_id"] for row in self.rows()]:
            self.place.mab("yolo", "deny", *waiting)
        (self.workspace / "ran").unlink(missing_ok=True)


@contextmanager
def enabled(mode: str = "restricted", **env: str) -> Iterator[Site]:
    workspace = Path(tempfile.mkdtemp(prefix="shop-"))
    try:
        with made(**(UNLIMITED | env)) as place:
            yield opened(place, workspace, mode)
            place.verified()
    finally:
        shutil.rmtree(workspace)


def opened(place: Place, workspace: Path, mode: str) -> Site:
    (workspace / "count.py").write_text(COUNT)
    if os.geteuid() == 0:
        # the sandbox never runs as root, and who it runs as must own what it writes
        for path in (workspace, *workspace.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    alice, bob = place.agent(env=OPEN), place.agent(env=OPEN)
    made_ = alice.good("create_conversation", my_role="backend", partner_role="frontend")
    bob.good("join_conversation", invite=made_["sessions"][1]["invite"])
    site = Site(place, workspace, made_["conversation_id"], alice, bob)
    site.enables(mode)
    return site
