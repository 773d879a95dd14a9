"""Work that goes on when whoever asked for it has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

GRACE_SECONDS = 5.0
"""What is left of the work when the hub closes has this long to end after it was cancelled."""

log = logging.getLogger(__name__)


class TaskBackground:
    """`ports.Background` on the running event loop. `close` cancels what is left and waits for it, within bounds."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(_worked(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)


async def _worked(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:
        # whoever asked may have gone: the log is where it is still seen
        log.exception("work in the background ended")
