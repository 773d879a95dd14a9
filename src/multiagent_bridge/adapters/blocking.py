"""Work on the file system that blocks: done in a thread, bounded in time, and really over when its caller goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

import anyio

from multiagent_bridge.adapters import state
from multiagent_bridge.errors import Conflict, Unavailable

T = TypeVar("T")

POLL = 0.02
"""Seconds between two tries for a lock that another process holds."""


class Stopped(Exception):
    """Whoever asked for the work was cancelled. Never leaves `in_thread`."""


class Watch:
    """The time that a piece of work has, and the word that nobody waits for it any more."""

    def __init__(self, seconds: float, what: str) -> None:
        self.seconds = seconds
        self._what = what
        self._end = time.monotonic() + seconds
        self._stopped = threading.Event()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._whole = False

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raises Unavailable when the time is over, Stopped when the caller was cancelled."""
        if self._stopped.is_set():
            raise Stopped
        if not self.left():
            raise Unavailable(
                f"{self._what} took longer than {self.seconds:.0f} s", "is the folder very big, or its disk very slow?"
            )

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than it makes sense; raises as `check` does."""
        self._stopped.wait(min(seconds, self.left()))
        self.check()

    def to_the_end(self) -> None:
        """What begins now is not left half done: from here on only the time counts. Raises as `check` does."""
        with self._lock:
            self.check()
            self._whole = True

    def stop(self) -> None:
        """Nobody waits any more: end soon. Called from another thread."""
        with self._lock:
            if self._whole:
                return
            self._stopped.set()
        for child in list(self._children):
            _killed(child)

    @contextmanager
    def over(self, child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """Kill `child`, who leads a session of its own, when the time is over or nobody waits any more; leave nothing behind."""
        alarm = threading.Timer(self.left(), _killed, (child,))
        alarm.daemon = True
        self._children.add(child)
        alarm.start()
        try:
            if self._stopped.is_set():
                _killed(child)
            yield child
        finally:
            alarm.cancel()
            self._children.discard(child)
            if child.poll() is None:
                _killed(child)
                child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    _closed(pipe)


async def in_thread(work: Callable[[Watch], T], seconds: float, what: str) -> T:
    """Run `work` in a thread. Cancelled, it tells the work to stop and waits until it has. Raises what `work` raises."""
    watch = Watch(seconds, what)
    future = asyncio.get_running_loop().run_in_executor(None, work, watch)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        watch.stop()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([future])
        future.exception()
        raise


def acquired(path: Path, watch: Watch) -> int:
    """The exclusive lock of the file at `path`, held while the returned handle is open. Raises Conflict when it is never free."""
    while (handle := state.try_lock(path)) is None:
        try:
            watch.pause(POLL)
        except Unavailable as error:
            raise Conflict("another process is at work on this workspace", "wait until it has ended") from error
    return handle


def _killed(child: subprocess.Popen[bytes]) -> None:
    """With all that it started; one that has ended already is left alone, since its number may be somebody else's."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _closed(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        # what could not be flushed to a killed child is of no interest
        return
