"""Where a pane stands in its rows: which one is pointed at, and which is the first on screen. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Window:
    """`key` names the row that is pointed at, so that it stays the same row when others come and go.

    `tail`: it stays at the last row until somebody moves away from it.
    """

    tail: bool = False
    at: int = 0
    top: int = 0
    key: str = ""
    follows: bool = True

    def settle(self, keys: Sequence[str], height: int) -> None:
        """The rows are now these, `height` of them on screen."""
        last = max(0, len(keys) - 1)
        if self.tail and self.follows:
            self.at = last
        elif self.key and (not self.at < len(keys) or keys[self.at] != self.key):
            self.at = keys.index(self.key) if self.key in keys else min(self.at, last)
        self.at = min(self.at, last)
        self.key = keys[self.at] if keys else ""
        self._scroll(len(keys), height)

    def move(self, by: int, keys: Sequence[str], height: int) -> None:
        """Point `by` rows further down, as far as there are any."""
        self.at = max(0, min(self.at + by, len(keys) - 1))
        self.key = keys[self.at] if keys else ""
        self.follows = self.at >= len(keys) - 1
        self._scroll(len(keys), height)

    def _scroll(self, count: int, height: int) -> None:
        height = max(1, height)
        self.top = max(0, min(self.top, count - height, self.at))
        if self.at >= self.top + height:
            self.top = self.at - height + 1
