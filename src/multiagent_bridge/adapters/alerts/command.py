"""A program of the owner's choice that is run for each notice: the notice as JSON on its standard input, never a shell."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from multiagent_bridge.adapters.alerts.delivery import Notice
from multiagent_bridge.errors import Invalid, Unavailable

SECONDS = 30.0
"""Longest run of the program for one notice."""

NAMED = (
    "id", "seq", "at", "kind", "event", "action", "conversation_id", "session_id", "from", "message_id", "task_id",
    "command_id", "action_type", "status", "silent_seconds", "unread",
)  # fmt: skip
"""What stands in variables: words of ours. A role is an agent's and stands in the JSON alone."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_SECRET = re.compile(r"MAB_.*(KEY|SECRET|TOKEN|PASSWORD)")


class Command:
    """Runs `argv` once a notice; `MAB_NOTICE_*` carry its ids and numbers. Killed with all it started after `seconds`."""

    name = "exec"

    def __init__(self, argv: Sequence[str], seconds: float = SECONDS) -> None:
        """Raises Invalid for no program, or one that is not there."""
        if not argv or not argv[0]:
            raise Invalid("there is no program to run", "such as --exec '/usr/bin/notify-send silent'")
        if any("\0" in word for word in argv):
            raise Invalid("the program holds a NUL character", "leave it out")
        if shutil.which(argv[0]) is None:
            raise Invalid(
                "the program to run for a notice is not there", "give its whole path; it is run without a shell"
            )
        self._argv = list(argv)
        self._seconds = seconds

    @classmethod
    def of(cls, line: str, seconds: float = SECONDS) -> Command:
        """The program and its words as a person writes them, quotes included; nothing in them is expanded. Raises Invalid."""
        try:
            return cls(shlex.split(line), seconds)
        except ValueError as error:
            raise Invalid("the quotes of the program do not close", "quote it as for a shell") from error

    async def deliver(self, notice: Notice) -> None:
        """Run it to its end. Raises Unavailable when it cannot start, fails, or takes too long."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                env=environment(os.environ, notice),
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(
                f"the program cannot be started: {(error.strerror or '').lower()}", "run it by hand"
            ) from error
        try:
            async with asyncio.timeout(self._seconds):
                await process.communicate(json.dumps(notice).encode("ascii") + b"\n")
        except TimeoutError as error:
            raise Unavailable(f"the program took longer than {self._seconds:g} s", "it was ended") from error
        finally:
            if process.returncode is None:
                # all of its session: what it started dies with it
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise Unavailable(
                f"the program ended with {process.returncode}", "run it by hand with a notice as its input"
            )


def environment(ours: Mapping[str, str], notice: Notice) -> dict[str, str]:
    """The environment of the program: ours without what opens the store, and the plain parts of the notice."""
    kept = {
        name: value for name, value in ours.items() if not _SECRET.match(name) and not name.startswith("MAB_NOTICE_")
    }
    plain = {name: str(notice[name]) for name in NAMED if notice.get(name) is not None}
    return kept | {f"MAB_NOTICE_{name.upper()}": text for name, text in plain.items() if _PLAIN.fullmatch(text)}
