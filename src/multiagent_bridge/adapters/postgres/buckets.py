"""Rate buckets in PostgreSQL: three windows judged and charged by one statement."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Late, Row, Statements
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
        if (row := self._run.known(("buckets", key))) is not None:
            return self._reckoned(key, row, windows, now)
        values: dict[str, str | int] = {"key": key, "now": now, "slack": rate.SLACK}
        for i in range(rate.WINDOWS):
            used = windows[i] if i < len(windows) else None
            values[f"e{i + 1}"] = rate.emission(used) if used else 0
            values[f"p{i + 1}"] = used.seconds * SECOND if used else _ENDLESS
        # a charge that was put off may be one of this key
        if await self._run.row(_SQL["charge"], values, beside=not self._run.late):
            return 0
        (stored,) = await self._run.rows(_SQL["stored"], {"key": key}, beside=True)
        return rate.charge(stored[: len(windows)], windows, now)[1]

    def _reckoned(self, key: str, stored: Row, windows: Sequence[Window], now: int) -> int:
        """The same of a row that was seen: reckoned here, and written with what comes next."""
        charged, wait = rate.charge(stored[: len(windows)], windows, now)
        if not wait:
            times = zip((1, 2, 3), (*charged, *(max(t, now) for t in stored[len(windows) :])), stored, strict=True)
            values = {"key": key} | {name: t for i, new, was in times for name, t in ((f"t{i}", new), (f"was{i}", was))}
            self._run.put_off(Late(_SQL["charge_known"], values), ("buckets", key))
        return wait

    async def sweep(self, now: int) -> int:
        return await self._run.change(_SQL["sweep"], {"now": now})
