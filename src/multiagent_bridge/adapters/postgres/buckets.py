"""Rate buckets in PostgreSQL: three windows judged and charged by one statement."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.guard import rate
from multiagent_bridge.model.limits import SECOND, Window

_SQL = named("buckets")
_ENDLESS = 2**60
"""Period of a window that is not used: nothing ever fills it."""


class Buckets:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def charge(self, key: str, windows: Sequence[Window], now: int) -> int:
        """As `ports.Buckets.charge`; at most `rate.WINDOWS` windows, else ValueError."""
        if len(windows) > rate.WINDOWS:
            raise ValueError(f"a bucket has room for {rate.WINDOWS} windows, not {len(windows)}")
        if not windows:
            return 0
        values: dict[str, str | int] = {"key": key, "now": now, "slack": rate.SLACK}
        for i in range(rate.WINDOWS):
            used = windows[i] if i < len(windows) else None
            values[f"e{i + 1}"] = rate.emission(used) if used else 0
            values[f"p{i + 1}"] = used.seconds * SECOND if used else _ENDLESS
        if await self._run.row(_SQL["charge"], values):
            return 0
        (stored,) = await self._run.rows(_SQL["stored"], {"key": key})
        return rate.charge(stored[: len(windows)], windows, now)[1]

    async def sweep(self, now: int) -> int:
        return await self._run.change(_SQL["sweep"], {"now": now})
