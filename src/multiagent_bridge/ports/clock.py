"""The clock: instants, and time that only goes on."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch, UTC; may jump."""
        ...

    def monotonic(self) -> int:
        """Microseconds from an arbitrary start; never jumps."""
        ...

    def boot(self) -> str:
        """The identity of this boot of the machine; empty where the system does not tell: then nothing is ever approved."""
        ...

    def boottime(self) -> int:
        """Microseconds since the boot, sleep included; never jumps."""
        ...
