"""A clock that a test moves."""

from __future__ import annotations

from multiagent_bridge.model.limits import SECOND

START = 1_790_000_000 * SECOND
"""An arbitrary instant in 2026."""


class FakeClock:
    """Stands still until told. `now` may be set back, as a real clock may; `monotonic` only ever goes on."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        self._monotonic = 0
        self._booted = 0
        self._boot = 1

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._monotonic

    def boot(self) -> str:
        return f"boot-{self._boot}"

    def boottime(self) -> int:
        return self._monotonic - self._booted

    def reboot(self) -> None:
        """The machine starts again: another boot, its time from zero. The wall clock stands where it stood."""
        self._boot += 1
        self._booted = self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += int(seconds * SECOND)
        self._monotonic += int(seconds * SECOND)

    def jump(self, seconds: float) -> None:
        """Set the wall clock, forwards or back; no time passes."""
        self._now += int(seconds * SECOND)
