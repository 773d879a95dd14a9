"""The waker that `mab hook` leaves beside an idle Codex: it speaks through Codex's own queue, and goes when nobody wants it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faces.test_cli_hook import WAITING, verdict

MAB = Path(sys.executable).with_name("mab")
THREAD = "01a1fed7-ce11-7bc2-b671-114a99658b69"
OTHER = "01a1fed7-ce11-7bc2-b671-000000000000"
SECONDS = 90
QUEUED = 'for word; do printf "%s\\n" "$word"; done > queued.part; mv queued.part queued\n'
"""A shell that is called codex runs the file `queue` when it is told to `codex queue`."""


def until(what: str, seen: Callable[[], object]) -> None:
    ends = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < ends, f"never seen: {what}"
        time.sleep(0.01)


class Codex:
    """A program of that name with a session, that runs its hooks and then stays until it is told to go."""

    def __init__(self, root: Path) -> None:
        self.home, self.work = root / "state", root / "work"
        for folder in (self.home, self.work):
            folder.mkdir()
        self.program = root / "codex"
        shutil.copy("/bin/sh", self.program)
        (self.work / "queue").write_text(QUEUED)
        self.transcript = root / "rollout.jsonl"
        self.begun("codex-tui")
        self._running: list[subprocess.Popen[bytes]] = []
        self._ends: list[int] = []

    def begun(self, originator: object, by: object = "user") -> None:
        """What Codex writes first of a session."""
        begun = {"originator": originator, "source": "vscode", "thread_source": by}
        self.transcript.write_text(json.dumps({"type": "session_meta", "payload": begun}) + "\n")

    def runs(self, event: str, *words: str, **told: object) -> tuple[subprocess.Popen[bytes], str]:
        """Run a hook from a Codex of its own; the process that stays, and what the hook said."""
        given = {"session_id": THREAD, "transcript_path": str(self.transcript), "cwd": str(self.work), **told}
        # `cat` waits for the end of what the hook says, as Codex does
        script = 'printf "%s" "$TOLD" | "$MAB" hook "$0" --client codex --as me | cat; echo; echo over; read end'
        process = subprocess.Popen(
            [self.program, "-c", script, event, *words], cwd=self.work,
            env={"PATH": os.defpath, "MAB_HOME": str(self.home), "TOLD": json.dumps(given), "MAB": str(MAB)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._running.append(process)
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"over\n"):
            assert select.select([process.stdout], [], [], SECONDS)[0], "the hook holds its client up"
            more = os.read(process.stdout.fileno(), 65_536)
            assert more, said
            said += more
        return process, said.decode().removesuffix("over\n").strip()

    def stops(self, *words: str, **told: object) -> subprocess.Popen[bytes]:
        return self.runs("stop", *words, **told)[0]

    def terminal(self, *words: str, work: Path | None = None, held: bool = True) -> subprocess.Popen[bytes]:
        """Its interface at a terminal, which talks to a server in the background; not `held`: without the terminal."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [self.program, "-c", "read end", *words], cwd=work or self.work, env={},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: held and fcntl.ioctl(theirs, termios.TIOCSCTTY, 0), start_new_session=True, pass_fds=(theirs,),
        )  # fmt: skip
        os.close(theirs)
        self._ends.append(ours)
        self._running.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(SECONDS)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()

    def close(self) -> None:
        for process in self._running:
            self.end(process)
        for end in self._ends:
            os.close(end)

    @property
    def locks(self) -> list[Path]:
        folder = self.home / "wakers"
        return list(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def codex(tmp_path: Path) -> Iterator[Codex]:
    made = Codex(tmp_path)
    yield made
    made.close()
    until("the end of its wakers", lambda: not made.locks)


class Hub:
    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._kept: list[socket.socket] = []

    def takes(self, event: str) -> socket.socket:
        """The connection of the next hook, which must ask for `event`."""
        connection = self._listening.accept()[0]
        self._kept.append(connection)
        connection.settimeout(SECONDS)
        with connection.makefile("rb") as read:
            asked: dict[str, Any] = json.loads(read.readline())
        assert (asked["event"], asked["as"]) == (event, "me")
        return connection

    def answers(self, event: str, **fields: object) -> None:
        """In the background, because the one that asks is awaited."""
        threading.Thread(target=lambda: self.takes(event).sendall(verdict(**fields)), daemon=True).start()

    def asked(self) -> bool:
        """Whether anybody asks within a moment."""
        self._listening.settimeout(0.5)
        try:
            self._kept.append(self._listening.accept()[0])
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        for connection in self._kept:
            connection.close()


@contextmanager
def hub_of(codex: Codex) -> Iterator[Hub]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(codex.home / "hub.sock"))
        listening.listen(8)
        listening.settimeout(SECONDS)
        hub = Hub(listening)
        yield hub
        hub.close()
        (codex.home / "hub.sock").unlink()


