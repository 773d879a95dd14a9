"""The vigil: whether the clocks went on evenly since the last check, so that one that is set makes nobody look silent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from multiagent_bridge.errors import Conflict, Fact
from multiagent_bridge.guard.liveness import drifted
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.silences import Watch
from multiagent_bridge.ports import Clock
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.rounds import Round


@dataclass(frozen=True, slots=True)
class Remembered:
    """How the clocks of this watchdog stood at its own last look."""

    wall: int
    steady: int
    steps: int


class Vigil:
    """Compares a wall clock, by which heartbeats are dated, with one that cannot be set.

    Between two checks of one watchdog that is its monotonic clock, which also leaves out the time a machine slept where the
    system's does. A watchdog that starts takes up where the last one stood: by the time since the boot of the same machine.
    Where another boot stands, the watch goes on if it is that of another machine which still looks (`_beside`); else this machine
    was started again, and nothing before it counts. Neither does a whole threshold without a check before a hub's own one starts.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._last: Remembered | None = None
        self._blind = False

    def begun(self) -> int:
        """The steady instant of a round."""
        return self._clock.monotonic()

    def missed(self) -> None:
        """The store could not be used: whoever could not be heard meanwhile was not silent."""
        self._blind = True

    def done(self, this: Round, watch: Watch) -> None:
        """The round is committed."""
        self._last = Remembered(this.now, this.steady, watch.steps)
        self._blind = False

    async def go_on(self, this: Round) -> Watch:
        """Note this check, and what the stretch since the last one proves: `Round.since`, `Round.silent`.

        Raises Conflict when another watchdog looked at the same moment.
        """
        was = await this.tx.silences.watch()
        boot, boottime = self._clock.boot(), self._clock.boottime()
        why, drift = self._broken(this, was, boot, boottime)
        after = Watch(this.now, boot, boottime, was.since if was else 0, was.steps if was else 0)
        if why:
            after = replace(after, since=this.now, steps=after.steps + 1)
            facts: dict[str, Fact] = {"why": why, "seconds": drift // SECOND}
            await self._journal.record(this.tx, this.ticket(), this.now, "watchdog.grace", "", facts)
        if not await this.tx.silences.watched(after, was):
            raise Conflict(
                "another watchdog looked at the same moment", "nothing was done twice; the next check goes on"
            )
        this.since = after.since
        # of two watchdogs that live through one step the first moves the dates of the silences along; where another machine
        # looked last they are not of the clock that was set
        first = was is None or (was.boot == boot and (self._last is None or self._last.steps == was.steps))
        for silence in await this.tx.silences.list():
            moved = silence
            if drift and first:
                moved = replace(silence, began_at=silence.began_at + drift, warned_at=silence.warned_at + drift)
                await this.tx.silences.change(moved, silence)
            this.silent[moved.conversation_id, moved.session_id] = moved
        return after

    def _broken(self, this: Round, was: Watch | None, boot: str, boottime: int) -> tuple[str, int]:
        """Why the stretch since the last check proves nothing, if so, and by how much the wall clock was set."""
        last = self._last
        if last is not None:
            drift = (this.now - last.wall) - (this.steady - last.steady)
        elif was is None:
            drift = 0
        elif boot and was.boot == boot:
            drift = (this.now - was.at) - (boottime - was.boottime)
        elif boot or was.boot:
            drift = 0
            if not _beside(this, was, boot, boottime):
                return "started", 0
        else:
            # no clock here outlives its process: only a step back shows
            drift = min(0, this.now - was.at)
        if drifted(drift):
            return "clock", drift
        if this.rules.inside and last is None and was is not None and this.now - was.at >= this.rules.threshold:
            # there was no hub, nor another's watchdog: who was not heard may have knocked in vain
            return "started", 0
        return ("store" if self._blind else ""), 0


def _beside(this: Round, was: Watch, boot: str, boottime: int) -> bool:
    """Whether another machine made the last check, and lately: this one was up by then under the boot that it has now.

    Lately is within half a threshold, in which nobody falls silent unseen, and by which two wall clocks may be apart at most.
    """
    gap = this.now - was.at
    return abs(gap) <= this.rules.threshold // 2 and (not boot or boottime > gap)
