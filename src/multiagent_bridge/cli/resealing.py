"""Sealing anew at a pace that leaves most of the store to whoever else writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.hub import Hub

SHARE = 4
"""One part of the time in so many goes to it."""

LONGEST = 1.0
"""The longest rest between two steps, seconds: a store that is slow is not waited for for ever."""


async def driven(hub: Hub, me: Caller) -> bool:
    """Do what is left of a replacement of data keys that is under way. Returns whether there was one. Raises as `step`."""
    if not await hub.reseals.under_way(me):
        return False
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        if not (await hub.reseals.step(me)).more:
            return True
        await asyncio.sleep(min((SHARE - 1) * (clock() - began), LONGEST))
