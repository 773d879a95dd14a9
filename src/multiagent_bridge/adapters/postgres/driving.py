"""Runs a transaction's coroutine one statement at a time: it may wait for its statements and for nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from multiagent_bridge.adapters.postgres.queries import Query

X = TypeVar("X")
T = TypeVar("T")


class Asked:
    """One statement that a transaction waits for; `rows` says whether it is asked for its rows or for their count."""

    __slots__ = ("query", "rows", "values")

    def __init__(self, query: Query, values: tuple[Any, ...], *, rows: bool) -> None:
        self.query = query
        self.values = values
        self.rows = rows

    def __await__(self) -> Generator[Asked, Any, Any]:
        return (yield self)


class Beside:
    """What a transaction waits for that is no statement: the charge of a meter beside the store, and nothing else."""

    __slots__ = ("work",)

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self.work = work

    def __await__(self) -> Generator[Beside, Any, Any]:
        return (yield self)


async def drive(work: Callable[[X], Awaitable[T]], tx: X, answer: Callable[[Asked], Awaitable[Any]]) -> T:
    """Run `work(tx)` to its end, each statement through `answer`, and return its result.

    Raises RuntimeError when it awaits anything else (a programming error, see `ports.Tx`), and what it raises.
    """
    steps = work(tx).__await__()
    resume: Callable[[], Any] = partial(next, steps)
    while True:
        try:
            asked = resume()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if not isinstance(asked, (Asked, Beside)):
            close = getattr(steps, "close", None)
            if close is not None:
                close()
            raise RuntimeError("a transaction awaited something other than its Tx")
        try:
            resume = partial(steps.send, await (answer(asked) if isinstance(asked, Asked) else asked.work))
        except Exception as error:
            resume = partial(steps.throw, error)
