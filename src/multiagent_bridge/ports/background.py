"""Work that goes on after its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Background(Protocol):
    """Work that goes on when whoever asked for it has gone."""

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work`; closing the hub cancels it and waits for it. `work` answers for its own errors."""
