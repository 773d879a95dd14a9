"""The allowance of one redaction, counted in steps: this floor has no clock, and a count is the same on every machine."""

from __future__ import annotations

from multiagent_bridge.errors import Refused

# Ordinary text spends 0.02 to 0.1 steps a character; the densest adversarial text measured stays below 1.
STEPS_AT_LEAST = 60_000
STEPS_PER_CHARACTER = 2


class Budget:
    """Steps left for one text. `spend` raises `Refused` when they are used up, so that the caller withholds the text."""

    __slots__ = ("left",)

    def __init__(self, length: int, steps: int | None = None) -> None:
        self.left = max(STEPS_AT_LEAST, STEPS_PER_CHARACTER * length) if steps is None else steps

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Refused(
                "the text could not be checked for secrets in time",
                "send it in smaller parts, or attach it as a file",
            )
