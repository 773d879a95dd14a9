"""The watchdog: finds who has fallen silent, says so once, and gives what they held to somebody who is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import Conflict, Fact, Unavailable
from multiagent_bridge.guard import liveness as guard
from multiagent_bridge.guard.liveness import Rules
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Alert, Quiet, Silence, Watch
from multiagent_bridge.ports import Bell, Clock, Tx
from multiagent_bridge.services.alarms import Alarms
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.handovers import Handovers
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.rounds import Ahead, Round, Seat, seat
from multiagent_bridge.services.stranded import Stranded
from multiagent_bridge.services.tasks import Tasks
from multiagent_bridge.services.vigil import Vigil

MOST = 200
"""Silences that begin, and such that end or escalate, in one transaction: others who write do not wait for a thousand."""

RULES = Rules()


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check did. `standing` are the silences that are not over."""

    alerts: Sequence[Alert]
    standing: Sequence[Silence]


class Watchdog:
    """One an observer: it remembers how its clocks stood."""

    def __init__(self, gate: Gate, journal: Journal, notices: Notices, tasks: Tasks, bell: Bell, clock: Clock) -> None:
        self._gate = gate
        self._journal = journal
        self._bell = bell
        self._vigil = Vigil(journal, clock)
        self._handovers = Handovers(tasks)
        self._alarms = Alarms(journal, notices)
        self._stranded = Stranded(journal, notices, self._handovers)
        self._ahead: Ahead = {}

    async def check(self, caller: Caller, rules: Rules = RULES) -> Checked:
        """Look at every session once: warn, escalate, report who is back, and move the tasks of the silent.

        Those of the revoked move too, and those of a session that was not seen for a threshold since it got them.

        All of it is decided in the transaction that writes it down, so that of several watchdogs one acts. Nobody is judged by
        a stretch in which a clock was set, the machine started or slept, or the store could not be used: then each session gets
        a whole threshold. Raises Refused (not the owner), Unavailable, Conflict (another one looked at the same moment).
        """
        alerts: list[Alert] = []
        standing: list[Silence] = []
        while True:
            try:
                this, watch = await self._gate.own(
                    caller, "watchdog.check", lambda tx, now, ticket: self._round(tx, now, ticket, rules)
                )
            except (Unavailable, Conflict) as error:
                if isinstance(error, Unavailable):
                    self._vigil.missed()
                if alerts:
                    # they are committed and nobody says them again: the next check does the rest
                    return Checked(alerts, standing)
                raise
            self._vigil.done(this, watch)
            # a round that was cut short has not looked at everything that lies ahead
            self._ahead = {**self._ahead, **this.ahead} if this.more else this.ahead
            alerts += this.alerts
            standing = list(this.silent.values())
            for topic in sorted(this.topics):
                self._bell.ring(topic)
            if not this.more:
                return Checked(alerts, standing)

    async def _round(self, tx: Tx, now: int, ticket: Ticket, rules: Rules) -> tuple[Round, Watch]:
        this = Round(tx, ticket.caller, ticket.started, now, self._vigil.begun(), rules)
        watch = await self._vigil.go_on(this)
        quiet = {seat(one.session): one for one in await tx.sessions.stale(now - rules.threshold, now)}
        back = await self._ended(this, quiet)
        known = set(this.silent)
        await self._fallen(this, quiet)
        for silence, session in back:
            await self._alarms.raised(this, "recovered", silence, session)
        for place, handover in (await self._handovers.of_orphans(this)).items():
            left = await tx.sessions.get(*place)
            if left is not None and left.revoked:
                await self._stranded.told(this, left, handover)
            elif left is not None:
                over = Silence(*place, "warned", left.last_heartbeat or 0, now, now)
                await self._alarms.raised(this, "reassigned", this.silent.get(place, over), left, handover)
        # the new ones are told of in the transaction that adds them; of the others as many as there is room for
        for place, silence in sorted(this.silent.items(), key=lambda one: one[0] in known):
            one = quiet.get(place)
            if len(this.alerts) >= 2 * MOST and place in known:
                this.more = True
                break
            if one is not None and one.session.last_heartbeat == silence.heartbeat:
                await self._told(this, one, silence, new=place not in known)
        if not this.more:
            await self._stranded.moved(this, self._ahead)
        return this, watch

    async def _ended(self, this: Round, quiet: Mapping[Seat, Quiet]) -> Sequence[tuple[Silence, Session]]:
        """End the silences that are over: their session is revoked, its conversation has expired, or, returned, it is back."""
        back: list[tuple[Silence, Session]] = []
        for place, silence in list(this.silent.items()):
            if place in quiet and quiet[place].session.last_heartbeat == silence.heartbeat:
                continue
            if len(back) == MOST:
                this.more = True
                break
            session = await this.tx.sessions.get(*place)
            conversation = await this.tx.conversations.get(place[0])
            if session is None or conversation is None:
                continue
            why = "revoked" if session.revoked else "expired" if conversation.expired(this.now) else ""
            if not why and session.last_heartbeat == silence.heartbeat:
                # it stands: only the threshold is another than when it was reported
                continue
            if not await this.tx.silences.remove(silence):
                continue
            del this.silent[place]
            if why:
                facts: dict[str, Fact] = {"why": why}
                await self._journal.record(
                    this.tx, this.ticket(place), this.now, "silence.end", f"session {session.id}", facts
                )
            else:
                back.append((silence, session))
        return back

    async def _fallen(self, this: Round, quiet: Mapping[Seat, Quiet]) -> None:
        """Add a silence for each session that owes an answer for as long as the threshold."""
        opened = 0
        for place, one in quiet.items():
            if place in this.silent:
                continue
            owed = await self._owed(this, one)
            if guard.idle(owed):
                continue
            began = guard.quiet_since(owed, this.now, this.since, self._seen(this, place, owed))
            if this.now - began < this.rules.threshold:
                continue
            if opened == MOST:
                this.more = True
                return
            silence = Silence(*place, "warned", one.session.last_heartbeat or 0, began, this.now)
            if await this.tx.silences.add(silence):
                this.silent[place] = silence
                opened += 1

    async def _owed(self, this: Round, one: Quiet) -> Quiet:
        """The same, of the tasks only those it could work on: one that waits for another task is no duty yet."""
        if not one.tasks or one.session.status not in guard.WAITING:
            return one
        duties = [await this.duty_since(task) for task in await this.tx.tasks.held(*seat(one.session))]
        since = [at for at in duties if at is not None]
        return replace(one, tasks=len(since), tasks_since=min(since, default=None))

    def _seen(self, this: Round, place: Seat, one: Quiet) -> int:
        """When what stands there from the future was first seen to stand there."""
        if not guard.ahead(one, this.now):
            return this.now
        return this.seen(place, (one.session.last_heartbeat, one.unread_since, one.tasks_since), self._ahead)

    async def _told(self, this: Round, one: Quiet, silence: Silence, new: bool) -> None:
        """Take what the silent one holds, and say what there is to say of it."""
        handover = await self._handovers.of(this, one.session) if one.tasks else None
        after = replace(silence, handed=silence.handed + len(handover.moved)) if handover else silence
        began = silence.began_at if silence.began_at <= this.now else this.since
        lasted = this.now - max(began, this.since)
        if not new and silence.state == "warned" and lasted >= 2 * this.rules.threshold:
            after = replace(after, state="escalated")
        if after != silence and await this.tx.silences.change(after, silence):
            this.silent[silence.conversation_id, silence.session_id] = after
        kind = "silent" if new else "escalated" if after.state != silence.state else "reassigned"
        if kind != "reassigned" or (handover and handover.moved):
            await self._alarms.raised(this, kind, after, one.session, handover)
