"""Threads that own one connection each and run whole transactions on it.

A transaction costs one hop there and one back: a hop per statement costs 2.5 to 3 times as much (engine notes, section 10).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any

import apsw

from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.sqlite.tx import SqliteTx
from multiagent_bridge.errors import Tampered, Unavailable

BATCH = 64
"""Transactions committed together at most (engine notes, section 5)."""

Work = Callable[[SqliteTx], Awaitable[Any]]


class Job:
    """One transaction (or call) on its way: waiting, then begun (it runs to its end) or given up (it never runs)."""

    __slots__ = ("_turn", "call", "error", "future", "loop", "result", "work")

    def __init__(self, work: Work | None, call: Callable[[], object] | None, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.call = call
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: object = None
        self.error: BaseException | None = None
        self._turn = [True]

    def begin(self) -> bool:
        """Whether the lane may run it: of `begin` and `give_up` only the first has a say."""
        try:
            return self._turn.pop()
        except IndexError:
            return False

    def give_up(self, seconds: float) -> None:
        """Called in the event loop when it waited too long for its turn."""
        if self.begin() and not self.future.done():
            self.future.set_exception(
                Unavailable(
                    f"the database has been locked by another program for {seconds:g} s",
                    "find the program that holds it (mab doctor), then repeat the call",
                )
            )


class Lane:
    """A thread with a queue. Subclasses say how a batch runs; every job is answered, whatever happens."""

    def __init__(self, name: str, patience: float) -> None:
        self._patience = patience
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._next: list[Job | None] = []
        self._ending = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def transact(self, work: Work) -> Any:
        """Run a transaction. Cancelling the caller does not stop it: its result is then dropped."""
        return await self._submit(work, None)

    async def call(self, function: Callable[[], object]) -> Any:
        """Run `function` in the thread, between transactions."""
        return await self._submit(None, function)

    async def _submit(self, work: Work | None, function: Callable[[], object] | None) -> Any:
        if self._ending:
            raise Unavailable("the store is closed", "start the hub again")
        if os.getpid() != self._process:
            raise RuntimeError("a store cannot be used in a forked child: open one there")
        loop = asyncio.get_running_loop()
        job = Job(work, function, loop)
        self._queue.put(job)
        timer = loop.call_later(self._patience, job.give_up, self._patience)
        try:
            return await job.future
        finally:
            timer.cancel()

    async def stop(self, last: Callable[[], object]) -> None:
        """Serve what was submitted, then `last`, and end the thread; give up after the patience (it is a daemon)."""
        if self._ending or self._thread.ident is None:
            return
        closing = asyncio.ensure_future(self._submit(None, last))
        # the submission happens in the first step of that task, before anybody else can submit
        await asyncio.sleep(0)
        self._ending = True
        self._queue.put(None)
        with contextlib.suppress(Unavailable):
            await closing
            await asyncio.to_thread(self._thread.join, self._patience)

    def _serve(self) -> None:
        while (first := self._next.pop() if self._next else self._queue.get()) is not None:
            jobs = [first]
            try:
                if first.call is not None:
                    self._answer_call(first)
                else:
                    self._batch(jobs)
            except BaseException as error:  # a batch without an answer would hang its callers
                for job in jobs:
                    job.error = job.error or failed(error)
            finally:
                settle(jobs)
            self._rest()

    def _batch(self, jobs: list[Job]) -> None:
        """Run `jobs` and what else waits, leaving a result or an error in each."""
        raise NotImplementedError

    def _rest(self) -> None:
        """What can wait until the callers have their answers. Raises nothing."""

    def _answer_call(self, job: Job) -> None:
        if job.call is not None and job.begin():
            job.result = job.call()

    def _drain(self, jobs: list[Job]) -> None:
        """Append the transactions that wait to `jobs`, up to a full batch."""
        while len(jobs) < BATCH and not self._next and not self._queue.empty():
            job = self._queue.get_nowait()
            if job is None or job.call is not None:
                self._next.append(job)
            else:
                jobs.append(job)


def failed(error: BaseException) -> BaseException:
    """What a caller is told about an error that concerns a whole batch: a new instance for each."""
    if isinstance(error, (Unavailable, Tampered)):
        copy = type(error)(error.sentence, error.hint, **error.facts)
        copy.__cause__ = error.__cause__
        return copy
    if isinstance(error, (apsw.Error, MemoryError)):
        return translated(error)
    return error


def settle(jobs: list[Job]) -> None:
    """Answer every caller, with one wake-up an event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, answered in loops.items():
        try:
            loop.call_soon_threadsafe(_answer, answered)
        except RuntimeError:
            # that loop is closed: nobody waits there any more
            continue


def _answer(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if isinstance(job.error, StopIteration):
            # a future refuses it, and its caller would wait for ever
            job.future.set_exception(RuntimeError("a transaction raised StopIteration"))
        elif job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
