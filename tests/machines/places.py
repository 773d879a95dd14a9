"""One state directory, everything that runs in it, and the proof that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.machines.agents import MAB, SECONDS, Agent, environment

_ENDLESS = json.dumps([[1_000_000, 60]])
UNLIMITED = {f"MAB_LIMITS__{name}": _ENDLESS for name in ("WRITES", "READS", "CREATIONS", "FAILURES", "INVITES")}
"""Settings for tests that are about something else than the limits."""


def until(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Wait for the condition to hold and return its value; fail naming `what`."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def running(home: Path) -> list[int]:
    """The processes that have this state directory in their environment, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if b"MAB_HOME=" + os.fsencode(home) in words and state != "Z":
            found.append(int(entry.name))
    return found


class Place:
    """A state directory of a test's own."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.env: dict[str, str] = dict(env)
        self.agents: list[Agent] = []
        self.hubs: list[subprocess.Popen[bytes]] = []
        self._killed = False

    def agent(self, *words: str, era: str = "modern", env: Mapping[str, str] | None = None, **more: Any) -> Agent:
        agent = Agent(self.home, *words, era=era, env=self.env | dict(env or {}), **more)
        self.agents.append(agent)
        return agent

    def pair(self, era: str = "modern") -> tuple[Agent, Agent, str]:
        """Alice (session a) and Bob (session b) in one conversation, and its id."""
        alice, bob = self.agent(era=era), self.agent(era=era)
        made = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=made["sessions"][1]["invite"])
        return alice, bob, made["conversation_id"]

    def mab(self, *words: str, status: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the owner."""
        done = subprocess.run(
            [MAB, *words],
            env=environment(self.home, **(self.env | more)),
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
        )
        assert status is None or done.returncode == status, done.stderr
        return done

    def serve(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a hub by hand and wait until it listens."""
        hub = subprocess.Popen(
            [MAB, "serve", *words], env=environment(self.home, **(self.env | more)), stderr=subprocess.PIPE
        )
        self.hubs.append(hub)
        assert hub.stderr is not None
        assert b"listens" in hub.stderr.readline()
        return hub

    @property
    def hub(self) -> int:
        """The process id of the hub that serves now."""
        return int((self.home / "hub.pid").read_text())

    def serves(self) -> bool:
        """Whether a hub lives here."""
        return any("serve" in words_of(process) for process in running(self.home))

    def kill_hub(self) -> int:
        """kill -9 the hub; returns which one it was, once it is gone and every agent's shim has seen that."""
        hub, self._killed = self.hub, True
        held = self._connections()
        os.kill(hub, signal.SIGKILL)
        # its sockets close with its last thread; whether somebody listens says nothing, since the next hub may do so already
        until(lambda: ended(hub), "the hub is gone with all its threads")
        until(lambda: not held & self._connections(), "every shim has let its connection go")
        return hub

    def _connections(self) -> set[str]:
        """The sockets of the shims of this place that run."""
        found = set()
        for agent in self.agents:
            shim = agent.process.pid
            if (
                agent.process.poll() is not None
                or state_of(shim) == "T"
                or {"--standalone", "--connect"} & {*words_of(shim)}
            ):
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                for handle in os.listdir(f"/proc/{shim}/fd"):
                    with suppress(FileNotFoundError):
                        found.add(os.readlink(f"/proc/{shim}/fd/{handle}"))
        return {name for name in found if name.startswith("socket:")}

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Every entry of the journal, in order, as it lies in the store."""
        with closing(sqlite3.connect(f"file:{self.home / 'bridge.db'}?mode=ro", uri=True, timeout=SECONDS)) as store:
            return [json.loads(line) for (line,) in store.execute("SELECT line FROM journal ORDER BY seq")]

    def verified(self) -> None:
        """The journal verifies."""
        assert json.loads(self.mab("audit", "--verify", "--json").stdout)["verified"]

    def close(self) -> None:
        """End everything that was started here. Fails when a process or a socket is left behind."""
        for agent in self.agents:
            agent.close()
        for process in running(self.home):
            for number in (signal.SIGCONT, signal.SIGTERM):
                with suppress(ProcessLookupError):
                    os.kill(process, number)
        try:
            until(lambda: not running(self.home), "every process of the state directory has ended")
        finally:
            for process in running(self.home):
                os.kill(process, signal.SIGKILL)
            for hub in self.hubs:
                hub.wait(SECONDS)
                assert hub.stderr is not None
                hub.stderr.close()
        left = [
            path.name for path in (*self.home.glob("*.sock"), *self.home.glob("bells/*"), *self.home.glob("bells/.*"))
        ]
        assert not left or self._killed, f"sockets left behind: {left}"


def ended(process: int) -> bool:
    """Whether nothing runs of it any more, though nobody may have asked for its exit status."""
    try:
        return state_of(process) in ("", "Z", "X") and os.listdir(f"/proc/{process}/task") == [str(process)]
    except (FileNotFoundError, ProcessLookupError):
        return True


def state_of(process: int) -> str:
    """Its state as proc(5) has it; empty when it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def words_of(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().split("\0")
    except OSError:
        return []


@contextmanager
def made(**env: str) -> Iterator[Place]:
    """A place with a short path (a socket address has little room), removed when the test is over."""
    home = Path(tempfile.mkdtemp(prefix="mab-"))
    place = Place(home, **env)
    try:
        yield place
    except BaseException:
        for process in running(home):
            os.kill(process, signal.SIGKILL)
        with suppress(AssertionError):
            place.close()
        raise
    else:
        place.close()
    finally:
        shutil.rmtree(home)
