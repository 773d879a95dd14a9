"""Health: what a doctor would say of a running hub, and the last hour of its gauges, kept in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.health import Copies, Counts, Engine, Finding, Sample, quantile
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.silences import Silence
from multiagent_bridge.ports import Clock, Tx, Vitals
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.ringing import RingingStore
from multiagent_bridge.services.verifications import Verification, Verifications

SAMPLE_SECONDS = 15
"""Between two samples."""

SAMPLES = 240
"""Kept: an hour."""

COMMANDS = 1_000
"""Most open commands that are looked at."""

SILENCES = 50
"""Silent sessions that are listed."""

LOG_BYTES = 256 << 20
"""A log of the store that is longer has not been taken over into it for a long time."""

WATCH_SECONDS = 900
"""A watchdog that has not looked for so long is not running."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How everything stands in the store, of one snapshot."""

    entries: int
    signed: int
    silences: Sequence[Silence]
    watched_at: int | None
    approvals: int


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the page of health shows. `silent` counts all silent sessions, `silences` are the first of them."""

    findings: Sequence[Finding]
    versions: Mapping[str, str]
    engine: Engine | None
    stand: Stand
    copies: Copies | None
    silences: Sequence[Silence]
    verification: Verification | None
    counts: Counts | None
    samples: Sequence[Sample]


class Health:
    def __init__(
        self,
        gate: Gate,
        store: RingingStore,
        clock: Clock,
        limits: Limits,
        verifications: Verifications,
        vitals: Vitals | None,
    ) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._limits = limits
        self._verifications = verifications
        self._vitals = vitals
        self._counts: Callable[[], Counts] | None = None
        self._before: Counts | None = None
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)

    def count(self, counts: Callable[[], Counts]) -> None:
        """From now on samples are made of what `counts` says of the calls."""
        self._counts, self._before = counts, counts()

    async def sample(self) -> None:
        """Keep one sample; the oldest goes after an hour. Without `count` there is nothing to keep. Raises Unavailable."""
        if self._counts is None or self._before is None:
            return
        transactions = self._store.pending
        approvals = await self._store.read(lambda tx: _approvals(tx, self._clock.now()))
        now, before = self._counts(), self._before
        self._before = now
        quick = [count - was for count, was in zip(now.quick, before.quick, strict=True)]
        self._samples.append(
            Sample(
                at=self._clock.now(),
                calls=now.total() - before.total(),
                refused=now.refused() - before.refused(),
                p95=quantile(quick, now.bounds, 0.95),
                transactions=transactions,
                waiting=now.waiting,
                approvals=approvals,
            )
        )

    async def look(self, caller: Caller) -> Chart:
        """How the hub stands now. Raises NotAllowed, Unavailable."""
        stand = await self._gate.look(caller, "health.read", _stand)
        engine, copies = None, None
        versions: Mapping[str, str] = {}
        broken: list[Finding] = []
        if self._vitals is not None:
            versions = self._vitals.versions()
            try:
                engine = await self._vitals.engine()
                copies = await self._vitals.copies()
            except BridgeError as error:
                # a doctor goes on: that it cannot be looked at is what was found
                broken.append(Finding("machine", "fail", error.sentence, "mab doctor"))
        now = self._clock.now()
        findings = [
            *broken,
            *_of_store(engine),
            _of_journal(stand, self._limits, self._verifications.last),
            *_of_copies(copies, now),
            *_of_sessions(stand, now),
        ]
        return Chart(
            findings,
            versions,
            engine,
            stand,
            copies,
            stand.silences[:SILENCES],
            self._verifications.last,
            self._counts() if self._counts is not None else None,
            tuple(self._samples),
        )


async def _stand(tx: Tx, now: int) -> Stand:
    last, watch = await tx.journal.last_checkpoint(), await tx.silences.watch()
    return Stand(
        entries=(await tx.journal.head()).size,
        signed=last[0] if last else 0,
        silences=await tx.silences.list(),
        watched_at=watch.at if watch else None,
        approvals=await _approvals(tx, now),
    )


async def _approvals(tx: Tx, now: int) -> int:
    found = await tx.commands.open(None, COMMANDS)
    return sum(command.state == "pending" and command.expires_at > now for command in found)


def _of_store(engine: Engine | None) -> Sequence[Finding]:
    if engine is None:
        return ()
    told = f"{engine.name} {engine.version}, {engine.size:,} bytes"
    if engine.log is None:
        return (Finding("store", "ok", told),)
    log = f", log {engine.log:,} bytes"
    if engine.log > LOG_BYTES:
        return (Finding("store", "warn", told + log, "end programs that read the database for long: mab doctor"),)
    return (Finding("store", "ok", told + log),)


def _of_journal(stand: Stand, limits: Limits, last: Verification | None) -> Finding:
    unsigned = stand.entries - stand.signed
    told = f"{stand.entries:,} entries, {unsigned:,} since the last signed checkpoint"
    if last is not None and last.state == "wrong":
        return Finding("journal", "fail", last.sentence, "compare with a copy kept elsewhere: mab audit --against FILE")
    if unsigned >= 2 * limits.checkpoint_entries:
        return Finding("journal", "warn", told, "sign it now: mab audit --checkpoint")
    return Finding("journal", "ok", told)


def _of_copies(copies: Copies | None, now: int) -> Sequence[Finding]:
    if copies is None:
        return ()
    if not copies.every_seconds:
        return (
            Finding("backups", "warn", "the hub makes none by itself", "set folder in [backup], or: mab backup FILE"),
        )
    if copies.newest_at is None:
        return (Finding("backups", "fail", "none was made yet", "look why: mab doctor"),)
    age = max(0, now - copies.newest_at) // SECOND
    told = f"{copies.number:,} kept, the newest {age:,} seconds old, one every {copies.every_seconds:,}"
    if age > 2 * copies.every_seconds:
        return (Finding("backups", "fail", told, "look why: mab doctor"),)
    return (Finding("backups", "ok", told),)


def _of_sessions(stand: Stand, now: int) -> Sequence[Finding]:
    if stand.watched_at is None:
        watch = Finding("watchdog", "warn", "it never looked", "set inside in [watchdog], or run: mab watchdog")
    elif now - stand.watched_at > WATCH_SECONDS * SECOND:
        ago = f"it looked {(now - stand.watched_at) // SECOND:,} seconds ago for the last time"
        watch = Finding("watchdog", "warn", ago, "set inside in [watchdog], or run: mab watchdog")
    elif stand.silences:
        watch = Finding(
            "watchdog", "warn", f"{len(stand.silences):,} sessions are silent", "wake their agents, or mab revoke"
        )
    else:
        watch = Finding("watchdog", "ok", "no session that has work is silent")
    if stand.approvals:
        waits = Finding("approvals", "warn", f"{stand.approvals:,} commands wait for a person", "mab approvals")
    else:
        waits = Finding("approvals", "ok", "no command waits for a person")
    return (watch, waits)
