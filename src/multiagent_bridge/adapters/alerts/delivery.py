"""Delivery: every notice to every sink, in order; a slow sink holds up nobody else, and what fails is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol

from multiagent_bridge.errors import BridgeError, Unavailable

Notice = Mapping[str, object]
Failed = Callable[[str, Notice, BridgeError], Awaitable[None]]

ROOM = 1000
"""Notices that wait for one sink; what comes beyond is reported as not delivered."""

DRAIN_SECONDS = 10.0
"""What still waits when the program is to end has so long to go out."""


class Sink(Protocol):
    name: str

    async def deliver(self, notice: Notice) -> None:
        """Hand it over, within a bound of time. Raises Unavailable saying why it could not be done."""


class Delivery:
    """`async with Delivery(sinks, failed) as delivery: delivery.hand(notice)`.

    A sink has one notice on its way at a time, or `width` of them: then their order is not kept. `failed` is told of each
    notice that a sink did not take, by the sink's name. Leaving waits for what is on its way, `drain` seconds at most; the
    rest has failed.
    """

    def __init__(
        self, sinks: Sequence[Sink], failed: Failed, width: int = 1, room: int = ROOM, drain: float = DRAIN_SECONDS
    ) -> None:
        self._failed = failed
        self._width = width
        self._drain = drain
        self._queues: list[tuple[Sink, asyncio.Queue[Notice]]] = [(sink, asyncio.Queue(room)) for sink in sinks]
        self._tasks: list[asyncio.Task[None]] = []
        self._lost: list[tuple[str, Notice]] = []

    def hand(self, notice: Notice) -> None:
        """Give it to every sink; returns at once. Raises what ended a sink that has a defect."""
        for task in self._tasks:
            if task.done():
                task.result()
        for sink, queue in self._queues:
            try:
                queue.put_nowait(notice)
            except asyncio.QueueFull:
                self._lost.append((sink.name, notice))

    async def drained(self, seconds: float) -> None:
        """Wait until everything went out, at most so long; then say what did not."""
        joined = asyncio.create_task(self._joined())
        # a sink that ended by a defect takes nothing any more: nobody waits for it
        await asyncio.wait({joined, *self._tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()
        await asyncio.gather(joined, return_exceptions=True)
        await self._say_lost()

    async def _joined(self) -> None:
        for _, queue in self._queues:
            await queue.join()

    async def __aenter__(self) -> Delivery:
        served = [pair for pair in self._queues for _ in range(self._width)]
        self._tasks = [asyncio.create_task(self._serve(sink, queue)) for sink, queue in served]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drained(self._drain)
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        late = Unavailable("it was not delivered before the program ended", "the journal has it")
        for sink, queue in self._queues:
            while not queue.empty():
                await self._failed(sink.name, queue.get_nowait(), late)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _serve(self, sink: Sink, queue: asyncio.Queue[Notice]) -> None:
        while True:
            notice = await queue.get()
            try:
                await sink.deliver(notice)
            except BridgeError as error:
                await self._failed(sink.name, notice, error)
            except asyncio.CancelledError:
                late = Unavailable("it was on its way when the program ended", "the journal has it")
                await self._failed(sink.name, notice, late)
                raise
            finally:
                queue.task_done()
            await self._say_lost()

    async def _say_lost(self) -> None:
        lost, self._lost = self._lost, []
        full = Unavailable(f"more than {ROOM:,} notices wait for it", "the journal has it")
        for name, notice in lost:
            await self._failed(name, notice, full)
