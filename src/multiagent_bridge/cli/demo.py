"""`mab demo`: the whole story in seconds, with real clients and a real hub. A step shows only what it has asserted."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.errors import BridgeError

PAUSE_SECONDS = 0.3
"""Between two steps on a terminal, so that a person can follow."""


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Do not pause between the steps.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colour, ASCII only.")] = False,
) -> None:
    """Tell the whole story in seconds: two real MCP clients and a hub of their own."""
    coloured = not plain and output.coloured(sys.stdout)
    teller = Teller(coloured, 0.0 if fast or not coloured else PAUSE_SECONDS)
    status = asyncio.run(_told(teller))
    if status:
        raise typer.Exit(status)
    teller.end(_next_command())


@dataclass(slots=True)
class Teller:
    """Prints the story: numbered steps, who says what, what was checked. Everything from a client is made visible first."""

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


async def _told(teller: Teller) -> int:
    """The story on its stage, which is cleared however it ends. Returns the exit status."""
    from multiagent_bridge.cli.demo_stage import Stage
    from multiagent_bridge.cli.demo_story import tell

    task = asyncio.current_task()
    assert task is not None
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, lambda n=number: (ended.append(n), task.cancel()))
    try:
        async with Stage() as stage:
            await tell(teller, stage)
    except asyncio.CancelledError:
        if not ended:
            raise
        return 128 + ended[0]
    except Exception as failed:
        _explain(teller, failed)
        return BridgeError.exit_status
    return 0


def _explain(teller: Teller, failed: BaseException) -> None:
    """One sentence: which step failed, and on what. Groups of a task group are reduced to their first member."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    if isinstance(failed, TimeoutError):
        what = "it took too long"
    elif isinstance(failed, BridgeError):
        what = str(failed)
    else:
        what = f"{type(failed).__name__}: {failed}"
    where = f"step {teller.number} ({teller.step})" if teller.number else teller.step
    output.error(BridgeError(f"the demo stopped at {where}: {what}", "mab doctor"))


def _next_command() -> str:
    """What to type next, as it can be typed here."""
    with suppress(OSError):
        found = shutil.which("mab")
        if found is not None and os.path.realpath(found).startswith(os.path.realpath(sys.prefix)):
            return "mab init"
    beside = shutil.which("mab")
    return "mab init" if beside else "uvx mcp-multiagent-bridge init"
