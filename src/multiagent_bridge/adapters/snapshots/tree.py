"""What lies in a workspace: read level by level, without following a link, and without what git would ignore."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.adapters.folders import Folder, above, split
from multiagent_bridge.adapters.snapshots import rules
from multiagent_bridge.adapters.snapshots.rules import Rules
from multiagent_bridge.errors import Unavailable

FILE, LINK, FOLDER = "file", "link", "folder"
MOST = 500_000
"""Entries of one snapshot."""
LARGEST = 256 << 20
"""Bytes of one file; a larger one is left out, and named."""
DEEPEST = 3_500
"""Bytes of one path: longer ones are more than programs can open in one go."""

IGNORED = "ignored by git"
REPOSITORY = "a repository of its own"
UNREADABLE = "cannot be read"
TOO_LARGE = f"larger than {LARGEST >> 20} MiB"
SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

Stamp = tuple[int, int, int, int]
"""Size, modification and change time in nanoseconds, inode. Nobody sets a change time: while these stay, so does the content."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path. `mode` are its permission bits, without set-user-ID and set-group-ID of files: no rollback brings those
    back. `oid` is git's name of the content (of a link: of where it leads), empty for a folder and while unknown.
    """

    kind: str
    mode: int
    oid: str = ""


@dataclass(slots=True)
class Reading:
    """`left_out` is path to reason; `repositories` are the `.git` of the workspace and below, whatever they are."""

    entries: dict[str, Entry] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)


class Reader:
    """Reads once. `tracked` gives paths that are wanted though git would ignore them, asked for only when it matters; `kept`
    are wanted in any case, with all that lies below those of them that are folders; `live`: the rules are those of the
    workspace as it is, else those that `rules` holds already.
    """

    def __init__(
        self,
        folder: Folder,
        watch: Watch,
        rules: Rules,
        tracked: Callable[[], set[str]] = set,
        kept: frozenset[str] = frozenset(),
        live: bool = True,
    ) -> None:
        self._folder = folder
        self._watch = watch
        self._rules = rules
        self._tracked = tracked
        self._kept = kept
        self._on_the_way = {place for path in kept for place in above(path)}
        self._live = live
        self._forced: set[str] | None = None
        self._device = os.fstat(folder.handle).st_dev
        self._found = Reading()

    def read(self) -> Reading:
        """Raises Unavailable when there is too much of it."""
        level = [("", False)]
        while level:
            listed: list[tuple[str, Entry, bool]] = []
            fresh: list[tuple[str, bytes]] = []
            with self._folder.reading():
                for place, whole in level:
                    listed += self._list(place, whole, fresh)
                    self._watch.check()
            for place, content in fresh:
                self._rules.add(place, content)
            level = self._judged(listed)
            if len(self._found.entries) > MOST:
                raise Unavailable(
                    f"the workspace holds more than {MOST:,} files", "list what can be made again in .gitignore"
                )
        return self._found

    def _list(self, place: str, whole: bool, fresh: list[tuple[str, bytes]]) -> list[tuple[str, Entry, bool]]:
        """(path, entry, whether all below it is wanted) of what lies in one folder."""
        listed = []
        try:
            with os.scandir(self._folder.at(place)) as entries:
                found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            if not place:
                raise Unavailable("the workspace cannot be listed", "give its owner the right to read it") from error
            self._out(place, UNREADABLE)
            return []
        for name, status in found:
            path = f"{place}/{name}" if place else name
            wanted = whole or path in self._kept
            entry = self._entry(path, status, wanted)
            if entry is None:
                continue
            if name == rules.NAME and entry.kind == FILE and self._live and not whole:
                fresh += [(place, content) for content in self._content(path, status)]
            listed.append((path, entry, wanted))
        return listed

    def _entry(self, path: str, status: os.stat_result, wanted: bool) -> Entry | None:
        """None for what is left out whatever git says."""
        mode = stat.S_IMODE(status.st_mode)
        if why := self._why_not(path, status, wanted):
            # the workspace's own repository is known to be no part of this
            if path.lower() != ".git":
                self._out(path, why)
            return None
        if stat.S_ISDIR(status.st_mode):
            return Entry(FOLDER, mode)
        if stat.S_ISLNK(status.st_mode):
            return Entry(LINK, 0o777)
        self._found.stamps[path] = stamp_of(status)
        return Entry(FILE, mode & ~(stat.S_ISUID | stat.S_ISGID))

    def _why_not(self, path: str, status: os.stat_result, wanted: bool) -> str:
        name = split(path)[1]
        if len(name) == 4 and name.lower() == ".git":
            self._found.repositories.add(path)
            if not wanted:
                return REPOSITORY
        if len(path) > DEEPEST // 4 and len(os.fsencode(path)) > DEEPEST:
            return "too deep"
        if stat.S_ISDIR(status.st_mode):
            return "" if status.st_dev == self._device else "another file system"
        if stat.S_ISREG(status.st_mode):
            return TOO_LARGE if status.st_size > LARGEST and not wanted else ""
        return "" if stat.S_ISLNK(status.st_mode) else SPECIAL.get(stat.S_IFMT(status.st_mode), "no plain file")

    def _judged(self, listed: list[tuple[str, Entry, bool]]) -> list[tuple[str, bool]]:
        """Keep what git would not ignore. Returns the folders to go into."""
        asked = [(path, entry.kind == FOLDER) for path, entry, wanted in listed if not wanted]
        ignored = self._rules.ignored(asked)
        deeper = []
        for path, entry, wanted in listed:
            # rules that were followed are kept, also those that ignore themselves: a rollback follows them again
            rule = entry.kind == FILE and split(path)[1] == rules.NAME
            if path in ignored and not rule and not self._is_forced(path):
                self._out(path + "/" if entry.kind == FOLDER else path, IGNORED)
                self._found.stamps.pop(path, None)
                continue
            self._found.entries[path] = entry
            if entry.kind == FOLDER:
                deeper.append((path, wanted))
        return deeper

    def _is_forced(self, path: str) -> bool:
        if self._forced is None:
            tracked = self._tracked()
            self._forced = tracked | {place for one in tracked for place in above(one)} | self._on_the_way
        return path in self._forced

    def _content(self, path: str, status: os.stat_result) -> list[bytes]:
        if status.st_size > rules.LARGEST:
            return []
        try:
            handle = self._folder.file(path)
        except OSError:
            return []
        with os.fdopen(handle, "rb") as file:
            return [file.read(rules.LARGEST)]

    def _out(self, path: str, why: str) -> None:
        self._found.entries.pop(path, None)
        self._found.left_out[path] = why


def stamp_of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
