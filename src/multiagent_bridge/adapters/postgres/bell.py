"""The bell of several hubs on one database: NOTIFY after the commit, one connection a process that LISTENs.

PostgreSQL delivers every notification to whoever is connected, so nothing is lost while the connection stands; when it did
not, everybody looks as soon as it stands again. A notification holds digests of topics: of one length, and saying nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from multiagent_bridge.adapters.bell import BACKSTOP_SECONDS, MemoryBell, RungEar
from multiagent_bridge.adapters.postgres.address import Address, connect
from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.failures import LOST, translated
from multiagent_bridge.errors import Unavailable

CHANNEL = "bridge_bell"
DIGEST_BYTES = 8
DIGITS = 2 * DIGEST_BYTES
MOST_DIGESTS = 480
"""Topics named in one notification: PostgreSQL takes less than 8,000 bytes."""

ANYTHING = "*"
"""Stands for every topic, where a list of them would be too long."""

LIVENESS_SECONDS = 10.0
"""After so long without a word the connection is asked whether it still stands."""

LINGER_SECONDS = 0.001
"""What rings within it is sent together, and whoever rang has their answer first."""

FIRST_RETRY, LONGEST_RETRY = 0.05, 1.0
"""Seconds between two tries to connect again."""

ANSWER_SECONDS = 5.0


class NotifyBell(MemoryBell):
    """Rings here and in every process that listens on the same database; `async with NotifyBell(...) as bell`.

    `changed` says whether another process wrote since it was last asked: the backstop, asked once a second while anyone listens,
    for the ring of a process that was killed after its commit.
    """

    def __init__(self, address: Address, changed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._address = address
        self._changed = changed
        self._connection: Connection | None = None
        self._topics: dict[str, str] = {}
        self._unsent: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._backstop: asyncio.Task[None] | None = None
        self._ending = False

    async def open(self) -> None:
        """Connect and listen. Raises Unavailable with `retry_after`, or Invalid for a URL that cannot be read."""
        try:
            await self._connect()
        except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
            # a replica takes the connection and refuses to listen
            raise translated(error) from error
        self._serving = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Send what was rung, then disconnect."""
        self._ending = True
        self._wake.set()
        if self._serving is not None:
            # it sends the rest and ends; a database that is gone keeps nobody
            await asyncio.wait([self._serving], timeout=ANSWER_SECONDS)
        for task in (self._serving, self._backstop):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self._drop()

    async def __aenter__(self) -> NotifyBell:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def ring(self, topic: str) -> None:
        super().ring(topic)
        # what one group commit rings is sent together; more than one notification can hold means everybody anyway
        if len(self._unsent) <= MOST_DIGESTS:
            self._unsent[digest(topic)] = None
        self._wake.set()

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        async with super().listen(topic) as ear:
            self._topics[digest(topic)] = topic
            if self._backstop is None or self._backstop.done():
                self._backstop = asyncio.create_task(self._watch())
            yield ear

    async def _watch(self) -> None:
        while self.listening:
            await asyncio.sleep(BACKSTOP_SECONDS)
            if self.listening and (self._connection is None or await self._changed()):
                self.ring_here()
            self._topics = {key: topic for key, topic in self._topics.items() if topic in self._ears}

    async def _serve(self) -> None:
        """Keep the connection, and send what is rung."""
        retry = FIRST_RETRY
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._drop()
                    if self._ending:
                        return
                    await self._connect()
                    # whatever rang meanwhile was not heard here
                    self.ring_here()
                retry = FIRST_RETRY
                await self._send()
                if self._ending and not self._unsent:
                    return
                await self._rest()
            except (pg.PostgresError, pg.InterfaceError, Unavailable, *LOST):
                self._drop()
                await asyncio.sleep(retry)
                retry = min(2 * retry, LONGEST_RETRY)

    async def _send(self) -> None:
        if not self._unsent or self._connection is None:
            return
        sent, self._unsent = self._unsent, {}
        content = "".join(sent) if len(sent) <= MOST_DIGESTS else ANYTHING
        try:
            await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, content, timeout=ANSWER_SECONDS)
        except BaseException:
            # sent again once the connection stands: a ring too many does no harm
            self._unsent = sent | self._unsent
            raise

    async def _rest(self) -> None:
        """Until something rings or the connection breaks; now and then ask whether it still stands."""
        if self._unsent:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(LIVENESS_SECONDS):
                await self._wake.wait()
            await asyncio.sleep(0 if self._ending else LINGER_SECONDS)
        except TimeoutError:
            if self._connection is not None:
                await self._connection.execute("SELECT 1", timeout=ANSWER_SECONDS)

    async def _connect(self) -> None:
        connection = await connect(self._address, "bell")
        connection.add_termination_listener(lambda _: self._wake.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _heard(self, connection: object, pid: int, channel: str, content: str) -> None:
        """What others send is at most a reason to look."""
        ours = self._connection
        if ours is not None and pid == ours.get_server_pid():
            return
        if content == ANYTHING:
            self.ring_here()
            return
        for start in range(0, len(content), DIGITS):
            if (topic := self._topics.get(content[start : start + DIGITS])) is not None:
                super().ring(topic)


def digest(topic: str) -> str:
    """What names a topic in a notification."""
    return hashlib.blake2s(topic.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
