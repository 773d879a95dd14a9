"""Rate arithmetic: token buckets kept as GCRA, several windows judged as one.

One stored number a window: the theoretical arrival time `t`, in microseconds. An act at `now` is admitted when for every
window max(t, now) + emission - now <= period; then every `t` moves on by its emission interval. All windows are charged or none
(notes: 11 admitted of 254,938 racing tries at 10 a minute, a burst and one refill).
"""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.model.limits import SECOND, Window

SLACK = 60 * SECOND
"""How far ahead of its period a stored time may lie before the clock must have been set back: more than any wait for a lock."""

WINDOWS = 3
"""Windows a stored bucket has room for."""


def emission(window: Window) -> int:
    """Microseconds that one act costs in `window`."""
    return window.seconds * SECOND // window.limit


def rebased(stored: int, window: Window, now: int) -> int:
    """The arrival time to reckon from: never in the past, and forgotten when the clock jumped back under it."""
    if stored > now + window.seconds * SECOND + SLACK:
        return now
    return max(stored, now)


def charge(stored: Sequence[int], windows: Sequence[Window], now: int) -> tuple[tuple[int, ...], int]:
    """The new arrival times and 0, or the old ones and the microseconds to wait when a window is full."""
    based = [rebased(t, w, now) for t, w in zip(stored, windows, strict=True)]
    wait = max((b + emission(w) - w.seconds * SECOND - now for b, w in zip(based, windows, strict=True)), default=0)
    if wait > 0:
        return tuple(stored), wait
    return tuple(b + emission(w) for b, w in zip(based, windows, strict=True)), 0


def fullest(windows: Sequence[Window], wait: int) -> str:
    """Which limit to name in a refusal: the tightest that could ask for this wait."""
    for window in windows:
        if wait <= emission(window):
            return described(window)
    return described(windows[-1])


def described(window: Window) -> str:
    """`10 a minute`, `100 an hour`, `500 a day`, else `7 in 90 s`."""
    unit = {60: "a minute", 3600: "an hour", 86_400: "a day"}.get(window.seconds)
    return f"{window.limit} {unit}" if unit else f"{window.limit} in {window.seconds} s"
