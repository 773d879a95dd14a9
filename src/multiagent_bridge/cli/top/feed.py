"""Follows the store for `mab top`: by the bell and the cursor, and only what is shown. Comes back by itself."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from multiagent_bridge.cli.following import FIRST_PAUSE
from multiagent_bridge.cli.top.held import Held
from multiagent_bridge.cli.top.seen import ENDED, TAIL, Ended, Seen
from multiagent_bridge.errors import NotFound, TooFast, Unavailable
from multiagent_bridge.services.ringing import JOURNAL

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.ports import Clock
    from multiagent_bridge.services.approvals import Proposal
    from multiagent_bridge.services.hub import Hub

T = TypeVar("T")

REFRESH_SECONDS = 5.0
"""How often it looks although nobody rang, as `mab status --watch` does; also the longest pause between two tries."""

SETTLE_SECONDS = 0.1
"""The shortest time between two looks: a hundred messages a second are not a hundred looks."""

PAGE = 1_000
"""Entries read in one transaction, and as many as a follower that fell behind catches up with before it jumps."""

WALKED = 20_000
"""Entries that are gone back through for conversations, at most."""

LOOKS = 50
"""Conversations looked at in one step."""

AGAIN = 25
"""Conversations looked at again although nothing was written of them: heartbeats leave no entry."""

DECIDED = {"command.approve": "approved", "command.deny": "denied", "command.expire": "expired: nobody decided in time"}


@dataclass(frozen=True, slots=True)
class Station:
    """Where a feed looks. `stored` tells one store from another that took its place, None while there is none."""

    opened: Callable[[], AbstractAsyncContextManager[Hub]]
    caller: Caller
    clock: Clock
    stored: Callable[[], object]
    hub_words: Callable[[], Awaitable[str]]


class Feed:
    """One follower. `run` goes on until it is cancelled; the verbs of a person go through `asked`."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._hub: Hub | None = None
        self._held = Held()
        self._entries: deque[Entry] = deque(maxlen=TAIL)
        self._ended: deque[Ended] = deque(maxlen=ENDED)
        self._decided: dict[str, str] = {}
        self._cursor = 0
        self._lowest = 0
        self._ticked = -REFRESH_SECONDS
        self._greeting: asyncio.Task[None] | None = None
        self.seen = Seen()
        self.settled = asyncio.Event()
        """Set once everything that there is was looked at."""

    async def run(self, told: Callable[[Seen], None]) -> None:
        """Tell every change, until cancelled. Raises what no waiting mends (Tampered, Invalid)."""
        self._greeting = asyncio.create_task(self._greet(told))
        try:
            pause = FIRST_PAUSE
            while True:
                before = self._cursor
                try:
                    await self._opened(told)
                except (Unavailable, TooFast) as error:
                    pause = FIRST_PAUSE if self._cursor != before else min(pause * 2, REFRESH_SECONDS)
                    self._tell(told, replace(self.seen, away=error.sentence))
                await asyncio.sleep(pause)
        finally:
            self._greeting.cancel()
            await asyncio.gather(self._greeting, return_exceptions=True)

    async def asked(self, verb: Callable[[Hub, Caller], Awaitable[T]]) -> T:
        """One verb of the person, over the store as it is open now. Raises Unavailable while it is away."""
        if self._hub is None:
            raise Unavailable("the store is away", "it is tried again by itself")
        return await verb(self._hub, self._station.caller)

    async def propose(self, command_id: str) -> Proposal:
        """What a yes would mean, and its code. Raises as `Approvals.propose`."""
        return await self.asked(lambda hub, me: hub.approvals.propose(me, [command_id]))

    async def approve(self, command_id: str, typed: str) -> str:
        """Say yes. Returns the instant until which it holds. Raises as `Approvals.approve`."""
        [done] = await self.asked(lambda hub, me: hub.approvals.approve(me, [command_id], typed))
        return str(done.fields()["expires_at"])

    async def deny(self, command_id: str, reason: str) -> None:
        """Say no. Raises as `Approvals.deny`."""
        await self.asked(lambda hub, me: hub.approvals.deny(me, [command_id], reason))

    async def said(self, entry: Entry) -> str | None:
        """The text of the message that an entry is of; reading it is an entry, as in `mab tail`."""
        number = int(entry.facts.get("message_id") or 0)

        async def read(hub: Hub, me: Caller) -> str | None:
            await hub.journal.note(me, "message.tail", f"message {number}", None, entry.conversation)
            return await hub.messages.said(me, entry.conversation, number)

        return await self.asked(read)

    async def _opened(self, told: Callable[[Seen], None]) -> None:
        """Open the store and follow it until it cannot be used, or another took its place."""
        there = self._station.stored()
        if there is None:
            raise Unavailable("there is no store yet: an agent or mab create makes one" if not self._cursor else _GONE)
        async with self._station.opened() as hub, hub.bell.listen(JOURNAL) as ear:
            self._hub, self._ticked = hub, -REFRESH_SECONDS
            try:
                while True:
                    if self._station.stored() != there:
                        raise Unavailable(_GONE)
                    if self._greeting is not None and self._greeting.done():
                        self._greeting.result()
                    began = time.monotonic()
                    busy = await self._look(hub, told)
                    if not busy:
                        await ear.wait(max(0.0, self._ticked + REFRESH_SECONDS - time.monotonic()))
                    await asyncio.sleep(max(0.0, began + SETTLE_SECONDS - time.monotonic()))
            finally:
                self._hub = None

    async def _look(self, hub: Hub, told: Callable[[Seen], None]) -> bool:
        """One look, each part of it bounded. Returns whether the next one has something to do at once."""
        tick = time.monotonic() - self._ticked >= REFRESH_SECONDS
        fresh = await self._read(hub)
        if tick:
            self._ticked = time.monotonic()
            self._held.again(AGAIN)
        await self._walk_back(hub)
        await self._load(hub)
        seen = replace(self.seen, alive=hub.limits.alive_seconds * 1_000_000)
        if tick or any(entry.action.startswith(("command.", "yolo.")) for entry in fresh):
            seen = await self._approvals(hub, seen)
        quieter = self._held.full or self._lowest > 1
        seen = replace(seen, talks=self._held.talks(), ended=tuple(self._ended), quieter=quieter, away="")
        self._tell(told, replace(seen, entries=tuple(self._entries), size=self._cursor))
        busy = self._held.busy or self._walks
        if not busy:
            self.settled.set()
        return busy

    async def _read(self, hub: Hub) -> Sequence[Entry]:
        """The entries since the last look; of very many only the newest."""
        head = await hub.journal.head()
        if head.size < self._cursor:
            # an older store was put in place: nothing that was held is true of it
            self._forget()
        if head.size == self._cursor:
            return ()
        first = not self._cursor
        jump = first or head.size - self._cursor > PAGE
        entries = await (hub.journal.newest(PAGE) if jump else hub.journal.entries(self._cursor, PAGE))
        if jump and entries:
            self._lowest = entries[0].seq
        self._noted(entries)
        return entries

    def _noted(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.seq <= self._cursor:
                continue
            self._cursor = entry.seq
            self._entries.append(entry)
            self._held.happened(entry)
            if entry.action in DECIDED and entry.outcome == "done":
                by = "" if entry.action == "command.expire" else f" by {entry.actor}"
                self._decided[entry.target] = DECIDED[entry.action] + by

    @property
    def _walks(self) -> bool:
        return self._lowest > 1 and not self._held.full and self._cursor - self._lowest < WALKED

    async def _walk_back(self, hub: Hub) -> None:
        """One page further into the past, while there is room for the conversations of it."""
        if not self._walks or self._held.busy:
            return
        after = max(0, self._lowest - 1 - PAGE)
        page = [entry for entry in await hub.journal.entries(after, PAGE) if entry.seq < self._lowest]
        for entry in reversed(page):
            self._held.happened_before(entry)
        self._lowest = after + 1

    async def _load(self, hub: Hub) -> None:
        for conversation_id in self._held.due(LOOKS):
            try:
                conversation, sessions = await hub.conversations.show(self._station.caller, conversation_id)
            except NotFound:
                self._held.drop(conversation_id)
            else:
                self._held.looked(conversation, sessions)

    async def _approvals(self, hub: Hub, seen: Seen) -> Seen:
        requests = await hub.approvals.waiting(self._station.caller)
        wishes = sum(len(one.wishes) for one in await hub.yolo.status(self._station.caller))
        left = {request.command.id for request in requests}
        gone = [request.command.id for request in seen.requests if request.command.id not in left]
        if any(command_id not in self._decided for command_id in gone):
            # what ended it was written with it, after the entries were read
            self._noted(await hub.journal.entries(self._cursor, PAGE))
        now = self._station.clock.now()
        self._ended += [Ended(one, self._decided.get(one, "it no longer waits"), now) for one in gone]
        self._decided = {one: why for one, why in self._decided.items() if one in left}
        return replace(seen, requests=requests, wishes=wishes)

    async def _greet(self, told: Callable[[Seen], None]) -> None:
        """Ask now and then how the hub of this machine is: it may start, end or hang without an entry."""
        while True:
            words = await self._station.hub_words()
            if words != self.seen.hub:
                self._tell(told, replace(self.seen, hub=words))
            await asyncio.sleep(REFRESH_SECONDS)

    def _tell(self, told: Callable[[Seen], None], seen: Seen) -> None:
        if seen != self.seen:
            self.seen = seen
            told(seen)

    def _forget(self) -> None:
        self._held = Held()
        self._entries.clear()
        self._decided.clear()
        self._cursor = self._lowest = 0
        self.seen = replace(self.seen, requests=(), talks=(), entries=())


_GONE = "the store is away, or another was put in its place"
