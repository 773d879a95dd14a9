"""A meter beside the store, asked from within a transaction of PostgreSQL."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, cast

from multiagent_bridge.adapters.postgres.driving import Beside
from multiagent_bridge.model.limits import Window
from multiagent_bridge.ports import Tx


class Counting(Protocol):
    """`ports.Meter`, its charge a coroutine."""

    def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> Coroutine[Any, Any, int]: ...


class BesideMeter:
    """`ports.Meter` for a PostgresStore: the transaction waits for the charge of another meter as for a statement.

    A transaction that is run again charges again: a lost connection may cost an act more, and never less.
    """

    def __init__(self, meter: Counting) -> None:
        self._meter = meter

    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        """As `ports.Meter.charge`, with what the meter raises."""
        return cast(int, await Beside(self._meter.charge(tx, key, windows, now)))
