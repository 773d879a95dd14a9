"""What a name means: the file that would be executed, and its digest. Never one of the workspace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.sandboxes import Program
from multiagent_bridge.model.workspaces import Workspace

MOST_KNOWN = 2000
_NAME = re.compile(r"[A-Za-z0-9_.+\[-]+")

CD = Program("cd", "", "")
"""The executor's own."""


class Programs:
    """Looks names up in `folders`, in order; a program counts only if its file, links followed, lies below one of `roots`."""

    def __init__(self, folders: Sequence[str], roots: Sequence[str]) -> None:
        self._folders = tuple(folders)
        self._roots = tuple(Path(root).resolve() for root in roots)
        self._digests: dict[tuple[str, int, int, int, int, int], str] = {}

    async def find(self, workspace: Workspace, names: Sequence[str]) -> tuple[Program, ...]:
        """One for each name. Raises NotFound naming the one that is not there."""
        return await asyncio.to_thread(lambda: tuple(self._found(Path(workspace.path), name) for name in names))

    async def verify(self, workspace: Workspace, programs: Sequence[Program]) -> None:
        """Raises Conflict when a name means something else by now, NotFound when nothing."""
        now = await self.find(workspace, [program.name for program in programs])
        for was, program in zip(programs, now, strict=True):
            if was != program:
                raise Conflict(
                    f"the program {was.name} is no longer the one that was named", "ask for the command again"
                )

    def _found(self, workspace: Path, name: str) -> Program:
        if name == "cd":
            return CD
        if _NAME.fullmatch(name):
            for folder in self._folders:
                path = Path(folder, name)
                try:
                    digest = self._digest(path, workspace)
                except OSError:
                    continue
                if digest:
                    return Program(name, str(path), digest)
        raise NotFound(f"there is no program {name} in the sandbox", "look for it in " + ":".join(self._folders))

    def _digest(self, path: Path, workspace: Path) -> str:
        """SHA-256 of the file; empty when it is none that may be executed. Raises OSError."""
        real = path.resolve(strict=True)
        if workspace in (real, *real.parents) or not any(root in real.parents for root in self._roots):
            return ""
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            seen = os.fstat(handle)
            if not stat.S_ISREG(seen.st_mode) or not seen.st_mode & 0o111:
                return ""
            key = (str(real), seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
            if key not in self._digests:
                if len(self._digests) >= MOST_KNOWN:
                    self._digests.clear()
                self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._digests[key]
