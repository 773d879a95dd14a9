"""One snapshot on its way into a shadow repository: a stream to `git fast-import`, which keeps all of it or nothing."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO, cast

from multiagent_bridge.adapters.snapshots.git import Git
from multiagent_bridge.adapters.snapshots.tree import FILE, LINK, Entry

REFS = "refs/snap/by-id/"
FILES, ABOUT, INDEX = "files", "about", "index"
"""What a snapshot's commit holds: the files, what git has no place for, and the index of the user's repository."""

_GIT = re.compile(r"(?i:\.git)\x01*")


class Mismatch(Exception):
    """git holds something else than was read: what is remembered of the last snapshot does not fit. Never leaves Shadow."""


class Import:
    """A sink for content, and then the commit that holds it together."""

    def __init__(self, git: Git, child: subprocess.Popen[bytes]) -> None:
        self._git = git
        self._child = child
        self._to = cast("BinaryIO", child.stdin)
        self._unchanged = ""
        self._to.write(b"feature done\n")

    def small(self, content: bytes) -> None:
        self.large(len(content))
        self._to.write(content)

    def large(self, size: int) -> None:
        self._to.write(b"blob\ndata %d\n" % size)

    def piece(self, content: bytes) -> None:
        self._to.write(content)

    def commit(
        self, name: str, seconds: int, message: str, base: str, old: Mapping[str, Entry], new: Mapping[str, Entry]
    ) -> None:
        """The commit `name` with the files of `new`. `base` is the tree that holds those of `old`, or empty."""
        text = message.encode()
        self._to.write(
            f"commit {REFS}{name}\ncommitter Multiagent Bridge <bridge@localhost> {seconds} +0000\n".encode()
        )
        self._to.write(b"data %d\n%s\n" % (len(text), text))
        if base:
            self._to.write(f"M 040000 {base} {FILES}\n".encode())
        kept = {path: entry for path, entry in old.items() if entry.oid} if base else {}
        gone = kept.keys() - {path for path, entry in new.items() if entry.oid}
        come = [path for path, entry in new.items() if entry.oid and entry is not kept.get(path)]
        self._unchanged = "" if gone or come else base
        for path in gone:
            self._to.write(b"D %s\n" % _quoted(path))
        for path in come:
            self._to.write(b"M %s %s\n" % (_line(new[path]), _quoted(path)))

    def beside(self, name: str, oid: str) -> None:
        """One more blob of the commit, beside the files."""
        self._to.write(f"M 100644 {oid} {name}\n".encode())

    def finish(self, new: Mapping[str, Entry]) -> str:
        """The tree that holds the files, empty when there are none. Raises Mismatch unless it holds exactly those of `new`."""
        self._to.write(f'ls "{FILES}"\ndone\n'.encode())
        printed = self._ended()
        found = re.match(rb"040000 tree ([0-9a-f]{40})\t", printed)
        tree = found[1].decode() if found else ""
        if tree != (self._unchanged or tree_of(new)):
            raise Mismatch
        return tree

    def broken(self) -> None:
        """Say why git no longer listens. Raises Unavailable."""
        self._ended()

    def _ended(self) -> bytes:
        with suppress(BrokenPipeError):
            self._to.flush()
        printed, complaint = self._child.communicate()
        self._git.ended(self._child, complaint)
        return printed


def tree_of(entries: Mapping[str, Entry]) -> str:
    """git's name of the tree with exactly those files and links (gitformat: sorted, a folder's name as if it ended in `/`)."""
    folders: dict[bytes, dict[bytes, bytes]] = {}
    for path, entry in entries.items():
        if entry.oid:
            above, _, name = stored_as(path).encode("utf-8", "surrogateescape").rpartition(b"/")
            mode, _, oid = _line(entry).partition(b" ")
            folders.setdefault(above, {})[name] = mode + b" " + name + b"\0" + bytes.fromhex(oid.decode())
    for place in [place for path in folders for place in _above(path)]:
        folders.setdefault(place, {})
    oid = b""
    for place in sorted(folders, key=lambda path: path.count(b"/") if path else -1, reverse=True):
        rows = folders[place]
        content = b"".join(rows[name] for name in sorted(rows))
        oid = hashlib.sha1(b"tree %d\0" % len(content) + content, usedforsecurity=False).digest()
        above, _, name = place.rpartition(b"/")
        if place:
            folders[above][name + b"/"] = b"40000 " + name + b"\0" + oid
    return oid.hex()


def _above(path: bytes) -> list[bytes]:
    """Every folder on the way to `path`, the root included."""
    found = []
    while path:
        path = path.rpartition(b"/")[0]
        found.append(path)
    return found


def stored_as(path: str) -> str:
    """`path` as a tree of git may hold it: no part of it may be `.git`."""
    if ".git" not in path.lower():
        return path
    return "/".join(part + "\x01" if _GIT.fullmatch(part) else part for part in path.split("/"))


def stored(path: str) -> str:
    """What `stored_as` made of it, back again."""
    if "\x01" not in path:
        return path
    return "/".join(part[:-1] if part.endswith("\x01") and _GIT.fullmatch(part) else part for part in path.split("/"))


def _line(entry: Entry) -> bytes:
    """Mode and name as a tree of git has them."""
    mode = "120000" if entry.kind == LINK else "100755" if entry.kind == FILE and entry.mode & 0o100 else "100644"
    return f"{mode} {entry.oid}".encode()


def _quoted(path: str) -> bytes:
    raw = f"{FILES}/{stored_as(path)}".encode("utf-8", "surrogateescape")
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
