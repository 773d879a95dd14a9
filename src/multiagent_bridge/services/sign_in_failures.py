"""Sign-ins of browsers that failed: counted, written down, and of a peer over its limit once, then silently."""

from __future__ import annotations

from multiagent_bridge.errors import BridgeError, TooFast
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.ports import Clock, Meter, Store, Tx
from multiagent_bridge.services.journal import Journal

CROWD = 20
"""All peers together may fail so many times as often as one of them."""

REMEMBERED = 1_000
"""Peers over their limit that are remembered in memory."""


class SignInFailures:
    def __init__(self, journal: Journal, store: Store, clock: Clock, meter: Meter, limits: Limits) -> None:
        self._journal = journal
        self._store = store
        self._clock = clock
        self._meter = meter
        self._limits = limits
        self._silent_until: dict[str, int] = {}

    def silence(self, peer: str) -> TooFast | None:
        """What a peer over its limit is told without any further look; None for one that is not."""
        left = self._silent_until.get(peer, 0) - self._clock.monotonic()
        return _too_many(left) if left > 0 else None

    async def counted(self, wrong: BridgeError, peer: str, told: BridgeError) -> BridgeError:
        """Count a failure and write it down with what was `wrong`. Returns what to raise: `told`, or TooFast."""
        if (over := self.silence(peer)) is not None:
            return over
        started = self._clock.monotonic()

        async def written(tx: Tx) -> tuple[BridgeError, int]:
            now = self._clock.now()
            crowd = [Window(window.limit * CROWD, window.seconds) for window in self._limits.failures]
            wait = await self._meter.charge(tx, f"{peer}:sign-in", self._limits.failures, now)
            wait = wait or await self._meter.charge(tx, "everybody:sign-in", crowd, now)
            outcome = _too_many(wait) if wait else told
            draft = Draft(
                at=now,
                conversation="",
                session="",
                actor="browser without identity",
                action="browser.sign_in",
                outcome="refused",
                code=outcome.code,
                target=self._journal.safe(peer),
                facts={"reason": self._journal.safe(wrong.sentence)},
            )
            await self._journal.append(tx, draft)
            return outcome, wait

        outcome, wait = await self._store.write(written)
        if wait:
            if len(self._silent_until) >= REMEMBERED:
                self._silent_until.clear()
            self._silent_until[peer] = started + wait
        return outcome


def _too_many(wait: int) -> TooFast:
    seconds = max(1, -(-wait // SECOND))
    return TooFast("too many failed sign-ins", f"try again in {seconds} s", retry_after=seconds)
