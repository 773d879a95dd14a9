"""Parts of pages that are the same for everybody of the same roles: made once, however many pages ask at the same moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

KEPT = 256
"""Parts that are kept at once; the oldest goes."""

SECONDS = 1.0
"""A part is made again after so long though nothing moved: it may say how long ago something was."""


@dataclass(slots=True)
class Part:
    """One part: what it was made of, when, and whose turn it is to make it."""

    seq: int | None = None
    at: float = float("-inf")
    content: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sharing:
    """`seq` is the last entry that open pages were told of; None while none is open: then nothing is kept."""

    def __init__(self, seq: Callable[[], int | None]) -> None:
        self._seq = seq
        self._parts: OrderedDict[Hashable, Part] = OrderedDict()

    async def part(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """The part of that key as it is since the last entry. Raises what `make` raises, to each who asks."""
        if self._seq() is None:
            return await make()
        part = self._parts.setdefault(key, Part())
        self._parts.move_to_end(key)
        while len(self._parts) > KEPT:
            self._parts.popitem(last=False)
        async with part.turn:
            # read before it is made: what is written meanwhile makes it again
            seq, now = self._seq(), asyncio.get_running_loop().time()
            if seq is None or part.seq != seq or now - part.at >= SECONDS:
                part.content = await make()
                part.seq, part.at = seq, now
            return part.content
