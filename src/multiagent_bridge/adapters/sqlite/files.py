"""The database's files: made private, never followed through a link, noticed when they change while they are in use.

The database file itself is never opened here once it exists: closing a second descriptor of it would drop the POSIX
locks that SQLite holds for the whole process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from multiagent_bridge.errors import Unavailable

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_SUFFIXES = ("", "-wal", "-shm", "-journal", "-lock")

Identity = tuple[int, int]
"""Device and inode: what a path must keep meaning while it is in use."""


class DatabaseFiles:
    """The database at `path` with its log, index and lock files beside it."""

    def __init__(self, path: Path) -> None:
        # only the directory is resolved: a link in the database's own place is refused, not followed
        self.path = path.parent.resolve() / path.name
        self.log = self._beside("-wal")
        self.lock = self._beside("-lock")

    def prepare_directory(self) -> None:
        """Make the directory (0700) or check that it is ours alone. Raises Unavailable."""
        directory = self.path.parent
        try:
            if not directory.exists():
                directory.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
                directory.chmod(_PRIVATE_DIRECTORY)
            found = directory.lstat()
        except OSError as error:
            raise _failed("the state directory cannot be made", error) from error
        if not stat.S_ISDIR(found.st_mode):
            raise Unavailable("the state directory is not a directory", "name another one: MAB_HOME")
        if found.st_uid != os.geteuid():
            raise Unavailable("the state directory belongs to another user", "name one of your own: MAB_HOME")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise Unavailable(
                "the state directory is open to other users",
                f"close it: chmod 700 {directory}",
                mode=oct(found.st_mode),
            )

    def refuse_planted(self) -> None:
        """Raises Unavailable when a link, a foreign file or a device lies where a file of the database belongs."""
        for suffix in _SUFFIXES:
            place = self._beside(suffix)
            try:
                found = place.lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _failed("the database cannot be opened", error) from error
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise Unavailable(
                    f"{place.name} in the state directory is not a plain file of this user",
                    "somebody put it there: look at it, then remove it",
                )
            if stat.S_IMODE(found.st_mode) & 0o077:
                # by name: a descriptor opened and closed here would drop SQLite's locks
                place.chmod(_PRIVATE_FILE, follow_symlinks=os.chmod not in os.supports_follow_symlinks)

    def create(self) -> None:
        """Make the empty database file, 0600 whatever the umask, unless there is one."""
        try:
            made = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE_FILE)
        except FileExistsError:
            return
        except OSError as error:
            raise _failed("the database cannot be created", error) from error
        try:
            os.fchmod(made, _PRIVATE_FILE)
        finally:
            os.close(made)

    def identity(self, place: Path) -> Identity | None:
        """What lies at `place` now, None when nothing does."""
        try:
            found = os.stat(place, follow_symlinks=False)  # noqa: PTH116 (half the cost, and once a batch)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def reserve_log(self, size: int) -> None:
        """Fill the log with zeros up to `size` bytes. Call it while holding SQLite's own write lock.

        A sync of a log that grows costs more than one of a log that is overwritten, as the file's size must reach the disk
        too (0.5 ms traced, against 0.17 ms for an overwritten file untraced). SQLite reads a log up to the
        first frame whose checksum is wrong, so zeros at its end mean nothing.
        """
        log = os.open(self.log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            end = os.fstat(log).st_size
            while end < size:
                end += os.pwrite(log, bytes(min(size - end, 1 << 20)), end)
            os.fsync(log)
        finally:
            # SQLite keeps no POSIX lock on the log, so closing a second descriptor of it drops none
            os.close(log)

    def set_log_aside(self) -> None:
        """Move the log of a database that was replaced out of its successor's way; its index is rebuilt from a log."""
        self.log.replace(self._beside("-wal.replaced"))
        self._beside("-shm").unlink(missing_ok=True)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


class FileLock:
    """An exclusive lock between processes. Waiters sleep in the kernel and are woken in turn; a killed holder lets go.

    Opened once a process and after any fork: a forked child would share the lock instead of competing for it.
    """

    def __init__(self, files: DatabaseFiles) -> None:
        self._files = files
        self._descriptor = -1
        self._opened: Identity | None = None

    def acquire(self, wait: bool = True) -> bool:
        """Block until it is ours; without `wait`, return False when it is another's. Raises Unavailable when the lock file cannot
        be used.
        """
        try:
            while True:
                if self._descriptor < 0:
                    self._open()
                fcntl.flock(self._descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._files.identity(self._files.lock) == self._opened:
                    return True
                # it was deleted while we waited: others lock the new one
                self.close()
        except BlockingIOError:
            return False
        except OSError as error:
            raise _failed("the lock file of the database cannot be used", error) from error

    def release(self) -> None:
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(self._files.lock, flags, _PRIVATE_FILE)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            self.close()
            raise OSError(errno.ELOOP, "not a plain file of this user")
        os.fchmod(self._descriptor, _PRIVATE_FILE)
        self._opened = found.st_dev, found.st_ino


def _failed(sentence: str, error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("the disk is full", "free some space, then repeat the call")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Unavailable(sentence + ": no permission to write", "give this user write access to the state directory")
    if error.errno == errno.ELOOP:
        return Unavailable(sentence + ": a link is in its place", "look at it, then remove it")
    return Unavailable(sentence, "look at the state directory: mab doctor")
