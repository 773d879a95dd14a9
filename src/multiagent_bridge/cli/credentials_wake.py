"""Has every `mab credentials sync` of a state directory look at once. Light: a hook runs it at each push."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from multiagent_bridge.adapters.bell import DatagramBell
from multiagent_bridge.adapters.state import prepared

if TYPE_CHECKING:
    from multiagent_bridge.ports import Ear

TOPIC = "credentials"


@asynccontextmanager
async def listening(home: Path) -> AsyncIterator[Ear]:
    """An ear for `ring`. Raises Unavailable."""
    bell = DatagramBell(home / "bells", _nothing)
    await bell.open()
    try:
        async with bell.listen(TOPIC) as ear:
            yield ear
    finally:
        await bell.close()


async def ring(home: Path) -> None:
    """Have every sync of the state directory look now. Raises Unavailable."""
    bell = DatagramBell(prepared(home) / "bells", _nothing)
    await bell.open()
    bell.ring(TOPIC)
    await bell.close()


async def _nothing() -> bool:
    return False


if __name__ == "__main__":
    asyncio.run(ring(Path(sys.argv[1])))
