"""The meter: who may go on, by token buckets of several windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.limits import Window
from multiagent_bridge.ports.store import Tx


class Meter(Protocol):
    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        """As Buckets.charge: inside the transaction where the meter lives in the store, beside it where it does not."""
        ...
