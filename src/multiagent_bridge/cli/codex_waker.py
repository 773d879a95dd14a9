"""The waker beside an idle Codex. Codex waits for its hooks, so it is a process of its own, and speaks through `codex queue`.

Source: runs of Codex 0.169.0, with its background server and without.
"""

from __future__ import annotations

import json
import math
import os
import re
import select
import signal
import subprocess
from pathlib import Path

from multiagent_bridge.cli import wakers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from multiagent_bridge.cli.wakers import Reason

QUEUE_SECONDS = 60
ANCESTORS = 5
META_BYTES = 1_000_000
PROCESSES = Path("/proc")
TERMINAL_FIELD = 4
"""Where the controlling terminal stands in /proc/PID/stat, counted after the program's name."""

SERVER = b"app-server"
THREAD = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What `codex queue` takes for a thread's id; a name could be another thread's."""


def arm(name: str, told: Mapping[str, Any], reason: Reason) -> None:
    """Leave a waker beside the idle Codex that runs this hook.

    None for a session that no person began at a terminal (`codex exec`), and none beside a program that is not Codex.
    """
    thread = str(told.get("session_id", ""))
    if not THREAD.fullmatch(thread) or not _began_at_terminal(str(told.get("transcript_path", ""))):
        return
    codex = _codex()
    if codex is None:
        return
    process, program = codex
    clients = _terminals(str(told.get("cwd", ""))) if SERVER in _words(process) else [process]
    if not clients or os.fork():
        return
    status = 1
    try:
        _detached()
        _beside(clients, program, thread, name, told, reason)
        status = 0
    finally:
        os._exit(status)


def _beside(
    clients: Sequence[int], program: str, thread: str, name: str, told: Mapping[str, Any], reason: Reason
) -> None:
    """Wait while one of the processes `clients` runs, and hand Codex what is to be said through its own queue."""
    lock = wakers.locked(wakers.whose(name, told))
    if lock is None:
        return
    signal.signal(signal.SIGTERM, wakers.ended)
    try:
        found = wakers.awaited(name, _watched(clients), math.inf)
        if found:
            # no --resume: a thread that nobody has open stays closed, and the words wait for it
            command = [program, "queue", "--thread", thread, "--message", reason(found)]
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=QUEUE_SECONDS, check=False,
            )  # fmt: skip
    finally:
        wakers.unlocked(lock)


def _watched(clients: Sequence[int]) -> Callable[[], bool]:
    """Whether all of these processes have ended, asked as often as one likes."""
    if hasattr(os, "pidfd_open"):
        handles = []
        for client in clients:
            try:
                handles.append(os.pidfd_open(client))
            except OSError:
                continue
        return lambda: len(select.select(handles, [], [], 0)[0]) == len(handles)

    def gone() -> bool:
        return not any(map(_lives, clients))

    return gone


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _codex() -> tuple[int, str] | None:
    """The Codex that runs this hook: its id and its program. A shell may stand between."""
    process = os.getppid()
    for _ in range(ANCESTORS):
        if process <= 1:
            return None
        parent, program = _ancestor(process)
        if _named_codex(program):
            return process, program
        process = parent
    return None


def _ancestor(process: int) -> tuple[int, str]:
    """A process's parent and program; 0 and nothing when it cannot be seen."""
    try:
        return int(_fields(process)[1]), str((PROCESSES / str(process) / "exe").readlink())
    except OSError:
        if PROCESSES.joinpath("self").is_dir():
            return 0, ""
    shown = subprocess.run(
        ["/bin/ps", "-o", "ppid=", "-o", "comm=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    parent, _, program = shown.stdout.strip().partition(" ")
    return (int(parent), program.strip()) if parent.isdigit() else (0, "")


def _terminals(work: str) -> list[int]:
    """The open terminal interfaces of this user's Codex that work in the folder `work`, or were told of a folder.

    The background server keeps a session after its terminal was closed: then nobody is there to see what an agent does.
    """
    found, place = [], os.path.realpath(work)
    for folder in PROCESSES.glob("[0-9]*"):
        try:
            process = int(folder.name)
            if folder.stat().st_uid != os.geteuid() or not _named_codex(str((folder / "exe").readlink())):
                continue
            words = _words(process)
            if SERVER in words or b"exec" in words[1:2] or not int(_fields(process)[TERMINAL_FIELD]):
                continue
            if str((folder / "cwd").readlink()) == place or any(word.startswith((b"-C", b"--cd")) for word in words):
                found.append(process)
        except (OSError, ValueError):
            continue
    return found


def _named_codex(program: str) -> bool:
    return re.fullmatch(r"codex(-[\w-]+)?", Path(program).name) is not None


def _fields(process: int) -> list[bytes]:
    return (PROCESSES / str(process) / "stat").read_bytes().rpartition(b")")[2].split()


def _words(process: int) -> list[bytes]:
    try:
        return (PROCESSES / str(process) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _began_at_terminal(transcript: str) -> bool:
    """Whether a person began the session in Codex's terminal interface, by what Codex wrote of it first."""
    try:
        with os.fdopen(os.open(transcript, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            begun = json.loads(file.readline(META_BYTES))["payload"]
        return bool(begun["originator"] == "codex-tui" and begun.get("thread_source", "user") == "user")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _detached() -> None:
    """In a session of its own, without the pipes whose end Codex waits for."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
