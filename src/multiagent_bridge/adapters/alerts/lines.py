"""Notices as lines: JSON at the end of a file, or words for a person."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

from multiagent_bridge.adapters.alerts.delivery import Notice
from multiagent_bridge.adapters.state import opened
from multiagent_bridge.errors import Unavailable


class Printed:
    """Hands each notice to `write`: a line for a person on standard error, or JSON on standard output."""

    def __init__(self, name: str, write: Callable[[Notice], None]) -> None:
        self.name = name
        self._write = write

    async def deliver(self, notice: Notice) -> None:
        try:
            self._write(notice)
        except OSError as error:
            raise Unavailable(
                f"{self.name}: {(error.strerror or 'it is closed').lower()}", "give it a reader"
            ) from error


class JsonLines:
    """Appends one line of JSON a notice to a file of ours, 0600, never through a link; whole lines, whoever else writes."""

    name = "json"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def deliver(self, notice: Notice) -> None:
        line = json.dumps(notice, separators=(",", ":")).encode("ascii") + b"\n"
        await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        # opened for each line, so that a file that is moved away is followed by a new one
        handle = opened(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before = os.fstat(handle).st_size
            if os.write(handle, line) != len(line):
                os.ftruncate(handle, before)
                raise Unavailable(f"{self._path} has no room for the line", "free some space")
        except OSError as error:
            raise Unavailable(f"{self._path}: {(error.strerror or str(error)).lower()}", "free some space") from error
        finally:
            os.close(handle)


def sentence(notice: Notice) -> str:
    """An alert as one line for a person."""
    line = (
        f"{notice['at']} {notice['kind']}: {notice['conversation_id']} session {notice['session_id']} "
        f"({notice['role']}), {notice['silent_seconds']} s, status {notice['status']}, unread {notice['unread']}"
    )
    tasks = notice["tasks"]
    if isinstance(tasks, list):
        for task in tasks:
            line += f"; task {task['task_id']} ({task['priority']}) " + (f"to {task['to']}" if task["to"] else "held")
    return line
