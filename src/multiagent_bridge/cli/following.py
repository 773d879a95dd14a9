"""What `mab watch` and `mab keepalive` share: waiting for the bell, looking after the cursor, getting over a locked store."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from multiagent_bridge.cli import output
from multiagent_bridge.errors import TooFast, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller, Credentials
    from multiagent_bridge.model.events import Event
    from multiagent_bridge.ports import Ear
    from multiagent_bridge.services.hub import Hub

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries on a store that cannot be used."""

TELL_SECONDS = 1.0
"""At most one write in so long says that a client was told of its mail."""


def leaving() -> asyncio.Event:
    """Set when this process is asked to end. Ctrl-C ends it at once, as it does every command."""
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    return leave


async def rung(ears: Sequence[Ear], leave: asyncio.Event, seconds: float) -> None:
    """Until one of the ears hears something, the process is to end, or so long. What an ear heard is never lost."""
    waits = [asyncio.create_task(ear.wait(seconds)) for ear in ears]
    ending = asyncio.create_task(leave.wait())
    try:
        await asyncio.wait({*waits, ending}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in (*waits, ending):
            wait.cancel()
        await asyncio.gather(*waits, ending, return_exceptions=True)


class Patience:
    """Tries again what the store refuses for now, more slowly each time, and says so once."""

    def __init__(self, leave: asyncio.Event) -> None:
        self._leave = leave

    async def tried(self, verb: Callable[[], Awaitable[T]]) -> T | None:
        """What `verb` returns; None once the process is to end. Raises what no waiting mends (revoked, expired, erased)."""
        wait, said = FIRST_PAUSE, ""
        while not self._leave.is_set():
            try:
                result = await verb()
            except (Unavailable, TooFast) as error:
                if error.sentence != said:
                    output.say(f"trying again: {error}")
                said, wait = error.sentence, min(wait * 2, LONGEST_PAUSE)
                await rung((), self._leave, wait)
                continue
            if said:
                output.say("it works again")
            return result
        return None


class Telling:
    """Lets senders see that the session's client was told of their mail: once it was, and one write a second at most."""

    def __init__(self, hub: Hub, me: Caller, given: Credentials, patience: Patience) -> None:
        self._hub = hub
        self._me = me
        self._given = given
        self._patience = patience
        self._through = 0
        self._last = -TELL_SECONDS

    def add(self, events: Sequence[Event]) -> None:
        """These were told; of no session in particular it means nothing."""
        if self._given.session_id:
            self._through = max([self._through, *(event.message_id for event in events)])

    async def due(self, seconds: float) -> float:
        """Write what is due. Returns how long, of so many seconds, to wait before the next call."""
        left = self._last + TELL_SECONDS - time.monotonic()
        if self._through and left <= 0:
            through, self._through, self._last = self._through, 0, time.monotonic()
            await self._patience.tried(lambda: self._hub.watches.told(self._me, self._given, through))
        return min(seconds, max(0.0, left)) if self._through else seconds

    async def end(self) -> None:
        """Write what is left. Where that fails the sender sees less than was done, and nothing false."""
        if self._through:
            with suppress(Unavailable):
                await self._hub.watches.told(self._me, self._given, self._through)


def words(event: Event) -> str:
    """One event as a line for a person."""
    from multiagent_bridge.guard.text import named
    from multiagent_bridge.model.instants import microseconds_to_iso

    who = f"{event.sender} ({named(event.role)})" if event.role else event.sender or "the owner"
    whom = f" to {','.join(event.to)}" if event.to else ""
    what = {"mail": f"message {event.target}, {event.type}"}.get(event.event, f"{event.action} {event.target}")
    return f"{microseconds_to_iso(event.at)}  {event.event}: {event.conversation_id} from {who}{whom}: {what}"
