"""What bubblewrap says of the sandbox it made, and the end of everything in it."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from multiagent_bridge.adapters.sandbox.memory import held, stored
from multiagent_bridge.adapters.sandbox.trees import readable
from multiagent_bridge.errors import Unavailable

_CHILD = re.compile(rb'"child-pid": (\d+)')
_EXIT = re.compile(rb'"exit-code": \d+')
_MESSAGE = re.compile(rb"^bwrap: (.+)$", re.MULTILINE)
_HINTS = (
    (
        "setting up uid map",
        "allow user namespaces to bwrap: an AppArmor profile with `userns,` (Ubuntu 23.10 and later)",
    ),
    ("RTM_NEWADDR", "allow user namespaces to bwrap: an AppArmor profile with `userns,` (Ubuntu 23.10 and later)"),
    ("new namespace", "allow user namespaces: sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces"),
    ("mount proc", "a container that hides /proc cannot hold another: run the bridge outside of it"),
    ("Permission denied", "the user that commands run as must be able to enter the workspace"),
)


class Status:
    """The read end of the pipe that bubblewrap writes to, and the first program of its namespace."""

    def __init__(self, fd: int, limit: int, folders: tuple[tuple[str, int], ...]) -> None:
        """`limit` is the number of bytes above which memory is counted precisely, `folders` are file
        systems in memory (place, size)."""
        self._fd = fd
        self._limit, self._folders = limit, folders
        self._said = b""
        self._init = 0
        self._handle = -1
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            said = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        if not said:
            asyncio.get_running_loop().remove_reader(self._fd)
        self._said += said
        child = _CHILD.search(self._said)
        if child and not self._init:
            self._init = int(child[1])
            self._handle = _opened(self._init)

    async def dead(self) -> None:
        """Wait until nothing of the sandbox is left: bubblewrap has ended, which kills the namespace it made."""
        self._read()
        try:
            if self._handle >= 0:
                # the first program of a namespace ends after all others of it
                await readable(self._handle)
        finally:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            if self._handle >= 0:
                os.close(self._handle)
            self._init, self._handle = 0, -1

    def verdict(self, status: int, said: bytes) -> int:
        """The program's status. Raises Unavailable when bubblewrap did not come to run it."""
        if _EXIT.search(self._said) or status > 128:
            return status
        messages = _MESSAGE.findall(said)
        reason = messages[-1].decode(errors="replace") if messages else f"bubblewrap ended with {status}"
        hint = next((hint for part, hint in _HINTS if part in reason), "mab doctor")
        raise Unavailable(f"the sandbox could not be built: {reason}", hint)

    def resident(self) -> int:
        """Bytes that its programs hold, and what they wrote to file systems in memory."""
        if not self._init:
            return 0
        return held(self._init, self._limit) + stored(self._init, self._folders)


def _opened(pid: int) -> int:
    """A handle of the first program of a namespace; -1 when it has ended, and its number is free or a stranger's."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return -1
    try:
        numbers = re.search(r"^NSpid:\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        if numbers and numbers[1].split()[-1] == "1" and len(numbers[1].split()) > 1:
            return handle
    except OSError:
        # it has ended between the two looks
        pass
    os.close(handle)
    return -1
