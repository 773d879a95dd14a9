"""A terminal at which the run plays the person: it reads what is asked and types the answer."""

from __future__ import annotations

import asyncio
import os
import pty
import re
from collections.abc import Callable
from contextlib import suppress

from multiagent_bridge.validation.stage import MAB, Stage

PROMPT = "> "
CODE = re.compile(r"[Tt]ype the code ([a-z0-9-]+)")
PHRASE = re.compile(r"Type (I [A-Z ]+) to go on")

Answer = Callable[[str], str]


async def typed(stage: Stage, words: list[str], answer: Answer, seconds: float = 60.0) -> tuple[int, str]:
    """Run a command at a pseudo terminal; `answer` is given all that was shown and returns what to type at each prompt.

    Returns the exit status and what was shown. Raises TimeoutError.
    """
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *MAB, *words, env=stage.environment(TERM="dumb"), cwd=stage.root, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(theirs)
    try:
        async with asyncio.timeout(seconds):
            shown = await _talked(ours, answer)
            return await process.wait(), shown
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(ours)


async def _talked(ours: int, answer: Answer) -> str:
    """Until the other end is closed; what was shown."""
    os.set_blocking(ours, False)
    shown, answered = "", 0
    while True:
        try:
            more = os.read(ours, 65_536)
        except BlockingIOError:
            await asyncio.sleep(0.02)
            continue
        except OSError:
            # how Linux says that the other end is closed
            return shown
        if not more:
            return shown
        shown += more.decode("utf-8", "replace").replace("\r\n", "\n")
        if shown.endswith("\n" + PROMPT) and len(shown) > answered:
            answered = len(shown)
            os.write(ours, answer(shown).encode() + b"\n")


def person(shown: str) -> str:
    """What a person types who agrees: the phrase where it is asked for, else the code that is shown."""
    return said(CODE, shown) or said(PHRASE, shown)


def said(what: re.Pattern[str], shown: str) -> str:
    """The last of these that the last question shows."""
    found = what.findall(shown[-600:])
    return str(found[-1]).strip() if found else ""
