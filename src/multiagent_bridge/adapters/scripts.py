"""The content of what a plan would execute, hashed as it lies in the workspace: an approval holds for that and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from multiagent_bridge.adapters import steering
from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.adapters.folders import CHUNK, Folder, below, real_path, shown
from multiagent_bridge.errors import Refused
from multiagent_bridge.model.commands import Step

ABSENT = "absent"
"""The digest of a file that is named but not there: when it appears, the list changes."""

MOST = 2_000
"""Files of one plan."""
LARGEST = 1 << 30
"""Bytes of one file."""
REQUIREMENTS = 1 << 20
"""Bytes of a requirements file that is read for the files it names."""

_LANGUAGES = "sh|bash|py|pyw|js|mjs|cjs|ts|mts|cts|rb|pl|php|lua|mk|awk|sed|jl|R|go|rs|c"
_PROGRAM = re.compile(rf".*\.(?:{_LANGUAGES})", re.DOTALL)


def runnable(path: str, mode: int, content: bytes) -> bool:
    """Whether a file looks like something that is run: by its permission, its first line or its ending."""
    return bool(mode & 0o111) or content.startswith(b"#!") or _PROGRAM.fullmatch(path) is not None


class Scripts:
    """The files of one plan in one workspace."""

    def __init__(self, folder: Folder, watch: Watch) -> None:
        self._folder = folder
        self._watch = watch
        self._found: dict[str, str] = {}

    def of(self, steps: Sequence[Step]) -> Sequence[tuple[str, str]]:
        """(path, SHA-256) by path. Raises Refused for a script that is no plain file of the workspace, or far too much of it."""
        wanted = steering.wanted(steps, self._folder.workspace.path)
        for pattern in wanted.patterns:
            wanted.named |= steering.expanded(pattern, self._names)
        for path in wanted.named:
            self._add(path, named=True)
        self._required(wanted.requirements)
        for path in wanted.usual:
            self._add(path)
        for path in wanted.words:
            if self._runnable(path):
                self._add(path)
        for place in wanted.folders:
            for name in self._names(place):
                if not name.endswith(".sample"):
                    self._add(f"{place}/{name}")
        return sorted(self._found.items())

    def _add(self, path: str, named: bool = False) -> None:
        """Hash what lies there; a folder, and what leads nowhere, is of no interest unless it was asked for by name."""
        if path in self._found or (not named and path.startswith(("..", "/"))):
            return
        if len(self._found) >= MOST:
            raise Refused(f"the command would run more than {MOST:,} files", "name them one by one")
        digest = self._digest(path)
        if digest is not None:
            self._found[path] = digest
        elif named and not self._is_folder(path):
            self._found[path] = ABSENT

    def _digest(self, path: str) -> str | None:
        """None when nothing lies there, or a folder."""
        inner = self._inside(path)
        if inner is None or self._is_folder(inner):
            return None
        found = hashlib.sha256()
        try:
            handle = self._folder.file(inner)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{shown(path)} is no plain file that can be read", "a script is one") from error
        try:
            if os.fstat(handle).st_size > LARGEST:
                raise Refused(f"{shown(path)} is larger than {LARGEST >> 20:,} MiB", "no script is that large")
            while piece := os.read(handle, CHUNK):
                found.update(piece)
                self._watch.check()
        finally:
            os.close(handle)
        return found.hexdigest()

    def _inside(self, path: str) -> str | None:
        """The path with links resolved, None when nothing lies there. Raises Refused when it leads out of the workspace."""
        root = self._folder.workspace.path
        try:
            real = path if path.startswith(("..", "/")) else real_path(f"{root}/{path}")
        except (OSError, ValueError):
            return None
        if not below(real, root):
            raise Refused(f"{shown(path)} leads out of the workspace", "put the file itself into the workspace")
        return os.path.relpath(real, root) if real != root else ""

    def _is_folder(self, path: str) -> bool:
        return Path(self._folder.workspace.path, path).is_dir()

    def _runnable(self, path: str) -> bool:
        """Whether a word of a shell line names something that it may be meant to run."""
        try:
            inner = self._inside(path)
            if not inner or self._is_folder(inner):
                return False
            handle = self._folder.file(inner)
        except (OSError, Refused):
            # what is no plain file in here is nothing that a sandbox would find either
            return False
        try:
            return runnable(path, os.fstat(handle).st_mode, os.read(handle, 2))
        finally:
            os.close(handle)

    def _required(self, paths: set[str]) -> None:
        """What requirements files name in turn."""
        seen: set[str] = set()
        while paths := paths - seen:
            path = min(paths)
            seen.add(path)
            if path.startswith(("..", "/")) or self._found.get(path, ABSENT) == ABSENT:
                continue
            handle = self._folder.file(self._inside(path) or path)
            with os.fdopen(handle, "rb") as file:
                more = steering.nested(file.read(REQUIREMENTS).decode("utf-8", "replace"), path)
            for name in more:
                self._add(name, named=True)
            paths |= more

    def _names(self, place: str) -> Sequence[str]:
        try:
            return sorted(os.listdir(self._folder.at(place)))
        except OSError:
            return ()
