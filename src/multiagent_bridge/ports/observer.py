"""Who counts calls."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Counts the calls of tools. Never blocks, never raises, and keeps nothing that a caller chose."""

    def begun(self, tool: str, waits: bool) -> None:
        """A call began; `tool` is one of ours or `unknown`. `waits`: its caller would wait for what is not there yet."""

    def done(self, tool: str, waits: bool, outcome: str, seconds: float) -> None:
        """It ended: `outcome` is `done`, `cancelled` or the code of an error."""
