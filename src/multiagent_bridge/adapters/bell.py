"""Bells: one in memory, one that also rings in other processes of the same state directory.

A ring is sent, after the commit, to the socket of each process that listens to its topic, and to no other: a hundred watchers are
not woken for one (notes/engine section 9: p50 0.4 ms, no idle CPU). Whoever misses a ring all the same, because the ringer was
killed, looks after at most a second.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.bell_names import Names, shortened
from multiagent_bridge.errors import Unavailable

BACKSTOP_SECONDS = 1.0
DIGEST_BYTES = 8
ANYTHING = bytes(DIGEST_BYTES)
"""The digest that stands for every topic, where a list of them would be too long."""

MOST_DIGESTS = 64
"""Topics named in one datagram."""

DRAINED = 256
"""Datagrams read before the loop turns: a flood keeps nobody else waiting."""

FIRST_RETRY, LONGEST_RETRY = 0.002, 0.064
"""Seconds between two tries on a process that cannot take a ring now (Linux lets ten wait, and 278 of one sender)."""

CLOSING_SECONDS = 0.2
"""How long one that closes goes on trying."""


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

    def ring_here(self) -> None:
        """Everyone who listens in this process looks."""
        for ears in tuple(self._ears.values()):
            for ear in tuple(ears):
                ear.ring()


@dataclass(slots=True)
class Unheard:
    """Rings that a living process could not take yet."""

    digests: set[bytes]
    until: float


class DatagramBell(MemoryBell):
    """Rings here and in every process that has a socket in `folder` (0700).

    `changed` says whether another process wrote since it was last asked: the backstop, asked once a second while anyone listens.
    """

    def __init__(self, folder: Path, changed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._folder = folder
        self._changed = changed
        self._names = Names(folder, f"{os.getpid()}-{secrets.token_hex(4)}")
        self._topics: dict[bytes, str] = {}
        self._unsent: dict[str, None] = {}
        self._unheard: dict[str, Unheard] = {}
        self._retry_after = FIRST_RETRY
        self._socket: socket.socket | None = None
        self._backstop: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises Unavailable when the folder is a link, a file, or cannot hold a socket."""
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.setblocking(False)
        try:
            self._names.open(ear)
        except OSError as error:
            ear.close()
            self._names.close()
            reason = (error.strerror or str(error)).lower()
            raise Unavailable(
                f"the bells of the state directory cannot be used: {reason}", f"look at {self._folder}, then remove it"
            ) from error
        self._socket = ear
        asyncio.get_running_loop().add_reader(ear, self._heard)

    async def close(self) -> None:
        if self._backstop is not None:
            self._backstop.cancel()
            with suppress(asyncio.CancelledError):
                await self._backstop
        if self._socket is None:
            return
        self._send_all()
        end = time.monotonic() + CLOSING_SECONDS
        while self._unheard and time.monotonic() < end:
            await asyncio.sleep(FIRST_RETRY)
            self._try_again()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        self._names.close()

    def ring(self, topic: str) -> None:
        super().ring(topic)
        if self._socket is None:
            return
        # what one group commit rings is sent together: the folder is looked at once
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send_all)
        self._unsent[topic] = None

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        async with super().listen(topic) as ear:
            if self._socket is not None:
                key = digest(topic)
                self._topics[key] = topic
                self._names.show(shortened(key))
                if self._backstop is None or self._backstop.done():
                    self._backstop = asyncio.create_task(self._watch())
            yield ear

    async def _watch(self) -> None:
        while self.listening or self._names.shown:
            await asyncio.sleep(BACKSTOP_SECONDS)
            if self.listening and await self._changed():
                self.ring_here()
            self._topics = {key: topic for key, topic in self._topics.items() if topic in self._ears}
            self._names.keep({shortened(key) for key in self._topics})

    def _send_all(self) -> None:
        topics, self._unsent = self._unsent, {}
        if not topics or self._socket is None:
            return
        # the sockets of this folder only shorten the wait: a folder gone or full costs a second, never a message
        with suppress(OSError):
            for name, digests in self._names.listeners([digest(topic) for topic in topics]).items():
                waiting = self._unheard.get(name)
                if waiting is not None:
                    waiting.digests |= digests
                elif not self._sent(name, digests):
                    self._later(name, digests)
            self._names.sweep()

    def _sent(self, name: str, digests: set[bytes]) -> bool:
        """False when its process lives and cannot take a ring now."""
        assert self._socket is not None
        content = b"".join(digests) if len(digests) <= MOST_DIGESTS else ANYTHING
        try:
            self._socket.sendto(content, self._names.address(name))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self._names.bury(name)
            return error.errno not in (errno.EAGAIN, errno.ENOBUFS)
        return True

    def _later(self, name: str, digests: set[bytes]) -> None:
        if not self._unheard:
            self._retry_after = FIRST_RETRY
            asyncio.get_running_loop().call_later(FIRST_RETRY, self._retry)
        self._unheard[name] = Unheard(digests, time.monotonic() + BACKSTOP_SECONDS)

    def _retry(self) -> None:
        self._try_again()
        if self._unheard:
            self._retry_after = min(2 * self._retry_after, LONGEST_RETRY)
            asyncio.get_running_loop().call_later(self._retry_after, self._retry)

    def _try_again(self) -> None:
        """Send what could not be taken; one that takes nothing for a second is stopped, and looks when it goes on."""
        if self._socket is None:
            self._unheard.clear()
        now = time.monotonic()
        for name, waiting in list(self._unheard.items()):
            if self._sent(name, waiting.digests) or now >= waiting.until:
                del self._unheard[name]

    def _heard(self) -> None:
        assert self._socket is not None
        with suppress(OSError):
            for _ in range(DRAINED):
                self._rung(self._socket.recv(MOST_DIGESTS * DIGEST_BYTES))

    def _rung(self, content: bytes) -> None:
        """What others send is at most a reason to look."""
        for start in range(0, len(content), DIGEST_BYTES):
            key = content[start : start + DIGEST_BYTES]
            if key == ANYTHING:
                self.ring_here()
            elif key in self._topics:
                super().ring(self._topics[key])


def digest(topic: str) -> bytes:
    """What names a topic in the folder and in a datagram: of one length, whatever the topic is."""
    return hashlib.blake2s(topic.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
