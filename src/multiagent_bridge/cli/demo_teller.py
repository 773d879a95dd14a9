"""How the demo is told: numbered steps, who says what, and what was checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from multiagent_bridge.cli import output


@dataclass(slots=True)
class Teller:
    """Prints the story: numbered steps, who says what, what was checked. Every text is made visible first."""

    coloured: bool
    pause: float
    step: str = "the start"
    number: int = 0

    def title(self, facts: str) -> None:
        self._line("", "Multiagent Bridge", "bold", "because even AI agents need traffic lights")
        self._line("", facts, "dim")

    async def begin(self, step: str) -> None:
        """The next step; from here on a failure is a failure of it."""
        self.step, self.number = step, self.number + 1
        await asyncio.sleep(self.pause)
        output.written("")
        self._line(f"{self.number}  ", step, "bold")

    def says(self, who: str, text: str, *, to: bool = True) -> None:
        """A client sends (`to`) or reads."""
        arrow = ("→" if to else "←") if self.coloured else ("->" if to else "<-")
        self._line("   ", f"{who:<9}{arrow} ", "cyan", text)

    def refused(self, who: str, sentence: str) -> None:
        self._line("   ", f"{who:<9}{'✗' if self.coloured else 'x'} ", "red", sentence)

    def checked(self, fact: str) -> None:
        """What the step has asserted."""
        self._line("   ", "✓ " if self.coloured else "ok ", "green", fact)

    def runs(self, command: str, answer: str) -> None:
        self._line("   ", f"$ {command}", "bold")
        self._line("   ", "", "dim", answer)

    def end(self, command: str) -> None:
        output.written("")
        self._line("", "Nothing is left behind. Next: ", "dim", command)

    def _line(self, margin: str, text: str, style: str, rest: str = "") -> None:
        shown = output.visible(text)
        gap = "  " if rest and not text.endswith(" ") and text else ""
        painted = output.painted(shown, style) if self.coloured else shown
        output.written(f"{margin}{painted}{gap}{output.visible(rest)}".rstrip())
