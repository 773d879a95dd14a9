"""Health: how a hub, its store and its backups stand, as numbers and our own words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement. `mend` is a command or an act that mends what is found; never a path, a secret or a name of the machine."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """The store: `name` and version of what keeps it, its size in bytes, and of its log where it has a file of its own."""

    name: str
    version: str
    size: int
    log: int | None = None


@dataclass(frozen=True, slots=True)
class Copies:
    """Backups that the hub makes by itself: how many there are, and when the newest was made (microseconds, None without).

    `every_seconds` is 0 when it was told to make none.
    """

    every_seconds: int = 0
    number: int = 0
    newest_at: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the calls since the hub began add up to. `calls` counts by tool and outcome; `waiting` are those whose agent waits.

    `quick` counts the calls that waited for nobody by how long they took: at most `bounds` seconds each, the last over all.
    """

    calls: Mapping[tuple[str, str], int]
    waiting: int
    bounds: Sequence[float]
    quick: Sequence[int]

    def total(self) -> int:
        return sum(self.calls.values())

    def refused(self) -> int:
        """Those that came to an error."""
        return sum(count for (_, outcome), count in self.calls.items() if outcome not in ("done", "cancelled"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment. `calls`, `refused` and `p95` are of the time since the sample before; `p95` (seconds) is None without calls."""

    at: int
    calls: int
    refused: int
    p95: float | None
    transactions: int
    waiting: int
    approvals: int


def quantile(counts: Sequence[int], bounds: Sequence[float], share: float) -> float | None:
    """The bound under which `share` of what was counted lies; the last bound for what lies above all, None for nothing."""
    total, seen = sum(counts), 0
    for place, count in enumerate(counts):
        seen += count
        if total and seen >= share * total:
            return bounds[min(place, len(bounds) - 1)]
    return None
