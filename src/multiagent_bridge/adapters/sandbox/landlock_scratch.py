"""A home and a temporary folder that die with a room, also when this process dies first."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.workspaces import Workspace


@dataclass(frozen=True, slots=True)
class Scratch:
    home: str
    temporary: str


@asynccontextmanager
async def scratch(
    workspace: Workspace, owner: tuple[int, int] | None, links: Sequence[tuple[str, str]]
) -> AsyncIterator[Scratch]:
    """New folders that `owner` may write in; `links` are (place below the home, what it leads to). Raises Unavailable.

    What an earlier process of ours left behind for this workspace is removed first.
    """
    prefix = f"mab-{workspace.device:x}-{workspace.inode:x}-"
    try:
        folder, lock = await asyncio.to_thread(_made, prefix, owner, links)
    except OSError as error:
        raise Unavailable(
            f"no folder for temporary files can be made: {(error.strerror or str(error)).lower()}",
            "free some disk space",
        ) from error
    try:
        yield Scratch(str(folder / "home"), str(folder / "tmp"))
    finally:
        with anyio.CancelScope(shield=True):
            await asyncio.to_thread(_removed, folder)
            os.close(lock)


def _made(prefix: str, owner: tuple[int, int] | None, links: Sequence[tuple[str, str]]) -> tuple[Path, int]:
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{prefix}*"):
        _sweep(left)
    made = Path(tempfile.mkdtemp(prefix="mab-new-", dir=above))
    lock = _locked(made)
    # only now, since who sweeps must never find it without its lock
    folder = made.rename(above / f"{prefix}{made.name.removeprefix('mab-new-')}")
    try:
        for name in ("home", "tmp"):
            (folder / name).mkdir(0o700)
        for below, target in links:
            link = folder / "home" / below
            link.parent.mkdir(0o700, parents=True, exist_ok=True)
            link.symlink_to(target)
        if owner is not None:
            # the folder itself stays ours: what is in it can be entered, and only home and tmp be changed
            folder.chmod(0o711)
            for one in (folder / "home", folder / "tmp", *(folder / "home").rglob("*")):
                os.lchown(one, *owner)
    except BaseException:
        _removed(folder)
        os.close(lock)
        raise
    return folder, lock


def _locked(folder: Path) -> int:
    """The lock that says that somebody still needs the folder; commands cannot open the folder to take it. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _sweep(left: Path) -> None:
    """Remove a folder that a dead process of ours left."""
    with suppress(OSError):
        handle = _locked(left)
        try:
            if os.fstat(handle).st_uid == os.geteuid():
                _removed(left)
        finally:
            os.close(handle)


def _removed(folder: Path) -> None:
    """Programs of the system do it: they follow no link, go to any depth, and open what was closed."""
    try:
        # most commands leave nothing there, and starting a program takes longer than the look
        for empty in (folder / "home", folder / "tmp", folder):
            empty.rmdir()
        return
    except OSError:
        pass
    rm = ("/bin/rm", "-rf", "--one-file-system", "--", str(folder))
    if not _done(rm):
        _done(("/bin/chmod", "-R", "u+rwx", "--", str(folder)))
        _done(rm)


def _done(argv: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    return not subprocess.run(argv, check=False, stdin=quiet, stdout=quiet, stderr=quiet).returncode
