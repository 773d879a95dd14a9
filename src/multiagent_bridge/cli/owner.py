"""The owner of the state directory as a caller: a hub in this process, over the same store as every other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from multiagent_bridge.model.callers import Caller

if TYPE_CHECKING:
    from multiagent_bridge.services.hub import Hub

T = TypeVar("T")


def owner() -> Caller:
    return Caller(agent="", name="operator", peer=f"uid:{os.geteuid()}", operator=True)


@asynccontextmanager
async def hub(store: str | None = None) -> AsyncIterator[Hub]:
    """A hub of this process's own. Raises what `wiring.open_hub` raises."""
    from multiagent_bridge import config, wiring

    async with AsyncExitStack() as stack:
        yield await wiring.open_hub(config.load(store=store), stack)


def run(verb: Callable[[Hub, Caller], Awaitable[T]], caller: Caller | None = None) -> T:
    """Run one verb as the owner, or as `caller`."""

    async def inside() -> T:
        async with hub() as opened:
            return await verb(opened, caller or owner())

    return asyncio.run(inside())
