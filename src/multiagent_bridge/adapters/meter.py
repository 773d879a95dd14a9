"""The meter that lives in the store: charged in the transaction of the act, so that a refused act costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.model.limits import Window
from multiagent_bridge.ports import Tx


class StoreMeter:
    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        return await tx.buckets.charge(key, windows, now)
