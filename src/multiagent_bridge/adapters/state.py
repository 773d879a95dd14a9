"""The state directory: ours alone, 0700, files 0600, nothing in it a link planted by somebody else (SPEC section 1)."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiagent_bridge.adapters.key_command import printed
from multiagent_bridge.adapters.keyring import kept_key
from multiagent_bridge.errors import Unavailable

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
KEY_BYTES = 32
MOST_KEYS = 8
"""More than anybody rotates through at once; a file of thousands is not a ring of keys."""


def prepared(home: Path) -> Path:
    """Create the state directory if need be and check that it is safe. Returns its real path.

    Raises Unavailable when it is a link, not a directory, not ours, open to others, or cannot be made.
    """
    try:
        home.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        found = home.lstat()
    except OSError as error:
        raise Unavailable(f"the state directory {home} cannot be used: {_reason(error)}", "set MAB_HOME") from error
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        raise Unavailable(
            f"the state directory {home} is a link or not a directory", "set MAB_HOME to a real directory"
        )
    if found.st_uid != os.geteuid():
        raise Unavailable(f"the state directory {home} belongs to another user", "set MAB_HOME to one of your own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        home.chmod(DIRECTORY_MODE)
    return home.resolve()


def opened(path: Path, flags: int) -> int:
    """Open a file of the state directory without following a link; created 0600. Raises Unavailable."""
    try:
        # a pipe planted there must not keep us waiting for its other end
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise Unavailable(
                f"{path} is a link, which nothing of ours is", "look who planted it, then remove it"
            ) from error
        raise Unavailable(f"{path} cannot be opened: {_reason(error)}", "mab doctor") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        os.close(handle)
        raise Unavailable(f"{path} is not a plain file of ours", "look who planted it, then remove it")
    return handle


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of the file at `path`; waits for it."""
    handle = opened(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def try_lock(path: Path) -> int | None:
    """Take the exclusive lock of the file at `path` for as long as the returned handle is open; None when another has it."""
    handle = opened(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def read_secret(path: Path) -> bytes | None:
    """The bytes of a secret file, None when there is none. Raises Unavailable when others may read it."""
    if not os.path.lexists(path):
        return None
    handle = opened(path, os.O_RDONLY)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) & 0o077:
            raise Unavailable(f"{path} is open to other users", f"chmod 600 {path}, then rotate what it protects")
        return os.read(handle, 4096)
    finally:
        os.close(handle)


def write_secret(path: Path, content: bytes) -> None:
    """Write a new 0600 file whole or not at all, and only where there is none; the caller holds the lock of its place.

    Raises Unavailable.
    """
    if os.path.lexists(path):
        raise Unavailable(f"{path} exists already", "nothing was overwritten")
    _put(path, content)


def _put(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    # a rename, since a link and an unlink would leave two names when we are killed in between, and two names are refused
    draft.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # what is encrypted under the key must not outlive its name
        os.fsync(directory)
    finally:
        os.close(directory)


def no_core_dumps() -> None:
    """Never leave a picture of this process's memory, keys and texts in it, on a disk."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # a core handler behind a pipe ignores 0, and takes 1 for too small
    resource.setrlimit(resource.RLIMIT_CORE, (1 if most else 0, most))


def replace_secret(path: Path, content: bytes) -> None:
    """Write a 0600 file anew, in one step: whoever is killed here leaves the old one or the new one.

    The caller holds the lock of its place. Raises Unavailable, also when what is there is no plain file of ours.
    """
    os.close(opened(path, os.O_RDONLY))
    try:
        for left in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 8}"):
            # of one who was killed: what is taken out of the file must not lie on beside it
            left.unlink()
        _put(path, content)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written anew: {_reason(error)}", "what was there is there still"
        ) from error


def master_key(home: Path, given: str | None) -> bytes:
    """The one master key where there never was another: `master_keys`. Raises what that raises."""
    return master_keys(home, given)[-1]


def master_keys(home: Path, given: str | None) -> tuple[bytes, ...]:
    """The master keys, the newest first: `given` (64 hex characters each, `file:PATH`, `keyring` or `command:LINE`), else
    master.key in the state directory, made once.

    Raises Unavailable when they cannot be had, or are missing though there is a database that needs them; Invalid.
    """
    if given == "keyring":
        with locked(home / "master.lock"):
            return ring_of(kept_key(home, fresh=not _has_history(home)).encode(), "the keyring")
    if given and given.startswith("command:"):
        return ring_of(printed(given.removeprefix("command:")), "what the command prints")
    if given and not given.startswith("file:"):
        return ring_of(given.encode(), "MAB_MASTER_KEY")
    path = key_file(home, given)
    with locked(home / "master.lock"):
        content = read_secret(path)
        if content is None and given:
            raise Unavailable(f"the master key file {path} is missing", "restore it: nothing can be read without it")
        if content is None and _has_history(home):
            raise Unavailable(
                "the database is there but its master.key is missing",
                f"restore {path}: nothing can be read without it; or move bridge.db away to start anew",
            )
        if content is None:
            content = secrets.token_hex(32).encode() + b"\n"
            write_secret(path, content)
    return ring_of(content, str(path))


def key_file(home: Path, given: str | None) -> Path:
    """Where the master keys lie when they lie in a file."""
    return Path(given.removeprefix("file:")) if given else home / "master.key"


def _has_history(home: Path) -> bool:
    database = home / "bridge.db"
    return database.exists() and database.stat().st_size > 0


def ring_of(content: bytes, source: str) -> tuple[bytes, ...]:
    """The keys of a text, with spaces, newlines or commas between them, the newest first. Raises Unavailable."""
    try:
        keys = tuple(bytes.fromhex(word) for word in content.decode("ascii").replace(",", " ").split())
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(len(keys))
    except ValueError as error:
        raise Unavailable(f"the master key in {source} is not 64 hex characters", "restore it from a backup") from error
    if len(keys) > MOST_KEYS or len(set(keys)) < len(keys):
        raise Unavailable(
            f"there are too many master keys in {source}, or one twice",
            f"at most {MOST_KEYS}, each once, the newest first",
        )
    return keys


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
