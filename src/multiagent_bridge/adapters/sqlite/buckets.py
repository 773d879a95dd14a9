"""Rate buckets in SQLite: three windows judged and charged by one statement (7 us inside an open transaction)."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.guard import rate
from multiagent_bridge.model.limits import SECOND, Window

_SQL = named("buckets")
_ENDLESS = 2**60
"""Period of a window that is not used: nothing ever fills it."""

_KNOWN: dict[int, tuple[tuple[Window, ...], Sequence[int]]] = {}
"""The costs of limits met before, by identity: kept alive here, so that no other can take their place."""
_KNOWN_AT_MOST = 64


def _costs(windows: Sequence[Window]) -> Sequence[int]:
    """What an act costs in each window, then their periods: microseconds."""
    known = _KNOWN.get(id(windows))
    if known is not None and known[0] is windows:
        return known[1]
    unused = rate.WINDOWS - len(windows)
    costs = [rate.emission(window) for window in windows] + [0] * unused
    costs += [window.seconds * SECOND for window in windows] + [_ENDLESS] * unused
    if isinstance(windows, tuple) and len(_KNOWN) < _KNOWN_AT_MOST:
        _KNOWN[id(windows)] = windows, costs
    return costs


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
        e1, e2, e3, p1, p2, p3 = _costs(windows)
        if self._run.change(_SQL["charge"], (key, now, e1, e2, e3, p1, rate.SLACK, p2, p3)):
            return 0
        (stored,) = self._run.rows(_SQL["stored"], {"key": key})
        return rate.charge(stored[: len(windows)], windows, now)[1]

    async def sweep(self, now: int) -> int:
        return self._run.change(_SQL["sweep"], {"now": now})
