"""Folders that laws and tests plant files in, swap and lose: real ones, and what both kinds have in common."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Ground(Protocol):
    """Where workspaces lie. Names are below a folder, with `/` between their parts."""

    def folder(self) -> str:
        """The path of a new, empty folder that may be a workspace."""
        ...

    def plant(self, path: str, name: str, content: bytes = b"", mode: int = 0o644) -> None:
        """Write the file `name` in the folder, with the folders on the way."""

    def drop(self, path: str, name: str) -> None:
        """Delete the file `name`, and the folders on the way that are empty then."""

    def swap(self, path: str) -> None:
        """Another folder, empty, lies there now."""

    def lose(self, path: str) -> None:
        """The folder is gone."""

    def tree(self, path: str) -> Mapping[str, tuple[int, bytes]]:
        """Each file of the folder: mode (permission bits) and content."""
        ...


class DiskGround:
    """Real folders below `base`, which is ours alone."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._numbers = itertools.count(1)

    def folder(self) -> str:
        made = self._base / f"work-{next(self._numbers)}"
        made.mkdir(mode=0o755)
        return str(made)

    def plant(self, path: str, name: str, content: bytes = b"", mode: int = 0o644) -> None:
        file = Path(path, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)

    def drop(self, path: str, name: str) -> None:
        file = Path(path, name)
        file.unlink()
        while file.parent != Path(path) and not any(file.parent.iterdir()):
            file = file.parent
            file.rmdir()

    def swap(self, path: str) -> None:
        # the old one stays while the new one is made: they must not get the same inode
        aside = f"{path}-{next(self._numbers)}.aside"
        if Path(path).exists():
            Path(path).rename(aside)
        Path(path).mkdir(mode=0o755)

    def lose(self, path: str) -> None:
        shutil.rmtree(path)

    def tree(self, path: str) -> Mapping[str, tuple[int, bytes]]:
        found = {}
        for place, _, names in os.walk(path):
            for name in names:
                file = Path(place, name)
                status = file.lstat()
                if stat.S_ISREG(status.st_mode):
                    found[str(file.relative_to(path))] = stat.S_IMODE(status.st_mode), file.read_bytes()
        return found
