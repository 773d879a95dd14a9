"""What is kept of a stream while it is read: its two ends and its length, never more (SPEC section 3)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from multiagent_bridge.model.sandboxes import Captured

CHUNK = 64 << 10


class Capture:
    """Keeps the first `head` and the last `tail` bytes fed to it; holds at most one chunk more."""

    def __init__(self, head: int, tail: int) -> None:
        self._most_head, self._most_tail = head, tail
        self._head, self._tail = bytearray(), bytearray()
        self.total = 0

    def feed(self, chunk: bytes) -> None:
        self.total += len(chunk)
        room = self._most_head - len(self._head)
        self._head += chunk[:room]
        rest = chunk[room:] if room else chunk
        if rest:
            self._tail += rest
            del self._tail[: max(0, len(self._tail) - self._most_tail)]

    @property
    def end(self) -> bytes:
        """The last bytes there are."""
        return bytes(self._tail or self._head)

    @property
    def captured(self) -> Captured:
        return Captured(bytes(self._head), bytes(self._tail), self.total)


class Reader:
    """Feeds a capture from the read end of a pipe, which it owns, without ever blocking the loop.

    `fed` is called after each chunk; it answers whether to go on reading.
    """

    def __init__(self, fd: int, capture: Capture, fed: Callable[[], bool]) -> None:
        self._fd = fd
        self._capture = capture
        self._fed = fed
        self._done = False
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def _read(self) -> bool:
        """Whether there may be more at once."""
        try:
            chunk = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return False
        self._capture.feed(chunk)
        if chunk and self._fed():
            return True
        # at the end a descriptor is readable for ever
        self._done = True
        self._loop.remove_reader(self._fd)
        return False

    def close(self, most: int) -> None:
        """Take what is still in the pipe, at most `most` bytes: something that escaped must not feed us for ever."""
        upto = self._capture.total + most
        while not self._done and self._capture.total < upto and self._read():
            pass
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
