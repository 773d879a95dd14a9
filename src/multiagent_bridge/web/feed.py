"""The event stream of open pages: which topics moved since entry n of the journal, told to all by one listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.errors import BridgeError, TooFast
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.ringing import JOURNAL
from multiagent_bridge.web.pages import TOPICS

PAGE = 500
"""Entries looked at in one transaction."""

BEHIND = 2_000
"""A page that missed more entries than this is told that everything moved."""

LOOK_SECONDS, LOOK_EACH = 0.05, 0.0025
"""Between two looks at the journal, however often it rings, and more for each stream: each look makes parts of pages anew."""

TICK_SECONDS = 1.0
"""How often it looks without a ring, and whether everybody is still signed in."""

FAILURES = 3
"""Looks in a row that the store may refuse before the pages hear of it."""

GAP_SECONDS, GAP_EACH = 0.1, 0.015
"""Between two tellings of one stream, at least, and more for each stream that is open: each telling makes a page fetch."""

STRIDES = (1.0, 0.75, 1.25, 0.6, 1.4, 0.9, 1.1)
"""Open pages are told at paces of their own, so that they do not all fetch in the same moment."""

MOST = 64
"""Streams of one sign-in: more are no pages that anybody looks at."""

SILENCE_SECONDS = 15.0
"""A stream says something at least so often, so that both ends notice when the other is gone."""

NOUNS = {
    "message": "messages",
    "conversation": "conversations",
    "session": "conversations",
    "token": "conversations",
    "invite": "conversations",
    "status": "status",
    "task": "tasks",
    "command": "approvals",
    "yolo": "approvals",
    "silence": "silences",
    "watchdog": "silences",
    "key": "access",
    "identity": "access",
    "browser": "access",
    "credentials": "access",
    "store": "health",
    "snapshot": "health",
}
"""The noun of an action, and the topic that its entries move."""


@dataclass(eq=False, slots=True)
class Stream:
    """One open page. `seq` is the last entry whose topics are in `moved` or were told."""

    identity: Identity
    topics: frozenset[str]
    conversation: str
    seq: int
    moved: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""
    stride: float = 1.0
    level: bool = False
    """Whether it has caught up with the listener: before that it reads for itself, and hears nothing."""

    def take(self, entry: Entry) -> None:
        """Note what an entry moves, if this page may hear of it."""
        self.seq = entry.seq
        scope = self.identity.conversations
        if (scope is not None and entry.conversation not in scope) or (
            self.conversation and entry.conversation != self.conversation
        ):
            return
        moved = topics_of(entry) & self.topics
        if moved:
            self.moved |= moved
            self.woken.set()

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.woken.set()


def topics_of(entry: Entry) -> frozenset[str]:
    """What an entry moves. Refusals of a browser move nothing: a part that is refused would ask again for ever."""
    if entry.outcome != "done" and entry.actor.startswith("identity browser_"):
        return frozenset()
    topic = NOUNS.get(entry.action.partition(".")[0])
    return frozenset({"journal", topic} if topic else {"journal"})


class Feed:
    """All streams of a hub. `leave` ends them; who comes later is refused by the door."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._streams: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._seq = 0
        self._count = 0
        self._left = False

    @property
    def open(self) -> int:
        """How many pages are open."""
        return len(self._streams)

    @property
    def seq(self) -> int | None:
        """The last entry that was looked at; None while nobody looks."""
        return self._seq if self._begun.is_set() else None

    def refuse_many(self, identity: Identity) -> None:
        """Raises TooFast when this sign-in has as many pages open as it may."""
        if sum(stream.identity.id == identity.id for stream in self._streams) >= MOST:
            raise TooFast(f"this browser has {MOST} pages open", "close some", retry_after=5)

    async def follow(
        self, identity: Identity, after: int, topics: Sequence[str] = (), conversation: str = ""
    ) -> AsyncIterator[bytes]:
        """Server-sent events from entry `after` on, until the sign-in ends or the hub leaves.

        An event is the name of a topic, `mab-tasks`: look again. Its id is the last entry that was told of, so that nothing
        is lost over a reconnection. `mab-here` is the first of a stream; `mab-signed-out` or `mab-leaving` the last.
        """
        stream = Stream(identity, frozenset(topics or TOPICS) & frozenset(TOPICS), conversation, after)
        self._count += 1
        stream.stride = STRIDES[self._count % len(STRIDES)]
        try:
            yield b"retry: 500\n\n"
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._join(stream)
                # without an id: what the page missed was not told yet
                yield b"event: mab-here\ndata:\n\n"
            except (BridgeError, TimeoutError):
                # the store is down: the page comes again, from where it was
                stream.end("leaving")
            while True:
                if stream.moved:
                    moved, stream.moved = sorted(stream.moved), set()
                    yield _events([f"mab-{topic}" for topic in moved], stream.seq)
                    # who is told too often fetches too often, and all at once would keep everybody else waiting
                    await asyncio.sleep(max(GAP_SECONDS, GAP_EACH * len(self._streams)) * stream.stride)
                if stream.ended:
                    # what moved during that pause lies before the id too: untold now, it would never be told
                    moved = sorted(stream.moved)
                    yield _events([f"mab-{topic}" for topic in (*moved, stream.ended)], stream.seq)
                    return
                if not stream.moved:
                    stream.woken.clear()
                    try:
                        async with asyncio.timeout(SILENCE_SECONDS):
                            await stream.woken.wait()
                    except TimeoutError:
                        if self._task is None or self._task.done():
                            stream.end("leaving")
                        yield b":\n\n"
        finally:
            self._streams.discard(stream)
            if not self._streams:
                self._rest()

    async def leave(self) -> None:
        """End every stream: the hub is stopping. Pages come back to whoever serves next."""
        self._left = True
        for stream in self._streams:
            stream.end("leaving")
        self._rest()

    def end(self, identity_id: str) -> None:
        """End the streams of one sign-in at once."""
        for stream in self._streams:
            if stream.identity.id == identity_id:
                stream.end("signed-out")

    async def _join(self, stream: Stream) -> None:
        """Bring the stream up to where the listener is, then let it hear what the others hear."""
        if self._left:
            stream.end("leaving")
            return
        self._streams.add(stream)
        if self._task is None or self._task.done():
            self._begun.clear()
            self._task = asyncio.create_task(self._listen())
        task, begun = self._task, asyncio.create_task(self._begun.wait())
        try:
            await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
        if task.done():
            # it failed, or everybody left meanwhile: the page comes again
            stream.end("leaving")
            return
        if stream.seq > self._seq or self._seq - stream.seq > BEHIND:
            # another journal than the page knows, or too much to read through
            stream.seq = self._seq
            stream.moved |= stream.topics
        while stream.seq < self._seq:
            for entry in await self._hub.journal.entries(stream.seq, PAGE):
                stream.take(entry)
        # nothing is awaited between that look and this: no entry falls between the two readers
        stream.level = True

    async def _listen(self) -> None:
        async with self._hub.bell.listen(JOURNAL) as ear:
            loop = asyncio.get_running_loop()
            asked, failures = loop.time(), 0
            while failures < FAILURES:
                try:
                    await self._look()
                    if loop.time() - asked >= TICK_SECONDS:
                        asked = loop.time()
                        await self._ask()
                    failures = 0
                except BridgeError:
                    # a store that is down for a moment: the next look finds what there is
                    failures += 1
                await asyncio.sleep(max(LOOK_SECONDS, LOOK_EACH * len(self._streams)))
                await ear.wait(TICK_SECONDS)
        # nobody is to think that nothing happens: pages say that they lost the hub, and come again
        for stream in self._streams:
            stream.end("leaving")

    async def _look(self) -> None:
        if not self._begun.is_set():
            self._seq = (await self._hub.journal.head()).size
            self._begun.set()
            return
        while page := await self._hub.journal.entries(self._seq, PAGE):
            self._seq = page[-1].seq
            for stream in tuple(self._streams):
                for entry in page if stream.level else ():
                    if entry.seq > stream.seq:
                        stream.take(entry)

    async def _ask(self) -> None:
        """End the streams of who is no longer signed in; an open page is no silence."""
        for identity in {stream.identity for stream in self._streams}:
            if await self._hub.browsers.still(identity):
                await self._hub.browsers.seen(identity)
            else:
                self.end(identity.id)

    def _rest(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._begun.clear()


def _events(names: Sequence[str], seq: int) -> bytes:
    # the id goes with the last: a stream that is cut before it begins again before all of them
    lines = [f"event: {name}\ndata: {seq}\n\n" for name in names]
    lines[-1] = f"id: {seq}\n{lines[-1]}"
    return "".join(lines).encode("ascii")
