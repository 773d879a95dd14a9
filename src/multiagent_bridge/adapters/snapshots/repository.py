"""The user's own repository, read as a file format: git is never run there (notes/guard, trap 17)."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from multiagent_bridge.adapters.eligible import SHARED, homes
from multiagent_bridge.adapters.folders import Folder
from multiagent_bridge.adapters.snapshots import rules
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.workspaces import Workspace

LARGEST_INDEX = 64 << 20
LARGEST_REF = 4 << 20
_HEAD = struct.Struct(">4sII")
_FIXED = 62
"""Bytes of an entry before its name, with SHA-1 (gitformat-index: times, device, inode, mode, owner, size, name, flags)."""


@dataclass(frozen=True, slots=True)
class Outer:
    """Rules that lie outside the files of a workspace: `exclude` of the repository, and those of the folders above, when
    the workspace is the folder `prefix` of a larger repository. Bytes are kept as Latin-1.
    """

    prefix: str = ""
    exclude: str = ""
    above: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Own:
    """`head` is what HEAD says, `commit` what it leads to, `index` the staging area, byte for byte; all may be empty."""

    head: str = ""
    commit: str = ""
    index: bytes = b""
    outer: Outer = Outer()

    def tracked(self) -> set[str]:
        """The paths of the index below the workspace: wanted though a rule ignores them. Empty for a form not known here."""
        below = f"{self.outer.prefix}/" if self.outer.prefix else ""
        try:
            return {path[len(below) :] for path in _paths(self.index) if path.startswith(below)}
        except (struct.error, ValueError, IndexError):
            return set()


def own(folder: Folder) -> Own:
    """Of the repository that the workspace is, or lies in; what a worktree's file points to is not looked at."""
    with _root(folder) as (root, prefix):
        places = [prefix[:end] for end in range(len(prefix)) if end == 0 or prefix[end] == "/"] if prefix else []
        above = {
            place: _read(root, f"{place}/{rules.NAME}" if place else rules.NAME, rules.LARGEST) for place in places
        }
        exclude = _read(root, ".git/info/exclude", rules.LARGEST)
        outer = Outer(
            prefix,
            exclude.decode("latin-1"),
            {place: content.decode("latin-1") for place, content in above.items() if content},
        )
        head = _read(root, ".git/HEAD", LARGEST_REF).decode("utf-8", "replace").strip()[:1000]
        return Own(head, _commit(root, head), _read(root, ".git/index", LARGEST_INDEX), outer)


@contextmanager
def _root(folder: Folder) -> Iterator[tuple[Folder, str]]:
    """The folder of the repository, seen with the eyes of the workspace's owner, and where the workspace lies in it."""
    path = Path(folder.workspace.path)
    closed = {*SHARED, *homes(folder.owner)}
    for place in (path, *path.parents):
        # a repository of a whole home directory says nothing about the projects in it
        if str(place) in closed or place == place.parent:
            break
        if not os.path.lexists(place / ".git"):
            continue
        if place == path:
            break
        found = place.lstat()
        try:
            with Folder.opened(Workspace(str(place), found.st_dev, found.st_ino)) as root:
                root.owner = folder.owner
                with root.reading():
                    yield root, str(path.relative_to(place))
                    return
        except Conflict:
            break
    with folder.reading():
        yield folder, ""


def _commit(root: Folder, head: str) -> str:
    """What HEAD leads to: itself, a file of its name, or a line among the packed ones."""
    name = head.removeprefix("ref: ")
    if name == head:
        return head
    if not re.fullmatch(r"refs/[\w./+@-]+", name) or ".." in name:
        return ""
    if commit := _read(root, f".git/{name}", LARGEST_REF).decode("utf-8", "replace").strip()[:100]:
        return commit
    for line in _read(root, ".git/packed-refs", LARGEST_REF).decode("utf-8", "replace").splitlines():
        if line.endswith(" " + name):
            return line.partition(" ")[0][:100]
    return ""


def _read(folder: Folder, path: str, most: int) -> bytes:
    """Empty when it is not there, no plain file, or too large."""
    try:
        handle = folder.file(path)
    except OSError:
        return b""
    with os.fdopen(handle, "rb") as file:
        return file.read(most) if os.fstat(handle).st_size <= most else b""


def _paths(index: bytes) -> list[str]:
    if not index:
        return []
    signature, version, count = _HEAD.unpack_from(index)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("no index")
    found, at, name = [], _HEAD.size, b""
    for _ in range(count):
        flags = struct.unpack_from(">H", index, at + _FIXED - 2)[0]
        start = at + _FIXED + (2 if flags & 0x4000 else 0)
        if version == 4:
            dropped, start = _number(index, start)
            end = index.index(b"\0", start)
            name = name[: len(name) - dropped] + index[start:end]
            at = end + 1
        else:
            end = index.index(b"\0", start)
            name = index[start:end]
            at += (end - at) // 8 * 8 + 8
        found.append(os.fsdecode(name))
    return found


def _number(index: bytes, at: int) -> tuple[int, int]:
    """A number of variable length (gitformat-pack: offset encoding), and where it ends."""
    byte = index[at]
    at += 1
    value = byte & 0x7F
    while byte & 0x80:
        byte = index[at]
        at += 1
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at
