"""A workspace held open: what lies below is reached from there one name at a time, never through a link.

As root, a workspace of another user is looked at and changed with that user's powers: whoever works in it could otherwise have
root read, or write, what he may not.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.workspaces import Workspace

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe opened by mistake must not keep us waiting for its other end."""
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DRAFT = ".mab-draft-"
"""What a file is called until all of it is there."""
CHUNK = 1 << 20
NOBODY = 65534

GONE = Conflict("the workspace is gone, or another folder lies there now", "a person enables commands for it again")


class Folder:
    """Paths are relative, with `/` between names; "" is the workspace itself. Not for several threads at once."""

    def __init__(self, workspace: Workspace, handle: int) -> None:
        self.workspace = workspace
        self.handle = handle
        self.owner = os.fstat(handle).st_uid
        self._last = ("", handle)

    @classmethod
    @contextmanager
    def opened(cls, workspace: Workspace) -> Iterator[Folder]:
        """Raises Conflict when the folder is gone or is another one."""
        handle = _found(workspace)
        folder = cls(workspace, handle)
        try:
            yield folder
        finally:
            folder.forget()
            os.close(handle)

    def still_there(self) -> None:
        """Raises Conflict when its path no longer leads to it."""
        os.close(_found(self.workspace))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """With the powers of its owner."""
        with _powers_of(self.owner):
            yield

    @contextmanager
    def changing(self, path: str) -> Iterator[int]:
        """The handle of the folder `path`, with the powers of its owner (of the workspace's, where that is root)."""
        with self.reading():
            handle = self.at(path)
        found = os.fstat(handle).st_uid
        with _powers_of(found if found and self.owner else self.owner):
            yield handle

    def at(self, path: str) -> int:
        """The handle of the folder `path`, good until the next call. Raises OSError when it is none, or a link on the way."""
        last, handle = self._last
        if path == last:
            return handle
        self.forget()
        handle = self.handle
        for name in path.split("/") if path else ():
            try:
                deeper = os.open(name, FOLDER, dir_fd=handle)
            finally:
                if handle != self.handle:
                    os.close(handle)
            handle = deeper
        self._last = (path, handle)
        return handle

    def file(self, path: str) -> int:
        """Open a plain file for reading; the caller closes it. Raises OSError, also for what is no plain file."""
        above, name = split(path)
        handle = os.open(name, FILE, dir_fd=self.at(above))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{shown(path)} is no plain file")
        return handle

    def link(self, path: str) -> str:
        """Where the link at `path` leads. Raises OSError."""
        above, name = split(path)
        return os.readlink(name, dir_fd=self.at(above))

    def forget(self) -> None:
        """Look for folders by their path again."""
        if self._last[1] != self.handle:
            os.close(self._last[1])
        self._last = ("", self.handle)


def split(path: str) -> tuple[str, str]:
    """The folder that `path` lies in, and its name there."""
    above, _, name = path.rpartition("/")
    return above, name


def above(path: str) -> Iterator[str]:
    """Every folder on the way to `path`, nearest first, without the workspace itself."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def draft() -> str:
    """A name for a file that is being written."""
    return DRAFT + secrets.token_hex(8)


def shown(path: str) -> str:
    """`path` on one line: what is no visible character is spelled out."""
    return "".join(c if unicodedata.category(c)[0] not in "CZ" or c == " " else ascii(c)[1:-1] for c in path)


def unicode_of(path: str) -> str:
    """`path`, its bytes that are no UTF-8 spelled out: no face could print them."""
    return path.encode("utf-8", "backslashreplace").decode()


def real_path(path: str) -> str:
    """`path` with links resolved, as bytes are (names need not be UTF-8). Raises OSError when it is not there."""
    return os.path.realpath(path, strict=True)


def below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it, by their text."""
    return PurePosixPath(path).is_relative_to(folder)


def _found(workspace: Workspace) -> int:
    """A handle of the workspace. Raises Conflict."""
    try:
        handle = os.open(workspace.path, FOLDER)
    except (OSError, ValueError) as error:
        raise Conflict(GONE.sentence, GONE.hint) from error
    found = os.fstat(handle)
    if (found.st_dev, found.st_ino) != (workspace.device, workspace.inode) or not _resolved(workspace.path):
        os.close(handle)
        raise Conflict(GONE.sentence, GONE.hint)
    return handle


def _resolved(path: str) -> bool:
    """Whether no link lies on the way: what a person saw is where it is."""
    try:
        return real_path(path) == path
    except OSError:
        return False


@contextmanager
def _powers_of(owner: int) -> Iterator[None]:
    """On the file system this thread is `owner` (Linux, setfsuid(2)): capabilities that overrule permissions are gone too."""
    if os.geteuid() != 0 or owner == 0:
        yield
        return
    group = _group_of(owner)
    kernel = _kernel()
    if kernel is None:
        raise Unavailable(
            "as root, workspaces of other users can be used on Linux only", "run the bridge as their owner"
        )
    try:
        kernel.setfsgid(group)
        kernel.setfsuid(owner)
        # the calls report no error: the second one tells who we are
        if (kernel.setfsuid(-1), kernel.setfsgid(-1)) != (owner, group):
            raise Unavailable(
                "the powers of root could not be laid down", "run the bridge as the owner of the workspace"
            )
        yield
    finally:
        kernel.setfsuid(0)
        kernel.setfsgid(os.getegid())


def _kernel() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "setfsuid") else None


def _group_of(owner: int) -> int:
    """The first group of a user, never root's."""
    try:
        return pwd.getpwuid(owner).pw_gid or NOBODY
    except (KeyError, OverflowError):
        return NOBODY
