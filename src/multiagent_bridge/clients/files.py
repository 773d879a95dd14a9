"""Configuration files on disk: read once, replaced in one step, a copy kept, links followed, nothing half written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.errors import Conflict, Invalid, Refused, Unavailable

LARGEST = 64 * 1024 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was when read. `path` is what the client opens, `target` where links lead; no content: no file."""

    path: Path
    target: Path
    content: bytes | None = None
    mode: int | None = None
    owner: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The content as text; no file reads as empty. Raises Invalid when it is not UTF-8."""
        try:
            return (self.content or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid(f"{shown(self.path)} is not UTF-8 text", "save it as UTF-8 first") from None


def shown(path: Path | str) -> str:
    """A path or line that cannot steer a terminal: control characters are escaped."""
    return "".join(
        c if c.isprintable() or c == "\t" else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path)
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def look(path: Path, inside: Path | None = None) -> Snapshot:
    """`path` as it is now. With `inside`, a link that leads out of that directory is refused.

    Raises Invalid (a directory, a device, too large, a loop of links), Refused, Unavailable (not readable).
    """
    name = shown(path)
    try:
        target = Path(os.path.realpath(path))
        if inside is not None and not target.is_relative_to(os.path.realpath(inside)):
            raise Refused(f"{name} leads out of the project", "remove the link, or edit its target yourself")
        try:
            state = target.stat()
        except FileNotFoundError:
            return Snapshot(path, target)
        if stat.S_ISDIR(state.st_mode):
            raise Invalid(f"{name} is a directory", "move it away: a file belongs there")
        if not stat.S_ISREG(state.st_mode):
            raise Invalid(f"{name} is not a regular file", "move it away: a file belongs there")
        if state.st_size > LARGEST:
            raise Invalid(f"{name} is larger than 64 MiB", "that is no configuration file")
        with os.fdopen(os.open(target, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT), "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as fault:
        raise _unusable(name, fault, "read") from None
    return Snapshot(path, target, content, stat.S_IMODE(state.st_mode), (state.st_uid, state.st_gid))


def check_writable(snapshot: Snapshot) -> None:
    """Raises Unavailable or Invalid when the file could not be replaced. A read-only mark binds the superuser too."""
    name = shown(snapshot.path)
    if snapshot.mode is not None and not (snapshot.mode & 0o222 and os.access(snapshot.target, os.W_OK)):
        raise Unavailable(f"{name} is read-only", "make it writable first, or use --print")
    if snapshot.owner is not None and hasattr(os, "geteuid") and os.geteuid() not in (0, snapshot.owner[0]):
        raise Unavailable(f"{name} belongs to another user", "run mab init as that user")
    folder = snapshot.target.parent
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            raise Invalid(f"{shown(folder)} is not a directory", "move it away")
        if not (folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK | os.X_OK)):
            raise Unavailable(f"{shown(folder)} is not writable", "make it writable first, or use --print")
    except OSError as fault:
        raise _unusable(name, fault, "reached") from None


def replace(snapshot: Snapshot, content: bytes, *, private: bool = True) -> tuple[Path, ...]:
    """Put `content` where `snapshot` was read, in one rename; answers the directories it made.

    Mode and owner stay. A new file is the user's alone when `private`, else as the umask has it. Raises Conflict when
    the file is no longer what `snapshot` saw, Unavailable when the disk refuses.
    """
    made: list[Path] = []
    target = snapshot.target
    try:
        folder = target.parent
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700 if private else 0o777)
            made.append(folder)
        temporary = target.with_name(f".{target.name}.mab-{secrets.token_hex(6)}")
        fresh = 0o600 if private or snapshot.mode is not None else 0o666
        try:
            _write_new(temporary, content, fresh, snapshot)
            _unchanged(snapshot)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)
    except OSError as fault:
        _unmake(made)
        raise _unusable(shown(snapshot.path), fault, "written") from None
    return tuple(made)


def delete(snapshot: Snapshot, directories: tuple[Path, ...]) -> None:
    """Remove the file that `snapshot` saw, and those of `directories` that are empty then.

    Raises Conflict, Unavailable.
    """
    _unchanged(snapshot)
    try:
        snapshot.target.unlink(missing_ok=True)
    except OSError as fault:
        raise _unusable(shown(snapshot.path), fault, "removed") from None
    _unmake(list(directories))


def keep_copy(snapshot: Snapshot) -> Path | None:
    """A copy `NAME.mab-backup-<n>` beside the file, under the first free number; None when there is no file."""
    if snapshot.content is None:
        return None
    number = 1
    while True:
        copy = snapshot.target.with_name(f"{snapshot.target.name}.mab-backup-{number}")
        try:
            _write_new(copy, snapshot.content, 0o600, snapshot)
        except FileExistsError:
            number += 1
        except OSError as fault:
            raise _unusable(shown(copy), fault, "written") from None
        else:
            return copy


def _write_new(path: Path, content: bytes, mode: int, like: Snapshot) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if like.owner is not None and hasattr(os, "fchown") and like.owner != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, *like.owner)
            if like.mode is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, like.mode)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _unchanged(snapshot: Snapshot) -> None:
    now = look(snapshot.target)
    if now.content != snapshot.content or now.target != snapshot.target:
        raise Conflict(f"{shown(snapshot.path)} changed in the meantime", "run mab init again")


def _sync_directory(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unmake(directories: list[Path]) -> None:
    for folder in reversed(directories):
        with contextlib.suppress(OSError):  # not empty: someone else uses it
            folder.rmdir()


def _unusable(name: str, fault: OSError, done: str) -> Unavailable | Invalid:
    why = (fault.strerror or type(fault).__name__).lower()
    if isinstance(fault, NotADirectoryError):
        return Invalid(f"{name} cannot be {done}: {why}", "a file stands where a directory belongs")
    return Unavailable(f"{name} cannot be {done}: {why}", "mend that, then run mab init again")
