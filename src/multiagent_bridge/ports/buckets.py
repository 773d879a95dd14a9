"""Rate buckets in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.limits import Window


class Buckets(Protocol):
    async def charge(self, key: str, windows: Sequence[Window], now: int) -> int:
        """Charge one act to every window of `key`, or to none. Returns 0 when admitted, else microseconds to wait.

        One statement, exact among racing processes; forgets a state that lies in the future because the clock was set back.
        """
        ...

    async def sweep(self, now: int) -> int:
        """Remove buckets that are full again at `now`: they say nothing that a missing one does not. Returns how many."""
        ...
