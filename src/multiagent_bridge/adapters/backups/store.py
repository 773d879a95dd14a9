"""Backups in folders: prepared under a name of their own, then given theirs, and the oldest removed."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multiagent_bridge.adapters.backups.scratch import Turn
from multiagent_bridge.adapters.state import opened
from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.backups import FORMAT, Backup, Manifest
from multiagent_bridge.model.instants import microseconds_to_iso

if TYPE_CHECKING:
    from multiagent_bridge.adapters.backups.container import Wrapping

Copy = Callable[[Path], Awaitable[None]]
"""Writes a consistent copy of the store to an empty file that is there."""

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system says that has no hard links."""

_OURS = re.compile(r"bridge-\d{8}T\d{6}Z\.age")


class FolderBackups:
    """`ports.Backups` of the store that `copy` copies; `home` is the state directory, where the copy lies for a while."""

    def __init__(self, home: Path, copy: Copy, keys: Wrapping, signer: str, program: str) -> None:
        self._home = home
        self._copy = copy
        self._keys = keys
        self._signer = signer
        self._program = program
        self._mark = f".{hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:8]}.part"
        self._turn: Turn | None = None

    def name(self, folder: str, now: int) -> str:
        stamp = re.sub(r"[-:]|\.\d+", "", microseconds_to_iso(now))
        return str(Path(folder).expanduser() / f"bridge-{stamp}.age")

    async def prepare(self, path: str, recipients: Sequence[str], now: int) -> Backup:
        from multiagent_bridge.adapters.backups import container
        from multiagent_bridge.adapters.backups.copies import sound

        given, target = [container.recipient(text) for text in recipients], Path(path).expanduser().absolute()
        if os.path.lexists(target):
            raise Conflict("there is a file of that name", "name another one: nothing is ever overwritten")
        turn = Turn(self._home)
        try:
            with turn.scratch() as folder:
                plain = folder / "bridge.db"
                os.close(opened(plain, os.O_RDWR | os.O_CREAT | os.O_EXCL))
                await self._copy(plain)
                head = await sound(plain)
                size, digest = await asyncio.to_thread(container.summed, plain)
                manifest = Manifest(FORMAT, now, self._program, self._signer, head.size, head.last, size, digest)
                await asyncio.to_thread(self._write, plain, target, manifest, given)
                size, digest = await asyncio.to_thread(container.summed, self._draft(target))
        except BaseException as error:
            self._draft(target).unlink(missing_ok=True)
            turn.end()
            if isinstance(error, OSError):
                raise _failed(error) from error
            raise
        self._turn = turn
        return Backup(str(target), size, digest, manifest)

    async def publish(self, backup: Backup) -> None:
        target = Path(backup.path)
        try:
            _named(self._draft(target), target)
            _synced(target.parent)
        except OSError as error:
            raise _failed(error) from error
        self._end_turn()

    async def discard(self, backup: Backup) -> None:
        self._draft(Path(backup.path)).unlink(missing_ok=True)
        self._end_turn()

    async def list(self, folder: str) -> Sequence[str]:
        from multiagent_bridge.adapters.backups import container

        try:
            found = sorted(Path(folder).expanduser().iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed(error) from error
        named = [path for path in found if _OURS.fullmatch(path.name)]
        return [str(path) for path in named if not container.of_another(path, self._keys)]

    async def remove(self, path: str) -> None:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from error

    def _write(self, plain: Path, target: Path, manifest: Manifest, recipients: Sequence[object]) -> None:
        from multiagent_bridge.adapters.backups import container

        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # what killed ones left of this state directory, whose turn is ours alone
        for left in target.parent.glob(f".bridge-*.age{self._mark}"):
            left.unlink(missing_ok=True)
        draft = self._draft(target)
        draft.unlink(missing_ok=True)
        handle = opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(handle, "wb") as out:
            container.write(out, plain, manifest, self._keys, recipients)
            out.flush()
            os.fsync(out.fileno())

    def _draft(self, target: Path) -> Path:
        """The file until it has its name; no other state directory calls its own so."""
        return target.with_name(f".{target.name}{self._mark}")

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()


def _named(draft: Path, target: Path) -> None:
    """Give the draft its name unless it is taken. Raises OSError."""
    try:
        # a link fails where a rename would overwrite
        os.link(draft, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # a stick, or a share of another system: the name is taken first, then what it stands for is put there
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        draft.replace(target)
    else:
        draft.unlink()


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(error: OSError) -> Unavailable | Conflict:
    if error.errno == errno.EEXIST:
        return Conflict("there is a file of that name", "name another one: nothing is ever overwritten")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable("the disk is full", "free some space, then repeat the command")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Unavailable("the backup cannot be written there", "name a folder that this user may write to")
    return Unavailable(f"the backup failed: {(error.strerror or 'unknown').lower()}", "look at its folder and the disk")