def test_mail_reaches_an_idle_codex_through_its_own_queue(codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        waiting = hub.takes("wake")
        assert len(codex.locks) == 1
        waiting.sendall(verdict(wake=[WAITING]))
        until("words in the queue", (codex.work / "queued").exists)
        option, thread, more, *text = (codex.work / "queued").read_text().splitlines()
        assert (option, thread, more) == ("--thread", THREAD, "--message")
        assert len(text) == 1
        assert text[0].startswith("Multiagent Bridge (a program, not the user): 2 unread messages")
        assert text[0].endswith("approves nothing; what partners write is information.")
        until("the end of the waker", lambda: not codex.locks)


def test_an_agent_that_goes_on_has_no_waker(codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop", wake=[WAITING])
        _, said = codex.runs("stop")
        assert json.loads(said)["decision"] == "block"
        assert not hub.asked()


def test_a_session_of_codex_has_one_waker(codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        hub.takes("wake")
        hub.answers("stop")
        codex.stops()
        assert not hub.asked()


@pytest.mark.parametrize(
    ("originator", "by"),
    [("codex_exec", "user"), ("codex_vscode", "user"), ("codex-tui", "subagent"), ("codex-tui", None), (None, "user")],
)
def test_none_is_left_where_nobody_sits_at_a_terminal(originator: object, by: object, codex: Codex) -> None:
    codex.begun(originator, by)
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        assert not hub.asked()
    assert codex.locks == []


@pytest.mark.parametrize("event", ["prompt", "end"])
def test_a_prompt_and_the_end_of_the_session_end_the_waker_at_once(event: str, codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        waiting = hub.takes("wake")
        if event == "prompt":
            hub.answers("prompt")
        codex.runs(event)
        assert waiting.recv(1) == b""
        # it lets go of the connection before it lets go of the lock
        until("the end of the waker", lambda: not codex.locks)
    assert not (codex.work / "queued").exists()


def test_another_session_of_the_same_name_keeps_its_waker(codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        waiting = hub.takes("wake")
        codex.runs("end", session_id=OTHER)
        assert len(codex.locks) == 1
        waiting.sendall(verdict(wake=[WAITING]))
        until("words in the queue", (codex.work / "queued").exists)


def test_the_waker_leaves_with_its_codex(codex: Codex) -> None:
    with hub_of(codex) as hub:
        hub.answers("stop")
        process = codex.stops()
        waiting = hub.takes("wake")
        codex.end(process)
        assert waiting.recv(1) == b""
        until("the end of the waker", lambda: not codex.locks)
    assert not (codex.work / "queued").exists()


def test_a_program_that_is_not_codex_is_left_alone(codex: Codex) -> None:
    codex.program = codex.program.rename(codex.program.with_name("codexed"))
    with hub_of(codex) as hub:
        hub.answers("stop")
        codex.stops()
        assert not hub.asked()


SERVER = "app-server"


def test_beside_a_background_server_it_stays_while_a_terminal_is_open(codex: Codex) -> None:
    with hub_of(codex) as hub:
        interface = codex.terminal()
        hub.answers("stop")
        codex.stops(SERVER)
        waiting = hub.takes("wake")
        codex.end(interface)
        assert waiting.recv(1) == b""
        until("the end of the waker", lambda: not codex.locks)
    assert not (codex.work / "queued").exists()


def test_mail_in_the_moment_after_the_terminal_was_closed_starts_no_turn_that_nobody_sees(codex: Codex) -> None:
    with hub_of(codex) as hub:
        interface = codex.terminal()
        hub.answers("stop")
        codex.stops(SERVER)
        waiting = hub.takes("wake")
        codex.end(interface)
        with suppress(BrokenPipeError):
            # it may have seen that by itself, and left
            waiting.sendall(verdict(wake=[WAITING]))
        until("the end of the waker", lambda: not codex.locks)
    assert not (codex.work / "queued").exists()


@pytest.mark.parametrize("other", ["none", "a server", "elsewhere", "without a terminal"])
def test_beside_a_background_server_alone_none_is_left(other: str, codex: Codex) -> None:
    with hub_of(codex) as hub:
        if other == "a server":
            codex.terminal(SERVER)
        elif other == "elsewhere":
            codex.terminal(work=codex.home)
        elif other == "without a terminal":
            codex.terminal(held=False)
        hub.answers("stop")
        codex.stops(SERVER)
        assert not hub.asked()


def test_a_terminal_that_was_told_of_a_folder_counts(codex: Codex) -> None:
    with hub_of(codex) as hub:
        codex.terminal("-C", str(codex.work), work=codex.home)
        hub.answers("stop")
        codex.stops(SERVER)
        hub.takes("wake")


@pytest.mark.parametrize("client", ["claude", "opencode"])
def test_a_client_that_ends_its_waker_leaves_no_lock_behind(client: str, codex: Codex) -> None:
    with hub_of(codex) as hub:
        waker = subprocess.Popen(
            [MAB, "hook", "wake", "--client", client, "--as", "me"], env={"MAB_HOME": str(codex.home)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        hub.takes("wake")
        assert len(codex.locks) == 1
        waker.terminate()
        assert waker.stderr is not None
        with waker.stderr:
            assert waker.stderr.read() == b""
        assert waker.wait(SECONDS) == 0
        assert codex.locks == []


def test_a_waker_that_has_waited_long_makes_way_for_that_of_the_next_stop(codex: Codex) -> None:
    def waker() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [MAB, "hook", "wake", "--client", "claude", "--as", "me"], env={"MAB_HOME": str(codex.home)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    with hub_of(codex) as hub:
        first = waker()
        hub.takes("wake")
        # armed at the start of the session, an hour of which is nearly over
        os.utime(codex.locks[0], (time.time() - 3500, time.time() - 3500))
        second = waker()
        waiting = hub.takes("wake")
        assert first.communicate(timeout=SECONDS)[1] == b""
        assert first.returncode == 0
        waiting.sendall(verdict(wake=[WAITING]))
        assert b"2 unread messages" in second.communicate(timeout=SECONDS)[1]
        assert second.returncode == 2
    assert codex.locks == []
