"""`mab credentials sync`: takes up credentials as soon as they appear, and changes over when they rotate."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.cli.credentials_told import Told
from multiagent_bridge.cli.credentials_wake import listening
from multiagent_bridge.errors import BridgeError, Fact, NotAllowed, NotFound, Refused, Tampered, TooFast

if TYPE_CHECKING:
    from multiagent_bridge.cli.credentials_seat import Program, Seat
    from multiagent_bridge.model.parcels import Parcel
    from multiagent_bridge.ports import Ear
    from multiagent_bridge.services.parcels import Pulled

EVERY = 60.0
BEAT_SECONDS = 30.0
"""Between two heartbeats: a quarter of what counts as alive."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
"""Seconds between two tries to reach the hub, which double."""

PATIENCE = 4
"""A repository that cannot be reached is asked more and more seldom, down to once in so many intervals."""

Worker = Annotated[str, typer.Option("--worker", metavar="NAME", help="The worker's name, as in mab mcp --as NAME.")]
Repo = Annotated[str, typer.Option("--repo", metavar="URL", help="The repository: HTTPS, ssh, or a path.")]
Branch = Annotated[str, typer.Option("--branch", metavar="NAME", help="The branch that credentials lie on.")]
Publisher = Annotated[
    str | None,
    typer.Option("--publisher", metavar="KEY", help="The hub's publisher key; needed the first time, then remembered."),
]


