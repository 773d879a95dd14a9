"""One client's connection: who it is, and the mail that is on its way to it."""

from __future__ import annotations

from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass

import anyio

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.mail import Mail
from multiagent_bridge.services.hub import Hub

RequestId = str | int

REMEMBERED = 32
"""Written answers remembered in case their cancellation is still on its way."""


@dataclass(slots=True)
class Held:
    claim: str
    mail: Mail | None = None


class Connection:
    """Settles every claim made over it: confirmed when its answer was written, given back in every other case."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self._hub = hub
        self.caller = caller
        self._held: dict[RequestId, Held] = {}
        self._written: OrderedDict[RequestId, Mail] = OrderedDict()
        self._settle, self._to_settle = anyio.create_memory_object_stream[tuple[str, Held]](1024)

    def hold(self, request: RequestId) -> str:
        """A claim id for the answer to `request`."""
        held = Held(self._hub.ids.claim())
        self._held[request] = held
        return held.claim

    def holds(self, request: RequestId) -> bool:
        return request in self._held

    def brought(self, request: RequestId, mail: Mail) -> None:
        """The service answered `request` with `mail`; nothing is written yet."""
        if request in self._held:
            self._held[request].mail = mail

    def failed(self, request: RequestId) -> None:
        """The call was cancelled or refused: whatever it claimed goes back."""
        if held := self._held.pop(request, None):
            self._settle.send_nowait(("release", held))

    def written(self, request: RequestId) -> None:
        """The answer to `request` left for the client."""
        held = self._held.pop(request, None)
        if held is None or held.mail is None or not held.mail.claimed:
            return
        self._settle.send_nowait(("confirm", held))
        self._written[request] = held.mail
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def cancelled(self, request: RequestId) -> None:
        """The client gave up on `request`; if its answer crossed with that, nobody looked at it."""
        if mail := self._written.pop(request, None):
            self._settle.send_nowait(("unconfirm", Held("", mail)))

    async def settle(self) -> None:
        """Settle claims as they come, until `close`."""
        async for verb, held in self._to_settle:
            await self._settled(verb, held)

    async def close(self) -> None:
        """Give back what is still on its way: the client is gone."""
        self._settle.close()
        with anyio.CancelScope(shield=True):
            while True:
                try:
                    verb, held = self._to_settle.receive_nowait()
                except (anyio.WouldBlock, anyio.EndOfStream):
                    break
                await self._settled(verb, held)
            for held in self._held.values():
                await self._settled("release", held)
            self._held.clear()
        self._to_settle.close()

    async def _settled(self, verb: str, held: Held) -> None:
        if verb == "confirm":
            await self._hub.messages.confirm(held.claim)
        elif verb == "release":
            await self._hub.messages.release(self.caller, held.claim)
        elif held.mail is not None:
            await self._hub.messages.unconfirm(self.caller, held.mail)


current: ContextVar[Connection | None] = ContextVar("connection", default=None)
"""The connection whose request is being served."""
