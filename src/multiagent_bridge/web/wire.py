"""One HTTP connection. Every wait for its client has an end, and it knows when the other end's kernel took an answer."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from contextlib import suppress
from typing import Any, Protocol

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEADER_SECONDS = 10.0
"""From the connection to the last line of a request's header."""

BODY_SECONDS = 30.0
"""From there to the last byte of its body."""

IDLE_SECONDS = 40.0
"""From one answer to the end of the next header."""

LINGER_SECONDS = 3.0
"""A request that was answered before it was read to its end may go on for so long: else its sender never sees the answer."""

WRITE_SECONDS = 30.0
"""How long a client may leave an answer unread."""

LOOK_SECONDS = 0.02

HEADER_BYTES = 16_384


class Register(Protocol):
    """Who keeps count of connections. A waiting one costs memory and brings nothing yet, so it goes first."""

    def waits(self, wire: Wire) -> None:
        """It has no whole request."""

    def works(self, wire: Wire) -> None:
        """Its request is being answered."""

    def ends(self, wire: Wire) -> None: ...


class Wire(H11Protocol):
    """uvicorn's protocol with the deadlines that it lacks."""

    transport: Any
    cycle: Any

    def __init__(self, config: Config, state: ServerState, register: Register) -> None:
        super().__init__(config, state, {"wire": self})
        self._register = register
        self._phase: tuple[str, int] = ("", 0)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._ended: asyncio.Event = asyncio.Event()
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._broken = self._broken or exc is not None
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        self._register.ends(self)
        super().connection_lost(exc)
        self._ended.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(WRITE_SECONDS, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; in the middle of an answer there is nothing left to say."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.abort()
            return
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            # past the point where anything may be said
            self.abort()

    def shutdown(self) -> None:
        """Close once the answer that is on its way went out."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.close()

    def abort(self) -> None:
        """Let go of it at once; what it was still to get is lost."""
        self._broken = True
        self.transport.abort()

    async def flushed(self) -> bool:
        """Whether the other end's kernel took all that was written; waits for that. False when the connection broke before."""
        ends = self.loop.time() + WRITE_SECONDS
        while not self._ended.is_set() and not self._broken:
            if not _unsent(self.transport):
                return not self.transport.is_closing() or await self._closed_well()
            if self.loop.time() > ends:
                self.abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._ended.wait()
        return self._ended.is_set() and not self._broken

    async def _closed_well(self) -> bool:
        """An error empties the buffer, too, and is told some turns of the loop later."""
        for _ in range(4):
            await asyncio.sleep(0)
        return not self._broken

    def _look(self) -> None:
        """Begin the deadline of the phase the connection is in; one that goes on keeps its own."""
        cycle = self.cycle
        if cycle is None:
            phase, seconds = "greeting", HEADER_SECONDS
        elif not cycle.response_complete:
            phase, seconds = ("body", BODY_SECONDS) if cycle.more_body else ("answer", 0.0)
        elif cycle.more_body:
            phase, seconds = "linger", LINGER_SECONDS
        else:
            phase, seconds = "idle", IDLE_SECONDS
        if (phase, id(cycle)) == self._phase or self.transport.is_closing():
            return
        self._phase = (phase, id(cycle))
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.abort) if seconds else None
        if phase in ("body", "answer"):
            self._register.works(self)
        else:
            self._register.waits(self)


def _unsent(transport: Any) -> int:
    """Bytes that the other end's kernel has not taken: those in this process, below a TLS layer too, or else those in ours."""
    # asyncio shows only the upper of the two buffers
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    held = int(transport.get_write_buffer_size()) + (int(below.get_write_buffer_size()) if below is not None else 0)
    return held or _unacknowledged(transport)


def _unacknowledged(transport: Any) -> int:
    """Bytes on their way, which a line that swallows them never brings anywhere (tcp(7), SIOCOUTQ)."""
    line = transport.get_extra_info("socket")
    with suppress(OSError, ValueError):
        # one that was closed has none, or one without a number
        return int.from_bytes(fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)), sys.byteorder) if line is not None else 0
    return 0
