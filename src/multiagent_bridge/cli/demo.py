"""`mab demo`: the whole story in seconds, with real clients and a real hub. A step shows only what it has asserted."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.demo_teller import Teller
from multiagent_bridge.errors import BridgeError

PAUSE_SECONDS = 0.3
"""Between two steps on a terminal, so that a person can follow."""

_UV_CACHE = re.compile(r"/(archive|builds|environments)-v\d+/")
"""Where uv keeps what uvx runs: emptied any time, so no place to call a program from."""


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


async def _told(teller: Teller) -> int:
    """The story on its stage, which is cleared however it ends. Returns the exit status."""
    from multiagent_bridge.cli.demo_stage import Stage
    from multiagent_bridge.cli.demo_story import tell

    task = asyncio.current_task()
    assert task is not None
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _ender(task, ended, number))
    try:
        async with Stage() as stage:
            await tell(teller, stage)
    except asyncio.CancelledError:
        if not ended:
            raise
        return 128 + ended[0]
    except BrokenPipeError:
        raise
    except Exception as failed:
        _explain(teller, failed)
        return BridgeError.exit_status
    return 0


def _ender(task: asyncio.Task[object], ended: list[int], number: int) -> Callable[[], None]:
    def end() -> None:
        ended.append(number)
        task.cancel()

    return end


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
    if shutil.which("mab"):
        return "mab init"
    program = sys.argv[0]
    if Path(program).stem in ("mab", "mcp-multiagent-bridge") and not _UV_CACHE.search(program):
        return f"{shlex.quote(program)} init"
    return "uvx mcp-multiagent-bridge init"
