"""Bells: one in memory, one that also rings in other processes of the same state directory.

Every process has one Unix datagram socket in the bells folder, under a hidden name while it listens to nothing; a ring is the
topic sent to each of the others, after the commit (notes/engine section 9: p50 0.4 ms, no idle CPU). Whoever misses a ring
looks after at most a second.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from multiagent_bridge.errors import Unavailable

BACKSTOP_SECONDS = 1.0
TOPIC_BYTES = 512
PATH_BYTES = 100
"""Longest socket path used as it is; macOS takes 104 bytes, Linux 108."""


class RungEar:
    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class MemoryBell:
    """Rings within this process."""

    def __init__(self) -> None:
        self._ears: defaultdict[str, set[RungEar]] = defaultdict(set)

    def ring(self, topic: str) -> None:
        for ear in tuple(self._ears.get(topic, ())):
            ear.ring()

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        ear = RungEar()
        self._ears[topic].add(ear)
        try:
            yield ear
        finally:
            self._ears[topic].discard(ear)
            if not self._ears[topic]:
                del self._ears[topic]

    @property
    def listening(self) -> bool:
        return bool(self._ears)

    def ring_all(self) -> None:
        for topic in tuple(self._ears):
            self.ring(topic)


class DatagramBell(MemoryBell):
    """Rings here and in every process that has a socket in `folder` (0700).

    `changed` says whether another process wrote since it was last asked: the backstop, asked once a second while anyone listens.
    """

    def __init__(self, folder: Path, changed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._folder = folder
        self._changed = changed
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._shown = False
        self._unsent: dict[str, None] = {}
        self._socket: socket.socket | None = None
        self._directory = -1
        self._backstop: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises Unavailable when the folder is a link, a file, or cannot hold a socket."""
        try:
            self._open()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Unavailable(
                f"the bells of the state directory cannot be used: {reason}", f"look at {self._folder}, then remove it"
            ) from error

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._address("." + self._name))
        (self._folder / ("." + self._name)).chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._heard)
        for name in os.listdir(self._directory):
            # finds and removes what killed processes left
            self._send(name, b"")

    async def close(self) -> None:
        if self._backstop is not None:
            self._backstop.cancel()
            with suppress(asyncio.CancelledError):
                await self._backstop
        if self._socket is not None:
            self._send_all()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            for name in (self._name, "." + self._name):
                (self._folder / name).unlink(missing_ok=True)
            os.close(self._directory)

    def ring(self, topic: str) -> None:
        super().ring(topic)
        if self._socket is None:
            return
        # what one group commit rings is sent together: the folder is looked at once
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send_all)
        self._unsent[topic] = None

    def _send_all(self) -> None:
        topics, self._unsent = self._unsent, {}
        if not topics or self._socket is None:
            return
        # the sockets of this folder only shorten the wait: a folder gone or full costs a second, never a message
        with suppress(OSError):
            for name in os.listdir(self._directory):
                if name != self._name and not name.startswith("."):
                    for topic in topics:
                        self._send(name, topic.encode()[:TOPIC_BYTES])

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        async with super().listen(topic) as ear:
            self._show(True)
            if self._backstop is None or self._backstop.done():
                self._backstop = asyncio.create_task(self._watch())
            yield ear

    async def _watch(self) -> None:
        while self.listening:
            await asyncio.sleep(BACKSTOP_SECONDS)
            if await self._changed():
                self.ring_all()
        self._show(False)

    def _show(self, shown: bool) -> None:
        """Take the visible name while somebody listens here, so that nobody is rung at for nothing."""
        if shown == self._shown:
            return
        self._shown = shown
        old, new = ("." + self._name, self._name) if shown else (self._name, "." + self._name)
        with suppress(OSError):
            os.rename(old, new, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def _heard(self) -> None:
        assert self._socket is not None
        with suppress(BlockingIOError):
            while True:
                super().ring(self._socket.recv(TOPIC_BYTES).decode("utf-8", "replace"))

    def _send(self, name: str, topic: bytes) -> None:
        assert self._socket is not None
        try:
            self._socket.sendto(topic, self._address(name))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                # its process is gone; a living one never reuses a name
                with suppress(OSError):
                    os.unlink(name, dir_fd=self._directory)

    def _address(self, name: str) -> str:
        whole = str(self._folder / name)
        if len(os.fsencode(whole)) <= PATH_BYTES:
            return whole
        return f"/proc/self/fd/{self._directory}/{name}"
