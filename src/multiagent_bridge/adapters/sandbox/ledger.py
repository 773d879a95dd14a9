"""What rooms put into workspaces and must take out again: written down first of all, so that no crash leaves it there for good.

One ledger and one lock for all workspaces of a state directory. A room holds the lock together with all others; whoever gets it
alone takes everything out. Taken out earlier it would be missed: removing a file that a room in another process, or around this
one, has mounted something upon removes the mount as well.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from multiagent_bridge.adapters.state import opened

LARGEST = 2
"""Bytes of what is put anywhere; something bigger is not ours any more."""


class Ledger:
    """`folder` is a folder of the state directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "made.jsonl"
        self._gate = folder / "made.lock"
        self._lock = -1

    def enter(self, pause: Callable[[], None]) -> None:
        """Take out what a crash left, if nobody else is at work, and share the lock. `pause` waits a moment, or raises."""
        self._lock = opened(self._gate, os.O_RDWR | os.O_CREAT)
        while True:
            if self._alone():
                self._take_out()
            try:
                fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pause()

    def note(self, path: str, made: os.stat_result) -> None:
        """Something was put there."""
        handle = opened(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(handle, json.dumps([path, made.st_dev, made.st_ino]).encode() + b"\n")
        finally:
            os.close(handle)

    def leave(self) -> None:
        """Give the lock back; whoever is the last takes everything out. Without effect when it was not entered."""
        if self._lock < 0:
            return
        try:
            if self._alone():
                self._take_out()
        finally:
            os.close(self._lock)
            self._lock = -1

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take_out(self) -> None:
        if not os.path.lexists(self._path):
            return
        with os.fdopen(opened(self._path, os.O_RDONLY), "rb") as file:
            entries = list(_entries(file.read()))
        for path, device, inode in reversed(entries):
            _remove(Path(path), device, inode)
        self._path.unlink()


def _entries(content: bytes) -> Iterator[tuple[str, int, int]]:
    """One that a crash cut off was put nowhere."""
    for line in content.splitlines():
        try:
            path, device, inode = json.loads(line)
            yield str(path), int(device), int(inode)
        except (ValueError, TypeError):
            continue


def _remove(path: Path, device: int, inode: int) -> None:
    """Remove what was put there, unless it has become something else: then it is somebody's."""
    try:
        found = path.lstat()
        if (found.st_dev, found.st_ino) != (device, inode):
            return
        if stat.S_ISDIR(found.st_mode):
            path.rmdir()
        elif found.st_size <= LARGEST:
            path.unlink()
    except OSError:
        # gone already, or a folder that is in use now
        return
