"""The executor: a plan of steps, with the meaning that POSIX gives to its joins and streams (XCU 2.7, 2.9.2, 2.9.3)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import anyio

from multiagent_bridge.adapters.sandbox.backends import MEMORY, Room
from multiagent_bridge.adapters.sandbox.capture import Capture, Reader
from multiagent_bridge.adapters.sandbox.places import Place, TooLong
from multiagent_bridge.adapters.sandbox.trees import Tree
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import FLOOD, STOPPED, TIMEOUT, Confinement, Outcome, Program

WATCH = 0.1
"""Seconds between two looks at the memory of a running plan."""
KILLED = 128 + 9
NOT_RUN = 126
"""What a shell answers for a program that is there and cannot be executed (POSIX XCU 2.8.2)."""
LEFT = 16 << 20
"""Bytes that are taken from a pipe whose writers are dead; the kernel's buffer is smaller."""

Work = Sequence[tuple[Step, Program]]


class Plan:
    """One run of a plan, in a room that stands."""

    def __init__(self, room: Room, confinement: Confinement) -> None:
        self._room = room
        self._bounds = confinement.bounds
        self._place = Place(confinement.workspace.path)
        self._stdout = Capture(self._bounds.head, self._bounds.tail)
        self._stderr = Capture(self._bounds.head, self._bounds.tail)
        self._live: list[Tree] = []
        self._ended = ""
        self._ran = False

    async def through(self, steps: Sequence[Step], programs: Sequence[Program]) -> Outcome:
        """Run all of it. Cancelled, it returns only when everything that it started is dead. Raises Unavailable."""
        work = asyncio.ensure_future(self._run(list(zip(steps, programs, strict=True))))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stop(STOPPED)
            with anyio.CancelScope(shield=True):
                await _settled(work)
            raise

    def stop(self, why: str) -> None:
        """Kill what runs and start nothing more. The first reason stays."""
        self._ended = self._ended or why
        for tree in self._live:
            tree.strike()

    async def _run(self, work: Work) -> Outcome:
        start = time.monotonic_ns()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._bounds.seconds, self.stop, TIMEOUT)
        watch = loop.create_task(self._watch())
        status = 0
        try:
            for join, pipeline in pipelines(work):
                if not (join == "&&" and status) and not (join == "||" and not status):
                    status = await self._pipeline(pipeline)
                if self._ended:
                    status = KILLED
                    break
        finally:
            timer.cancel()
            watch.cancel()
        took = (time.monotonic_ns() - start) // 1000
        return Outcome(status, self._stdout.captured, self._stderr.captured, took, self._ended)

    async def _watch(self) -> None:
        while not self._ended:
            await asyncio.sleep(WATCH)
            if sum(tree.launch.resident() for tree in self._live) > self._bounds.memory:
                self.stop(MEMORY)

    def _fed(self) -> bool:
        flooded = max(self._stdout.total, self._stderr.total) > self._bounds.flood
        if flooded:
            self.stop(FLOOD)
        return not flooded

    async def _pipeline(self, pipeline: Work) -> int:
        """The exit status of its last program. Raises Unavailable when nothing of the plan could be started."""
        if len(pipeline) == 1 and not pipeline[0][1].path:
            return self._enter(pipeline[0][0])
        try:
            # before any of them runs: what one does to the tree must not steer what another is given
            argvs = [self._place.argv(step) for step, _ in pipeline]
        except TooLong:
            self._stderr.feed(b"a pattern matches more names than a program can be given\n")
            return NOT_RUN
        with ExitStack() as ends:
            out, err = self._capturing(ends, self._stdout), self._capturing(ends, self._stderr)
            failure = self._start(pipeline, argvs, out, err)
            endings = await asyncio.gather(*(tree.ended() for tree in self._live), return_exceptions=True)
        trees, self._live = self._live, []
        statuses: list[int] = []
        for ending in endings:
            if isinstance(ending, BaseException):
                raise ending
            statuses.append(ending)
        return self._judged(trees, statuses, failure)

    def _capturing(self, ends: ExitStack, capture: Capture) -> int:
        """A new pipe's write end; its reader lives as long as `ends`."""
        read, write = os.pipe()
        ends.callback(Reader(read, capture, self._fed).close, LEFT)
        return write

    def _start(self, pipeline: Work, argvs: Sequence[Sequence[str]], out: int, err: int) -> Unavailable | None:
        """Start all, and give up our ends of what they share. Returns why the one that could not be started was not."""
        with ExitStack() as ours:
            for fd in (out, err):
                ours.callback(os.close, fd)
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            ours.callback(os.close, null)
            stdin = null
            for place, (step, program) in enumerate(pipeline):
                try:
                    after, write = os.pipe() if place + 1 < len(pipeline) else (null, out)
                    if after != null:
                        ours.callback(os.close, after)
                        ours.callback(os.close, write)
                    one, two = directed(step.streams, write, err, null)
                    self._launch(program, argvs[place], step, (stdin, one, two))
                except (Unavailable, OSError) as error:
                    for tree in self._live:
                        tree.strike()
                    return error if isinstance(error, Unavailable) else Unavailable(f"no pipe can be made: {error}")
                stdin = after
        return None

    def _launch(self, program: Program, argv: Sequence[str], step: Step, streams: tuple[int, int, int]) -> None:
        if program.path:
            launch = self._room.launch([program.path, *argv[1:]], dict(step.environment), self._place.cwd)
            self._live.append(Tree(launch, *streams))
            if self._ended:
                self._live[-1].strike()

    def _judged(self, trees: Sequence[Tree], statuses: Sequence[int], failure: Unavailable | None) -> int:
        """What the pipeline answers: the verdict on its last program."""
        found = 0
        said = self._stderr.end
        for tree, status in zip(trees, statuses, strict=True):
            try:
                found = status if self._ended else tree.launch.verdict(status, said)
                self._ran = True
            except Unavailable as error:
                failure = failure or error
                found = NOT_RUN
        if failure is None:
            return found
        if not self._ran:
            raise failure
        self._stderr.feed(f"{failure.sentence}\n".encode())
        return NOT_RUN

    def _enter(self, step: Step) -> int:
        wrong = self._place.enter(step.argv[1:])
        if wrong:
            _, two = directed(step.streams, 1, 2, 0)
            {0: Capture(0, 0), 1: self._stdout, 2: self._stderr}[two].feed(
                f"{wrong}\n".encode(errors="surrogateescape")
            )
        self._ran = True
        return 1 if wrong else 0


def pipelines(work: Work) -> Iterator[tuple[str, Work]]:
    """The pipelines of a plan, each with what joins it to the one before."""
    current: list[tuple[Step, Program]] = []
    for step, program in work:
        if current and step.join != "|":
            yield current[0][0].join, current
            current = []
        current.append((step, program))
    if current:
        yield current[0][0].join, current


def directed(streams: Sequence[str], one: int, two: int, null: int) -> tuple[int, int]:
    """Standard output and error after the redirections, applied from left to right."""
    for stream in streams:
        if stream == "1>/dev/null":
            one = null
        elif stream == "2>/dev/null":
            two = null
        elif stream == "1>&2":
            one = two
        elif stream == "2>&1":
            two = one
        else:
            raise Unavailable(f"a redirection of the plan is unknown: {stream}", "report it")
    return one, two


async def _settled(work: asyncio.Future[Outcome]) -> None:
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            # whoever cancels twice still waits until the tree is dead
            continue
    if not work.cancelled():
        work.exception()
