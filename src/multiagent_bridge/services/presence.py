"""Which connections this hub serves right now. Memory only: a connection that is gone holds nothing."""

from __future__ import annotations

from collections import Counter


class Presence:
    """Counts live connections by agent key, so that two of one name do not read each other's mail."""

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()

    def enter(self, agent: str) -> None:
        self._live[agent] += 1

    def leave(self, agent: str) -> None:
        self._live[agent] -= 1
        if self._live[agent] <= 0:
            del self._live[agent]

    def live(self, agent: str) -> bool:
        return agent in self._live

    def __len__(self) -> int:
        return len(self._live)
