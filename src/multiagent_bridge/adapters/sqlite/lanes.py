"""Threads that own one connection each and run whole transactions on it.

A transaction costs one hop there and one back: a hop per statement costs 2.5 to 3 times as much (engine notes, section 10).
A brief one saves both: it runs in the event loop that asks for it, as long as nothing else is under way and the disk is quick.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any

import apsw

from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.sqlite.tx import SqliteTx
from multiagent_bridge.errors import Tampered, Unavailable

BATCH = 64
"""Transactions committed together at most (engine notes, section 5)."""

LOOKS = 8
"""Turns of the event loop for which a busy lane's next batch waits for more: a request passes about as many on its way here."""

QUICK_SECONDS = 0.003
"""How long an event loop may stand still for the brief transactions of one batch."""

HERE = 16
"""Brief transactions that an event loop runs together at most; however many callers come at once, it goes on between them."""

ASIDE = 32
"""Batches that are left to the thread after one was not quick in the event loop."""

Work = Callable[[SqliteTx], Awaitable[Any]]


class Job:
    """One transaction (or call) on its way: waiting, then begun (it runs to its end) or given up (it never runs)."""

    __slots__ = ("_turn", "begun", "brief", "call", "caller", "error", "future", "result", "until", "work")

    def __init__(
        self, work: Work | None, call: Callable[[], object] | None, caller: Callers, brief: bool = False
    ) -> None:
        self.work = work
        self.call = call
        self.caller = caller
        self.brief = brief
        self.until = 0.0
        self.future: asyncio.Future[Any] = caller.loop.create_future()
        self.result: object = None
        self.error: BaseException | None = None
        self.begun = False
        self._turn = [True]

    def begin(self) -> bool:
        """Whether the lane may run it: of `begin` and `give_up` only the first has a say. Once begun it may run again."""
        self.begun = self.begun or self._first()
        return self.begun

    def _first(self) -> bool:
        try:
            return self._turn.pop()
        except IndexError:
            return False

    def give_up(self, seconds: float) -> None:
        """Called in the event loop when it waited too long for its turn."""
        if self._first() and not self.future.done():
            self.future.set_exception(
                Unavailable(
                    f"the database has been locked by another program for {seconds:g} s",
                    "find the program that holds it (mab doctor), then repeat the call",
                )
            )


