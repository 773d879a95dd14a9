"""A plan carried out: every file whole or not at all, nothing through a link, nothing outside the folder that was opened."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.adapters.folders import CHUNK, NEW, Folder, draft, split
from multiagent_bridge.adapters.snapshots.git import Git
from multiagent_bridge.adapters.snapshots.plans import Plan
from multiagent_bridge.adapters.snapshots.tree import LINK, Entry
from multiagent_bridge.errors import Unavailable

OWN = 0o700
"""What the owner of a folder needs to change what lies in it."""


class Restoring:
    def __init__(self, git: Git, folder: Folder, watch: Watch) -> None:
        self._git = git
        self._folder = folder
        self._watch = watch
        self._opened: dict[str, int] = {}

    def carry_out(self, plan: Plan) -> None:
        """Raises OSError or Unavailable when it could be done in part only."""
        self._present(plan)
        for path in plan.removed:
            with self._changing(path) as (place, name):
                os.unlink(name, dir_fd=place)
        for path in plan.emptied:
            with self._changing(path) as (place, name):
                os.rmdir(name, dir_fd=place)
            self._opened.pop(path, None)
        self._folder.forget()
        for path in plan.made:
            with self._changing(path) as (place, name):
                os.mkdir(name, OWN, dir_fd=place)
        with self._git.started("cat-file", "--batch") as child:
            for path in sorted(plan.written):
                self._watch.check()
                self._write(child, path, plan.written[path])
        # last, and from below: a folder may be closed to its own owner
        modes = {**self._opened, **plan.modes}
        for path in sorted(modes, key=lambda path: path.count("/") if path else -1, reverse=True):
            with self._folder.changing(path) as place:
                os.fchmod(place, modes[path])

    def _present(self, plan: Plan) -> None:
        """Raises Unavailable unless all that is to come back is there: better nothing than half of it."""
        oids = {entry.oid for entry in plan.written.values()}
        said = self._git.run("cat-file", "--batch-check", sent="".join(f"{oid}\n" for oid in oids).encode())
        if said.count(b" blob ") != len(oids):
            raise Unavailable("the snapshot is damaged, so nothing was restored", "use another one: mab yolo rollback")

    @contextmanager
    def _changing(self, path: str) -> Iterator[tuple[int, str]]:
        """The folder that `path` lies in, open to changes, and the name in there."""
        above, name = split(path)
        with self._folder.changing(above) as place:
            mode = os.fstat(place).st_mode & 0o7777
            if mode & OWN != OWN:
                self._opened.setdefault(above, mode)
                os.fchmod(place, mode | OWN)
            yield place, name

    def _write(self, child: subprocess.Popen[bytes], path: str, entry: Entry) -> None:
        source = _asked(child, entry.oid)
        with self._changing(path) as (place, name):
            new = draft()
            try:
                if entry.kind == LINK:
                    os.symlink(os.fsdecode(b"".join(source)), new, dir_fd=place)
                else:
                    self._fill(os.open(new, NEW, 0o600, dir_fd=place), source, entry.mode)
                # takes the place of whatever bears the name, a link or one of several names of a file, without opening it
                os.rename(new, name, src_dir_fd=place, dst_dir_fd=place)
            except BaseException:
                _unlinked(new, place)
                raise

    def _fill(self, handle: int, source: Iterator[bytes], mode: int) -> None:
        with os.fdopen(handle, "wb") as file:
            for piece in source:
                file.write(piece)
                self._watch.check()
            file.flush()
            os.fchmod(file.fileno(), mode)


def _asked(child: subprocess.Popen[bytes], oid: str) -> Iterator[bytes]:
    """The content of an object from a `cat-file --batch`, all of which has to be taken."""
    to, out = cast("BinaryIO", child.stdin), cast("BinaryIO", child.stdout)
    to.write(oid.encode() + b"\n")
    to.flush()
    line = out.readline().split()
    if len(line) != 3 or line[1] != b"blob":
        raise Unavailable("the snapshot is damaged", "use another one: mab yolo rollback")
    left = int(line[2])
    while left:
        piece = out.read(min(CHUNK, left))
        if not piece:
            raise Unavailable("git ended too early", "look at the state directory: mab doctor")
        left -= len(piece)
        yield piece
    out.read(1)


def _unlinked(name: str, place: int) -> None:
    try:
        os.unlink(name, dir_fd=place)
    except OSError:
        # it never came to be, or has its final name already
        return
