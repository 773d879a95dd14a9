"""The hub that runs, or does not, looked at from outside: nothing is started, nothing is changed."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from multiagent_bridge import __version__
from multiagent_bridge.errors import Conflict

State = Literal["none", "answers", "refuses", "stale", "silent", "foreign"]
"""`stale`: a socket of nobody; `silent`: somebody holds the hub's lock and does not answer; `foreign`: not a socket."""

ANSWER_SECONDS = 5.0
PATH_BYTES = 100
"""Longest socket path used as it is; macOS takes 104 bytes, Linux 108."""

GREETING_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Running:
    """What one greeting told. `milliseconds` is how long the answer took."""

    state: State
    pid: int | None = None
    version: str = ""
    connections: int | None = None
    milliseconds: float = 0.0
    said: str = ""

    def fields(self) -> dict[str, object]:
        return {"state": self.state, "pid": self.pid, "version": self.version or None, "connections": self.connections}


def look(home: Path, seconds: float = ANSWER_SECONDS) -> Running:
    """Greet the hub of the state directory and take leave. Raises OSError for a directory that cannot be entered."""
    place = home / "hub.sock"
    try:
        found = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Running("silent", _written_pid(home)) if _held(home / "hub.lock") else Running("none")
    if not stat.S_ISSOCK(found.st_mode):
        return Running("foreign")
    began = time.monotonic()
    try:
        answer = _greet(home, seconds)
    except (ConnectionError, FileNotFoundError):
        return Running("silent", _written_pid(home)) if _held(home / "hub.lock") else Running("stale")
    except (TimeoutError, BlockingIOError, ValueError):
        # a queue that is full refuses at once: nobody takes from it
        return Running("silent", _written_pid(home), milliseconds=_since(began))
    pid, connections = answer.get("pid"), answer.get("connections")
    return Running(
        "answers" if answer.get("ok") else "refuses",
        pid if isinstance(pid, int) else _written_pid(home),
        str(answer.get("version", "")),
        connections if isinstance(connections, int) else None,
        _since(began),
        str(answer.get("error", "")),
    )


@contextmanager
def none_runs(home: Path) -> Iterator[None]:
    """For as long as the context no hub of the state directory runs, and none that an agent wants can start: what is written to
    a store that is about to be replaced or left would be lost. Raises Conflict while one runs.
    """
    from multiagent_bridge.adapters.state import prepared, try_lock

    lock = None
    if look(home).state not in ("answers", "silent", "refuses"):
        lock = try_lock(prepared(home) / "hub.lock")
    if lock is None:
        raise Conflict("a hub of this state directory is running", "mab serve --stop, then repeat the command")
    try:
        yield
    finally:
        os.close(lock)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _greet(home: Path, seconds: float) -> dict[str, Any]:
    """The first line of the hub's answer. Raises OSError, or ValueError for what is no answer of a hub."""
    hello = {
        "mab": 1,
        "version": __version__,
        "key": os.urandom(16).hex(),
        "as": None,
        "pid": os.getpid(),
        "verb": "status",
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        _connect(connection, home)
        connection.sendall(json.dumps(hello).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            if len(line) > GREETING_BYTES or not (more := connection.recv(4096)):
                raise ConnectionResetError("the hub closed the connection")
            line += more
    answer = json.loads(line.split(b"\n", 1)[0])
    if not isinstance(answer, dict):
        raise ValueError("not the answer of a hub")
    return answer


def _connect(connection: socket.socket, home: Path) -> None:
    whole = str(home / "hub.sock")
    if len(os.fsencode(whole)) <= PATH_BYTES:
        connection.connect(whole)
        return
    directory = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{directory}/hub.sock")
    finally:
        os.close(directory)


def _held(lock: Path) -> bool:
    """Whether another process holds the lock. It is not created, and let go of at once."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _written_pid(home: Path) -> int | None:
    """The process id that the hub wrote down, if such a process lives."""
    with suppress(OSError, ValueError):
        number = int((home / "hub.pid").read_text(encoding="ascii"))
        os.kill(number, 0)
        return number
    return None