class Callers:
    """The jobs of one event loop: those it passes on together, and those that have no answer yet, with one timer for all."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        patience: float,
        queue: SimpleQueue[Job | None],
        run_here: Callable[[list[Job]], bool],
    ) -> None:
        self.loop = loop
        self._patience = patience
        self._queue = queue
        self._run_here = run_here
        self._unanswered: deque[Job] = deque()
        self._timed = False
        self._gathered: list[Job] = []
        self._enough = 0
        self._looks = 0
        self._ran = False

    def at_once(self, job: Job) -> bool:
        """Run a brief job now, if nothing else is under way. Only one a turn of the loop: others must have theirs."""
        if self._ran or self._unanswered or not self._run_here([job]):
            return False
        self._ran = True
        self.loop.call_soon(self._turned)
        self.answer([job])
        return True

    def _turned(self) -> None:
        self._ran = False

    def pass_on(self, job: Job) -> None:
        """Hand the job to the lane, after those that were gathered."""
        self._expect(job)
        self._gathered.append(job)
        self._hand_over()

    def gather(self, job: Job, enough: int) -> None:
        """Hand the job to the lane with those that follow it at once, `enough` of them at most.

        A thread that is woken for each would fight the event loop for the interpreter at every statement: ten callers
        cost a sixth more processor time then.
        """
        self._expect(job)
        self._gathered.append(job)
        self._looks, self._enough = LOOKS, enough
        if len(self._gathered) == 1:
            self.loop.call_soon(self._wait_for_more)

    def _expect(self, job: Job) -> None:
        """Give it up unless it begins within the patience."""
        job.until = self.loop.time() + self._patience
        self._unanswered.append(job)
        if not self._timed:
            self._timed = True
            self.loop.call_at(job.until, self._give_up)

    def _wait_for_more(self) -> None:
        if self._looks and len(self._gathered) < self._enough:
            self._looks -= 1
            self.loop.call_soon(self._wait_for_more)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        jobs, self._gathered = self._gathered, []
        alone = 0 < len(jobs) == len(self._unanswered) and len(jobs) <= HERE
        if alone and all(job.brief for job in jobs) and self._run_here(jobs):
            self.answer(jobs)
            return
        for job in jobs:
            self._queue.put(job)

    def answer(self, jobs: list[Job]) -> None:
        """Give each its result or error. Runs in the event loop."""
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
        self._forget_answered()

    def _give_up(self) -> None:
        """End the wait of those whose patience is over, and come back for the next."""
        now = self.loop.time()
        for job in self._unanswered:
            if job.until <= now:
                job.give_up(self._patience)
        self._forget_answered()
        following = next((job.until for job in self._unanswered if job.until > now), None)
        self._timed = following is not None
        if following is not None:
            self.loop.call_at(following, self._give_up)

    def _forget_answered(self) -> None:
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()


class Lane:
    """A thread with a queue. Subclasses say how a batch runs; every job is answered, whatever happens."""

    def __init__(self, name: str, patience: float) -> None:
        self._patience = patience
        self._callers: Callers | None = None
        self._together = 1
        self._aside = 0
        self._turn = threading.Lock()
        """Held by whoever uses the connection: the thread, or an event loop that runs brief transactions itself."""
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._next: list[Job | None] = []
        self._ending = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def transact(self, work: Work, brief: bool = False) -> Any:
        """Run a transaction; a `brief` one in the event loop where that is quicker. Cancelling the caller does not stop it: its
        result is then dropped.
        """
        return await self._submit(work, None, brief)

    async def call(self, function: Callable[[], object]) -> Any:
        """Run `function` in the thread, between transactions."""
        return await self._submit(None, function)

    def _submit(
        self, work: Work | None, function: Callable[[], object] | None, brief: bool = False
    ) -> asyncio.Future[Any]:
        if self._ending:
            raise Unavailable("the store is closed", "start the hub again")
        if os.getpid() != self._process:
            raise RuntimeError("a store cannot be used in a forked child: open one there")
        loop, callers = asyncio.get_running_loop(), self._callers
        if callers is None or callers.loop is not loop:
            callers = self._callers = Callers(loop, self._patience, self._queue, self._run_here)
        job = Job(work, function, callers, brief)
        if brief and self._together == 1 and callers.at_once(job):
            return job.future
        if work is not None and (brief or self._together > 1):
            callers.gather(job, self._together)
        else:
            callers.pass_on(job)
        return job.future

    async def stop(self, last: Callable[[], object]) -> None:
        """Serve what was submitted, then `last`, and end the thread; give up after the patience (it is a daemon)."""
        if self._ending or self._thread.ident is None:
            return
        closing = self._submit(None, last)
        self._ending = True
        self._queue.put(None)
        with contextlib.suppress(Unavailable):
            await closing
            await asyncio.to_thread(self._thread.join, self._patience)

    def _serve(self) -> None:
        while (first := self._next.pop() if self._next else self._queue.get()) is not None:
            with self._turn:
                self._serve_one(first)
                self._rest()

    def _serve_one(self, first: Job) -> None:
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
            self._together = len(jobs)
            self._aside = max(0, self._aside - 1)
            settle(jobs)

    def _run_here(self, jobs: list[Job]) -> bool:
        """Run them in the event loop, which asks, and return whether it did. Waits for no thread, lock or other program."""
        if self._aside or not self._queue.empty() or not self._turn.acquire(blocking=False):
            return False
        began = time.perf_counter()
        try:
            if not self._batch_at_once(jobs):
                return False
        except BaseException as error:  # as in the thread
            for job in jobs:
                job.error = job.error or failed(error)
        finally:
            self._turn.release()
        self._together = len(jobs)
        if time.perf_counter() - began > QUICK_SECONDS:
            self._aside = ASIDE
        if self._rests():
            # the thread rests after whatever it did
            self._queue.put(Job(None, _nothing, jobs[0].caller))
        return True

    def _batch_at_once(self, jobs: list[Job]) -> bool:
        """Run `jobs` without waiting for anybody, as `_batch` does. Returns False when it cannot: none of them counts as run."""
        return False

    def _batch(self, jobs: list[Job]) -> None:
        """Run `jobs` and what else waits, leaving a result or an error in each."""
        raise NotImplementedError

    def _rests(self) -> bool:
        """Whether there is something to do for `_rest`."""
        return False

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


def _nothing() -> None:
    """A call that only wakes the thread."""


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
    answers: dict[Callers, list[Job]] = {}
    for job in jobs:
        answers.setdefault(job.caller, []).append(job)
    for callers, answered in answers.items():
        try:
            callers.loop.call_soon_threadsafe(callers.answer, answered)
        except RuntimeError:
            # that loop is closed: nobody waits there any more
            continue
