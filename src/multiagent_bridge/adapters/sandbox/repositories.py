"""Keeping commands out of what git runs by itself: configuration and hooks, by every way round them (notes/guard section 5).

`.git` becomes a mount point, so that it cannot be moved away, and what steers git lies read-only in it. What is not there is
made first (a missing file cannot be mounted) and removed afterwards, by way of the ledger.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from multiagent_bridge.adapters.sandbox.ledger import Ledger
from multiagent_bridge.adapters.sandbox.protection import READ_ONLY, WRITABLE, Found, Mount
from multiagent_bridge.errors import Unavailable

_FILES = {"config": b"", "config.worktree": b"", "commondir": b".\n"}
"""What steers git in its folder, and what to put where it is missing: without effect on git, inside and outside."""
_FOLDERS = ("hooks", "modules")
_KEPT = ("worktrees",)
"""Configuration and hooks of linked worktrees: kept where they are there."""
_LINKED = {"config.worktree": b"", "commondir": b"", "gitdir": b""}
_STEERED = re.compile(r"^[ \t]*(path|hookspath)[ \t]*=[ \t]*\"?([^\"\n#;]+)", re.IGNORECASE | re.MULTILINE)
_MOST = 1 << 20
PAUSE = 0.02


class Repositories:
    """The preparations of one run in one workspace."""

    def __init__(self, root: str, folder: Path) -> None:
        """`folder` is one of the state directory, for the ledger."""
        self._root = root
        self._ledger = Ledger(folder)

    def set_up(
        self, found: Found, writable: bool, pause: Callable[[], None] = lambda: time.sleep(PAUSE)
    ) -> list[Mount]:
        """Prepare every repository; to be undone, also when this fails. `pause` waits a moment for another process, or raises.

        Raises Unavailable when a repository cannot be protected.
        """
        self._ledger.enter(pause)
        top = Path(self._root, ".git")
        linked = list(self._worktree(top, writable)) if str(top) in found.links else []
        if not writable:
            return linked
        if os.path.lexists(top) and str(top) not in (*found.links, *found.repositories):
            raise Unavailable("the .git of the workspace is a link, or no file of git", "make it a folder, or move it")
        mounts = [Mount(READ_ONLY, link) for link in found.links]
        for folder in found.repositories:
            # what lies in `modules` is read-only with it
            if not any(folder.startswith(f"{other}/modules/") for other in found.repositories):
                mounts += self._repository(folder)
        return mounts + linked

    def undo(self) -> None:
        """Remove what was made, once no other run needs it."""
        self._ledger.leave()

    def _repository(self, folder: str) -> Iterator[Mount]:
        pointed = _content(Path(folder, "commondir"))
        if pointed not in (None, b".", b".\n"):
            raise Unavailable(
                f"the repository {folder} keeps its configuration elsewhere", "look who wrote its file commondir"
            )
        names = (*_FILES, *_FOLDERS, *_KEPT)
        if any(Path(folder, name).is_symlink() for name in names) or not self._complete(folder, _FILES, _FOLDERS):
            # a link can be replaced and what is missing be made: then nothing of it is written
            yield Mount(READ_ONLY, folder)
        else:
            yield Mount(WRITABLE, folder)
            yield from (Mount(READ_ONLY, f"{folder}/{name}") for name in names if Path(folder, name).exists())
        yield from self._steered(folder)

    def _steered(self, folder: str) -> Iterator[Mount]:
        """Configuration files and hooks of the workspace that the repository's configuration names."""
        text = (_content(Path(folder, "config")) or b"").decode(errors="replace")
        for key, value in _STEERED.findall(text):
            base = folder if key.lower() == "path" else str(Path(folder).parent)
            target = os.path.realpath(Path(base, value.strip()))
            if target.startswith(self._root.rstrip("/") + "/") and os.path.lexists(target):
                yield Mount(READ_ONLY, target)

    def _worktree(self, link: Path, writable: bool) -> Iterator[Mount]:
        """The main repository of a linked worktree, if that one says so too: what stands in the workspace proves nothing."""
        said = _content(link) or b""
        own = Path(os.path.realpath(link.parent / os.fsdecode(said.removeprefix(b"gitdir:").strip())))
        main = own.parent.parent
        back = _content(own / "gitdir")
        if self._root in map(str, (own, *own.parents)) or back is None or own.parent.name != "worktrees":
            return
        parts = [main / "objects", main / "refs"]
        if (
            os.path.realpath(own / os.fsdecode(back.strip())) != str(link)
            or (_content(own / "commondir") or b"").strip() != b"../.."
            or not (main / "HEAD").is_file()
            or not all(part.is_dir() and not part.is_symlink() for part in parts)
        ):
            return
        yield Mount(READ_ONLY, str(main))
        if writable and self._complete(str(own), _LINKED, ()):
            logs = main / "logs"
            parts += [logs] if logs.is_dir() and not logs.is_symlink() else []
            yield from (Mount(WRITABLE, str(part), 1) for part in [*parts, own])
            yield from (Mount(READ_ONLY, str(own / name), 1) for name in _LINKED)

    def _complete(self, folder: str, files: Mapping[str, bytes], folders: Sequence[str]) -> bool:
        """Make what is missing in `folder`, and write it down. False when that is not possible."""
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if str(Path(f"/proc/self/fd/{handle}").readlink()) != folder:
                return False
            for name in folders:
                if not _is_there(name, handle, stat.S_ISDIR):
                    os.mkdir(name, 0o755, dir_fd=handle)
                    self._ledger.note(f"{folder}/{name}", os.stat(name, dir_fd=handle, follow_symlinks=False))
            for name, content in files.items():
                if not _is_there(name, handle, stat.S_ISREG):
                    new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=handle)
                    self._ledger.note(f"{folder}/{name}", os.fstat(new))
                    os.write(new, content)
                    os.close(new)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True


def _is_there(name: str, folder: int, kind: Callable[[int], bool]) -> bool:
    """Raises OSError when something of another kind has the name."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not kind(found.st_mode):
        raise FileExistsError(name)
    return True


def _content(path: Path) -> bytes | None:
    """The beginning of a plain file; None when there is none that can be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(handle, _MOST) if stat.S_ISREG(os.fstat(handle).st_mode) else None
    finally:
        os.close(handle)
