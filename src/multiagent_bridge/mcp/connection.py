"""One client's connection: who it is, and the mail that is on its way to it."""

from __future__ import annotations

import math
from collections import OrderedDict
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import anyio

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.mail import Letter, Mail
from multiagent_bridge.services.hub import Hub

RequestId = str | int

REMEMBERED = 32
"""Written answers remembered in case their cancellation is still on its way: which letters, not what they say."""

RETRY_SECONDS = 1.0


REFUSALS = 100
"""Refusals that a connection may meet in a row at full speed."""

REFUSAL_SECONDS = 0.25
"""From then on its calls go one at a time, so far apart, until it has been quiet."""


@dataclass(slots=True)
class Refusals:
    """A bucket that refusals fill and time empties, in memory: it ends with its connection."""

    paid: float = 0.0
    share: int = 1
    """How many connections fill it: it holds so many times as much."""

    def count(self, now: float) -> None:
        self.paid = max(self.paid, now) + REFUSAL_SECONDS / self.share

    def wait(self, now: float) -> float:
        """Seconds until the next call, none or less while there is room."""
        return self.paid - now - REFUSALS * REFUSAL_SECONDS


@dataclass(slots=True)
class Pace:
    """How fast an agent may go, and whose turn it is. `above`: the pace of all that it goes among."""

    refusals: Refusals = field(default_factory=Refusals)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    above: Pace | None = None

    async def wait(self) -> None:
        """Wait for a turn after a run of refusals: each is an entry that must be written for good."""
        if self.above is not None:
            await self.above.wait()
        if self.refusals.wait(anyio.current_time()) <= 0:
            return
        async with self.turn:
            await anyio.sleep(max(0.0, self.refusals.wait(anyio.current_time())))
            self.refusals.count(anyio.current_time())

    def refused(self) -> None:
        """A call was refused."""
        self.refusals.count(anyio.current_time())
        if self.above is not None:
            self.above.refused()


@dataclass(slots=True)
class Held:
    claim: str
    mail: Mail | None = None
    cancelled: bool = False


class Connection:
    """Settles every claim made over it: confirmed when its answer was written, given back in every other case."""

    def __init__(self, hub: Hub, caller: Caller, relayed: bool = True, pace: Pace | None = None) -> None:
        """`relayed`: a shim stands between, so that an answer written here may not have reached the client. `pace`: that of
        its agent, where each request is a connection.
        """
        self._hub = hub
        self.caller = caller
        self._relayed = relayed
        self._held: dict[RequestId, Held] = {}
        self._written: OrderedDict[RequestId, Mail] = OrderedDict()
        self._settling: tuple[str, Held] | None = None
        self._pace = pace or Pace()
        self._settle, self._to_settle = anyio.create_memory_object_stream[tuple[str, Held]](math.inf)

    async def pace(self) -> None:
        """Wait for this connection's turn after a run of refusals."""
        await self._pace.wait()

    def refused(self) -> None:
        """A call was refused."""
        self._pace.refused()

    def hold(self, request: RequestId) -> str:
        """A claim id for the answer to `request`."""
        held = Held(self._hub.ids.claim())
        self._held[request] = held
        return held.claim

    def holds(self, request: RequestId) -> bool:
        return request in self._held

    def brought(self, request: RequestId, mail: Mail) -> None:
        """The service answered `request` with `mail`; nothing is written yet."""
        if held := self._held.get(request):
            held.mail = mail
            if held.cancelled:
                self.failed(request)

    def failed(self, request: RequestId) -> None:
        """The call was cancelled or refused: whatever it claimed goes back."""
        if held := self._held.pop(request, None):
            self._settle.send_nowait(("release", held))

    def written(self, request: RequestId) -> None:
        """The answer to `request` left for the client."""
        held = self._held.get(request)
        if held is None or held.mail is None:
            # an answer to somebody else's use of that id
            return
        del self._held[request]
        if not held.mail.claimed:
            return
        self._settle.send_nowait(("confirm", held))
        if not self._relayed:
            return
        self._written[request] = _without_words(held.mail)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def cancelled(self, request: RequestId) -> None:
        """The client gave up on `request`; if its answer crossed with that, nobody looks at it."""
        if mail := self._written.pop(request, None):
            self._settle.send_nowait(("unconfirm", Held("", mail)))
        elif held := self._held.get(request):
            held.cancelled = True
            if held.mail is not None:
                # answered, and on its way to be written
                self.failed(request)

    async def settle(self) -> None:
        """Settle claims as they come, until `close`. While the store is down each is tried again."""
        async for verb, held in self._to_settle:
            self._settling = (verb, held)
            while self._settling is not None:
                try:
                    await self._settled(verb, held)
                    self._settling = None
                except BridgeError:
                    await anyio.sleep(RETRY_SECONDS)

    async def finish(self) -> None:
        """Settle everything, however long the store is down; what was not written goes back. Nothing may follow but `close`."""
        for held in self._held.values():
            self._settle.send_nowait(("release", held))
        self._held.clear()
        self._settle.close()
        await self.settle()

    async def close(self) -> None:
        """Give back what is still on its way: the client is gone."""
        self._settle.close()
        left = [self._settling] if self._settling else []
        with suppress(anyio.WouldBlock, anyio.EndOfStream):
            while True:
                left.append(self._to_settle.receive_nowait())
        left += [("release", held) for held in self._held.values()]
        self._held.clear()
        self._to_settle.close()
        with anyio.CancelScope(shield=True):
            for verb, held in left:
                # with the store down a claim ends by itself, and its mail comes again
                with suppress(BridgeError):
                    await self._settled(verb, held)

    async def _settled(self, verb: str, held: Held) -> None:
        if verb == "confirm":
            await self._hub.messages.confirm(held.claim)
        elif verb == "release":
            await self._hub.messages.release(self.caller, held.claim)
        elif held.mail is not None:
            await self._hub.messages.unconfirm(self.caller, held.mail)


def _without_words(mail: Mail) -> Mail:
    letters = [Letter(replace(letter.message, body=b""), "", "", ()) for letter in mail.letters]
    return replace(mail, letters=letters)


current: ContextVar[Connection | None] = ContextVar("connection", default=None)
"""The connection whose request is being served."""
