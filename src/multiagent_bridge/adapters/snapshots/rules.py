"""Which paths git would ignore. It is asked in an empty folder that holds the rules alone, never in the workspace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from multiagent_bridge.adapters.snapshots.git import Git, written

NAME = ".gitignore"
LARGEST = 1 << 20
"""Bytes of a file of rules; a larger one counts as none."""


class Rules:
    """The rules of one workspace, as they are (or were). `scratch` is made anew, and removed by `close`.

    `prefix` is where the workspace lies in a larger repository, whose rules count as well.
    """

    def __init__(self, git: Git, scratch: Path, prefix: str = "", exclude: bytes = b"") -> None:
        self._git = git
        self._scratch = scratch
        self._below = f"{prefix}/" if prefix else ""
        self._any = bool(exclude)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        # the same for all that ask this repository: there is one set of rules at a time
        written(git.directory / "info" / "exclude", exclude)

    def add(self, place: str, content: bytes) -> None:
        """The content of the file of rules in the folder `place` of the workspace."""
        self.outside(self._below + place, content)

    def outside(self, place: str, content: bytes) -> None:
        """The same, of a folder of the repository that the workspace lies in."""
        folder = self._scratch / place
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written(folder / NAME, content)
        self._any = True

    def ignored(self, paths: Iterable[tuple[str, bool]]) -> set[str]:
        """Those of the (path, whether it is a folder) that the rules leave out. Raises Unavailable."""
        if not self._any:
            return set()
        # a path after ./ is only a path, whatever it begins with, and one before / is a folder without having to be there
        start = os.fsencode(f"./{self._below}")
        asked = b"".join(start + os.fsencode(path) + (b"/\0" if folder else b"\0") for path, folder in paths)
        said = self._git.run(
            f"--work-tree={self._scratch}",
            *("check-ignore", "--no-index", "--stdin", "-z"),
            sent=asked,
            fine=(0, 1),
            at=self._scratch,
        )
        return {os.fsdecode(path[len(start) :].rstrip(b"/")) for path in said.split(b"\0") if path}

    def all_ignored(self) -> bool:
        """Whether the workspace as a whole is something that the repository around it ignores."""
        return bool(self._below) and "" in self.ignored([("", False)])

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
