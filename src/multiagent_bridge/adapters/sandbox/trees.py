"""One launched program and all that it starts: waited for without blocking, killed to the last."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress

from multiagent_bridge.adapters.sandbox.backends import Launch
from multiagent_bridge.errors import Unavailable

POLL = 0.01
"""Seconds between two looks where the system has no descriptors for processes."""
PATIENCE = 10.0
"""Seconds within which a killed tree must be gone."""


class Tree:
    """A started launch. Make it in the thread of the event loop: some sandboxes die with the thread that started them."""

    def __init__(self, launch: Launch, stdin: int, stdout: int, stderr: int) -> None:
        """Raises Unavailable when it cannot be started."""
        self.launch = launch
        uid, gid = launch.user or (None, None)
        try:
            self._leader = subprocess.Popen(
                launch.argv,
                env=launch.environment,
                cwd=launch.cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=launch.inherit,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if gid is None else [],
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise Unavailable(f"a program could not be started: {error}", "mab doctor") from error
        finally:
            for fd in launch.inherit:
                os.close(fd)

    def strike(self) -> None:
        """Kill the group, now. The group is not yet waited for, so its number is still its own."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader.pid, signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for the leader, kill what it left behind. Returns its status, 128 + N for signal N. Raises Unavailable."""
        await _exit(self._leader.pid)
        # its number is ours until it has been waited for, so that this reaches no stranger
        self.strike()
        status = self._leader.wait()
        async with asyncio.timeout(PATIENCE):
            # beyond that something stands in the kernel: an error, never an answer as if it were dead
            await self.launch.kill()
        return status if status >= 0 else 128 - status


async def _exit(leader: int) -> None:
    """Until that child has ended, which is left to be waited for."""
    try:
        fd = os.pidfd_open(leader)
    except (AttributeError, OSError):
        while not _has_ended(leader):
            await asyncio.sleep(POLL)
        return
    try:
        await readable(fd)
    finally:
        os.close(fd)


def _has_ended(leader: int) -> bool:
    return os.waitid(os.P_PID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


async def readable(fd: int) -> None:
    """Until there is something to read at `fd`, or, for a descriptor of a process, until it has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
