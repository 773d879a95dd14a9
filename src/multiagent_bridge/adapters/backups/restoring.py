"""Opening a backup and putting its database in place, everything looked at before anything is touched."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import apsw

from multiagent_bridge.adapters.backups import container
from multiagent_bridge.adapters.backups.copies import BUSY_MS, sound
from multiagent_bridge.adapters.backups.scratch import Turn
from multiagent_bridge.adapters.sqlite.files import DatabaseFiles, FileLock
from multiagent_bridge.adapters.sqlite.opening import open_writer
from multiagent_bridge.adapters.state import opened
from multiagent_bridge.errors import BridgeError, Conflict, Invalid, NotFound, Tampered, Unavailable
from multiagent_bridge.model.backups import Backup


@asynccontextmanager
async def unpacked(
    home: Path, file: Path, keys: container.Wrapping, signer: str, identity: str | None
) -> AsyncIterator[tuple[Backup, Path]]:
    """What the file is, and its database, decrypted and verified, for as long as the context.

    Raises NotFound (no file), Invalid (no backup), Refused (another bridge's), Tampered (cut short, changed, or not what it
    says), Unavailable.
    """
    turn = Turn(home)
    try:
        with turn.scratch() as folder:
            plain = folder / "bridge.db"
            backup = await asyncio.to_thread(_read, file, plain, keys, identity)
            if backup.manifest.signer != signer:
                raise Invalid(
                    "the journal in the backup is signed by another master key",
                    "put the master.key of its bridge in place first",
                )
            head = await sound(plain)
            if (head.size, head.last) != (backup.manifest.entries, backup.manifest.head):
                raise Tampered("the backup does not hold the journal that it says", "use another one")
            yield backup, plain
    finally:
        turn.end()


async def put_in_place(plain: Path, database: Path, overwrite: bool) -> None:
    """Make the file at `plain` the database, and keep the one that was there under a name of its own.

    Raises Conflict when there is one and `overwrite` was not said; Unavailable.
    """
    await asyncio.to_thread(_placed, plain, database, overwrite)


def _read(file: Path, plain: Path, keys: container.Wrapping, identity: str | None) -> Backup:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}", "name one that mab backup wrote") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Unavailable(f"the backup cannot be opened: {why}", "look at its path and who may read it") from error
    with os.fdopen(handle, "rb") as closed, os.fdopen(opened(plain, os.O_RDWR | os.O_CREAT | os.O_EXCL), "wb") as out:
        try:
            manifest = container.read(closed, out, keys, identity)
            out.flush()
            os.fsync(out.fileno())
        except OSError as error:
            raise Unavailable("the backup cannot be unpacked", "look at the disk of the state directory") from error
    size, digest = container.summed(file.resolve())
    return Backup(str(file), size, digest, manifest)


def _placed(plain: Path, database: Path, overwrite: bool) -> None:
    files = DatabaseFiles(database)
    files.prepare_directory()
    files.refuse_planted()
    kept = files.path.with_name(f"{files.path.name}.replaced-{secrets.token_hex(4)}")
    # within one file system, since the state directory may lie on another than the store
    draft = kept.with_name(f".{kept.name}")
    lock = FileLock(files)
    lock.acquire()
    try:
        # SQLite finds the log of a database by its name
        beside = {_with(files.path, suffix): _with(kept, suffix) for suffix in ("-wal", "-shm")}
        if any(path.exists() for path in (files.path, *beside)) and not overwrite:
            raise Conflict(
                "there is a store already", "say --overwrite to replace it: its file is kept beside the new one"
            )
        shutil.copyfile(plain, draft)
        draft.chmod(0o600)
        _synced(draft, os.O_RDONLY)
        if files.path.exists():
            _folded(files)
            os.link(files.path, kept)
        for path, aside in beside.items():
            if path.exists():
                # of a database that could not be folded; SQLite would replay its log into the new one
                path.rename(aside)
        # one step: whoever is killed here leaves the old store or the new one
        draft.rename(files.path)
        _synced(files.path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Unavailable(
            "the store could not be put in place", "look at its folder: what was there is kept there"
        ) from error
    finally:
        # a half one would keep a full disk full
        draft.unlink(missing_ok=True)
        lock.release()
        lock.close()


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _folded(files: DatabaseFiles) -> None:
    """Fold the log of a killed hub into its database, so that the file kept is whole; a damaged one stays as it is."""
    with suppress(BridgeError, apsw.Error):
        connection = open_writer(files, BUSY_MS, None, create=False)
        with closing(connection):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _synced(path: Path, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
