"""The bell of several hubs over Redis: PUBLISH after the commit, one subscription a process.

Redis forgets whom it could not reach (engine notes, section 8), so everybody looks as soon as a broken connection stands again.
A message holds digests of topics: of one length, and saying nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from multiagent_bridge.adapters.bell import ANYTHING, BACKSTOP_SECONDS, DIGEST_BYTES, MemoryBell, RungEar, digest
from multiagent_bridge.adapters.redis.address import LOST, Address, translated

MOST_DIGESTS = 480
"""Topics named in one message."""

NAME_BYTES = 8
LIVENESS_SECONDS = 5.0
"""After so long without a word the subscription is asked whether it still stands."""

FIRST_RETRY, LONGEST_RETRY = 0.05, 1.0
"""Seconds between two tries to connect again."""


class RedisBell(MemoryBell):
    """Rings here and in every process that listens on the same server under the same prefix.

    `async with RedisBell(...) as bell`. `changed` says whether another process wrote since it was last asked: the backstop,
    asked once a second while anyone listens.
    """

    def __init__(self, address: Address, changed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._address = address
        self._changed = changed
        self._channel = f"{address.prefix}:bell"
        self._name = secrets.token_bytes(NAME_BYTES)
        self._client: Redis = address.client("bell")
        self._topics: dict[bytes, str] = {}
        self._unsent: dict[bytes, None] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._backstop: asyncio.Task[None] | None = None
        self._ending = False

    async def open(self) -> None:
        """Connect and subscribe. Raises Unavailable with `retry_after`."""
        try:
            subscription = await self._subscribed()
        except LOST as error:
            await self._client.aclose()
            raise translated(error) from error
        self._tasks = [asyncio.create_task(self._hear(subscription)), asyncio.create_task(self._send())]

    async def close(self) -> None:
        """Send what was rung, then disconnect."""
        with suppress(*LOST):
            # a server that is gone keeps nobody
            await self._sent()
        # the driver may take a cancellation for a time-out of its own
        self._ending = True
        tasks = [task for task in (*self._tasks, self._backstop) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def __aenter__(self) -> RedisBell:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def ring(self, topic: str) -> None:
        super().ring(topic)
        # what one group commit rings is sent together
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
            if self.listening and await self._changed():
                self.ring_here()
            self._topics = {key: topic for key, topic in self._topics.items() if topic in self._ears}

    async def _send(self) -> None:
        """Send what is rung, as long as the bell is open."""
        retry = FIRST_RETRY
        while not self._ending:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._sent()
                retry = FIRST_RETRY
            except LOST:
                self._wake.set()
                await asyncio.sleep(retry)
                retry = min(2 * retry, LONGEST_RETRY)

    async def _sent(self) -> None:
        if not self._unsent:
            return
        sent, self._unsent = self._unsent, {}
        content = b"".join(sent) if len(sent) <= MOST_DIGESTS else ANYTHING
        try:
            await self._client.publish(self._channel, self._name + content)
        except BaseException:
            # sent again once the server answers: a ring too many does no harm
            self._unsent = sent | self._unsent
            raise

    async def _subscribed(self) -> PubSub:
        """A subscription that the server has confirmed: from here on nothing is missed while it stands."""
        subscription = self._client.pubsub()
        try:
            await subscription.subscribe(self._channel)
            while (confirmed := await subscription.get_message(timeout=self._address.answer_seconds)) is not None:
                if confirmed["type"] == "subscribe":
                    return subscription
            raise TimeoutError("no answer to a subscription")
        except BaseException:
            await subscription.aclose()  # type: ignore[no-untyped-call]
            raise

    async def _hear(self, subscription: PubSub) -> None:
        """Listen, and subscribe anew whenever the connection breaks."""
        retry = FIRST_RETRY
        current: PubSub | None = subscription
        while not self._ending:
            try:
                if current is None:
                    current = await self._subscribed()
                    # whatever rang meanwhile was not heard here
                    self.ring_here()
                retry = FIRST_RETRY
                await self._hear_next(current)
            except LOST:
                if current is not None:
                    with suppress(*LOST):
                        await current.aclose()  # type: ignore[no-untyped-call]
                current = None
                await asyncio.sleep(retry)
                retry = min(2 * retry, LONGEST_RETRY)

    async def _hear_next(self, subscription: PubSub) -> None:
        """One message, or a sign of life. Raises one of LOST when there is neither."""
        message = await subscription.get_message(timeout=LIVENESS_SECONDS)
        if message is None:
            await subscription.ping()
            message = await subscription.get_message(timeout=self._address.answer_seconds)
            if message is None:
                raise TimeoutError("the subscription is dead")
        if message["type"] == "message":
            self._heard(message["data"])
        elif message["type"] == "subscribe":
            # the driver connected again by itself
            self.ring_here()

    def _heard(self, content: bytes) -> None:
        """What others send is at most a reason to look."""
        if content[:NAME_BYTES] == self._name:
            return
        for start in range(NAME_BYTES, len(content), DIGEST_BYTES):
            key = content[start : start + DIGEST_BYTES]
            if key == ANYTHING:
                self.ring_here()
            elif (topic := self._topics.get(key)) is not None:
                super().ring(topic)
