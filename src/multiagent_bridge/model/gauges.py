"""Gauges: how the hub and its store stand at one moment, as counts alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One look. No id, name or word that anybody chose is in it.

    `entries` are those of the journal, `unsigned` those behind its last checkpoint. `approvals` are commands that wait for
    a person, `longest` how long the oldest of them has waited, in seconds. `silences` are sessions that the watchdog
    reported and nobody has heard from since. `transactions` were handed to the store and have not ended; `agents` are
    connected to this hub. All others are of the store, the same from every hub that shares it.
    """

    conversations: int = 0
    tasks: int = 0
    approvals: int = 0
    longest: float = 0.0
    silences: int = 0
    entries: int = 0
    unsigned: int = 0
    transactions: int = 0
    agents: int = 0