def sync(
    worker: Worker,
    repo: Repo,
    branch: Branch = "main",
    publisher: Publisher = None,
    every: Annotated[float, typer.Option("--every", metavar="S", min=0.1, help="Seconds between two looks.")] = EVERY,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec", metavar="CMD", help="Started once credentials are in, again when they rotate; without a shell."
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Who vouches for a hub elsewhere: certificates, PEM.")
    ] = None,
    once_connected: Annotated[
        bool, typer.Option("--once-connected", help="Leave as soon as the worker is connected.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take up this worker's credentials as soon as they appear, keep its session alive, change over when they rotate."""
    from multiagent_bridge import config
    from multiagent_bridge.adapters.state import prepared
    from multiagent_bridge.cli.credentials_seat import Program, Seat

    home = prepared(config.load().home)
    looking = Looking(home, worker, repo, branch, publisher)
    seat = Seat(home, worker, looking.box.key_file(worker), ca.absolute() if ca else None)
    program = Program.of(command) if command else None
    asyncio.run(_Sync(looking, seat, program, every, once_connected, Told(as_json)).run())


class Looking:
    """One worker's looks into the repository; what came of them is written to the journal of this state directory."""

    def __init__(self, home: Path, worker: str, repo: str, branch: str, publisher: str | None) -> None:
        """Raises Invalid, and NotFound when keygen was never run here."""
        from multiagent_bridge.adapters.parcels import box, carriers
        from multiagent_bridge.adapters.state import no_core_dumps
        from multiagent_bridge.adapters.system import SystemClock
        from multiagent_bridge.services.parcels import Arrivals

        no_core_dumps()
        self.home = home
        self.worker = worker
        self.box = box.HomeLetterbox(home)
        source = carriers.GitSource(carriers.repository(home, repo, branch, f"worker-{worker}"))
        self._arrivals = Arrivals(worker, source, self.box, SystemClock())
        self._publisher = publisher
        self._refused = ""

    @property
    def file(self) -> Path:
        """Where the credentials lie."""
        return self.box.file(self.worker)

    async def look(self) -> Pulled:
        """Pull once. Raises as `Arrivals.pull` does."""
        from multiagent_bridge.adapters.parcels import carriers
        from multiagent_bridge.cli import owner

        me = owner.owner()

        async def noted(parcel: Parcel) -> None:
            facts: dict[str, Fact] = {"session": parcel.session_id, "sequence": parcel.sequence}
            async with owner.hub() as hub:
                target = f"worker {self.worker}"
                await hub.journal.note(me, "credentials.pull", target, facts, parcel.conversation_id)

        try:
            async with carriers.alone(self.home, f"worker-{self.worker}"):
                found = await self._arrivals.pull(self._publisher, noted)
        except (Refused, Tampered) as error:
            if error.sentence != self._refused:
                # once, and not at every look
                async with owner.hub() as hub:
                    await hub.journal.refused(me, "credentials.pull", error)
                self._refused = error.sentence
            raise
        self._refused = ""
        return found

    async def renewed(self, parcel: Parcel) -> None:
        """Keep the token that the hub gave the worker in place of the one it was sent, before that one is used."""
        from multiagent_bridge.adapters.parcels import carriers

        async with carriers.alone(self.home, f"worker-{self.worker}"):
            self.box.renew(parcel)


class _Sync:
    """Everything in one task: a look when it is due or the bell rings, then the seat, then a heartbeat."""

    def __init__(
        self,
        looking: Looking,
        seat: Seat,
        program: Program | None,
        every: float,
        once: bool,
        told: Told,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._looking = looking
        self._seat = seat
        self._program = program
        self._every = every
        self._once = once
        self._told = told
        self._clock = clock
        self._look_at = 0.0
        self._missed = 0
        self._newest = 0
        """Sequence of the parcel that was last wanted."""
        self._wanted: Parcel | None = None
        self._seated: Parcel | None = None
        self._seat_at = 0.0
        self._pause = FIRST_PAUSE
        self._beat_at = 0.0
        self._dead = 0
        self._opened = 0
        """Sequence of the parcel that opened a session last."""

    async def run(self) -> None:
        """Until the process is to end, or the worker is connected when that is enough."""
        from multiagent_bridge.adapters.parcels import carriers
        from multiagent_bridge.cli.following import leaving

        leave = leaving()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            # a terminal that is closed must not leave the program running alone; nohup wants just that
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, leave.set)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                carriers.alone(self._looking.home, f"sync-{self._looking.worker}", wait=False)
            )
            ear = await stack.enter_async_context(listening(self._looking.home))
            stack.push_async_callback(self._seat.leave)
            if self._program is not None:
                stack.push_async_callback(self._program.end)
            self._wanted = self._looking.box.parcel(self._looking.worker)
            self._newest = self._wanted.sequence if self._wanted else 0
            for heavy in ("mcp", "multiagent_bridge.wiring"):
                # most of a second each: better now than when credentials come
                await asyncio.to_thread(__import__, heavy)
            while not leave.is_set():
                await self._step()
                if self._once and self._seated is not None:
                    return
                if await _waited(ear, leave, self._next() - self._clock()):
                    self._look_at = 0.0

    async def _step(self) -> None:
        if self._clock() >= self._look_at:
            await self._look()
        if self._wanted is not None and self._clock() >= self._seat_at:
            await self._take(self._wanted)
        if self._seated is not None and self._clock() >= self._beat_at:
            await self._beat(self._seated)

    def _next(self) -> float:
        """When there is something to do without a ring."""
        due = [self._look_at]
        if self._wanted is not None:
            due.append(self._seat_at)
        if self._seated is not None:
            due.append(self._beat_at)
        return min(due)

    async def _look(self) -> None:
        missed, self._missed = self._missed, 0
        try:
            found = await self._looking.look()
        except NotFound as error:
            self._told.trouble("waiting", error)
        except (Refused, Tampered) as error:
            self._told.trouble("refused", error)
        except BridgeError as error:
            self._told.trouble("unreachable", error)
            self._missed = min(missed + 1, PATIENCE)
        else:
            self._told.over("waiting")
            self._told.over("refused")
            if found.fresh or found.parcel.sequence != self._newest:
                # not new to the state directory, and new here: another process pulled them
                self._newest = found.parcel.sequence
                self._told.say("accepted", f"accepted: number {found.parcel.sequence}", **_fields(found.parcel))
                self._wanted, self._seat_at, self._pause = found.parcel, 0.0, FIRST_PAUSE
        if not self._missed and self._told.over("unreachable"):
            self._told.say("reachable", "the repository answers again")
        self._look_at = self._clock() + self._every * max(1, self._missed)

    async def _take(self, parcel: Parcel) -> None:
        """Take up the session; what waiting may mend is tried again."""
        if parcel.sequence == self._dead:
            self._wanted = None
            return
        try:
            parcel = await self._kept(parcel, await self._seat.take(parcel))
        except NotAllowed as error:
            self._lost(parcel, error)
        except BridgeError as error:
            self._told.trouble("disconnected", error)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            wait = error.retry_after if isinstance(error, TooFast) else self._pause
            self._seat_at = self._clock() + wait
        else:
            for trouble in ("disconnected", "rotated", "unusable"):
                self._told.over(trouble)
            self._wanted, self._seated, self._pause = None, parcel, FIRST_PAUSE
            self._opened = parcel.sequence
            self._beat_at = self._clock() + BEAT_SECONDS
            seat = f"{parcel.conversation_id} session {parcel.session_id} ({parcel.role})"
            self._told.say("connected", f"connected: {parcel.worker} is {seat}", **_fields(parcel))
            if self._program is not None:
                await self._program.start(parcel, self._told)

    async def _beat(self, parcel: Parcel) -> None:
        """One heartbeat. A session whose program has ended gets none: its silence is to be seen."""
        self._beat_at = self._clock() + BEAT_SECONDS
        if self._program is not None and not self._program.running:
            return
        try:
            self._seated = await self._kept(parcel, await self._seat.beat(parcel))
        except NotAllowed as error:
            self._lost(parcel, error)
        except BridgeError as error:
            self._told.trouble("disconnected", error)
        else:
            if self._told.over("disconnected"):
                self._told.say("reconnected", "the hub answers again")

    async def _kept(self, before: Parcel, after: Parcel) -> Parcel:
        """What the seat goes on with. Raises Unavailable when a new token cannot be kept: then the old one goes on."""
        if after is not before:
            await self._looking.renewed(after)
            self._told.say("renewed", f"renewed: {after.worker} has the session's next token", **_fields(after))
        return after

    def _lost(self, parcel: Parcel, error: BridgeError) -> None:
        """The token opens nothing, or no more: new credentials may be there already."""
        if parcel.sequence != self._opened and not parcel.hub:
            # it never opened anything here, and names no hub: most often the hub is another machine's
            error = NotAllowed(error.sentence, "where the hub is on another machine: mab credentials push --hub URL")
        self._told.trouble("rotated" if parcel.sequence == self._opened else "unusable", error)
        if self._wanted is not None and self._wanted.sequence == parcel.sequence:
            # newer ones that wait for the hub are no worse for it
            self._wanted = None
        self._dead, self._seated = parcel.sequence, None
        self._look_at = min(self._look_at, self._clock() + 1.0)


def _fields(parcel: Parcel) -> dict[str, object]:
    from multiagent_bridge.services.parcels import fields

    return fields(parcel)


async def _waited(ear: Ear, leave: asyncio.Event, seconds: float) -> bool:
    """Until the bell rings (True), the process is to end, or so long. A ring is never lost."""
    if seconds <= 0:
        return False
    ring, ending = asyncio.create_task(ear.wait(seconds)), asyncio.create_task(leave.wait())
    try:
        await asyncio.wait({ring, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return ring.done() and ring.result()
    finally:
        for wait in (ring, ending):
            wait.cancel()
        await asyncio.gather(ring, ending, return_exceptions=True)
