"""Runs a transaction's coroutine to its end in one step, for stores whose Tx never really suspends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

X = TypeVar("X")
T = TypeVar("T")


def drive(work: Callable[[X], Awaitable[T]], tx: X) -> T:
    """Run `work(tx)` without an event loop and return its result.

    Raises RuntimeError when it awaits anything that suspends (a programming error, see `ports.Tx`), and what it raises.
    """
    steps = work(tx).__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    close = getattr(steps, "close", None)
    if close is not None:
        close()
    raise RuntimeError("a transaction awaited something other than its Tx")
