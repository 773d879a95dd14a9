"""The shadow repository of one workspace: snapshots are taken into it, read from it, forgotten."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from multiagent_bridge.adapters import state
from multiagent_bridge.adapters.blocking import Watch, acquired
from multiagent_bridge.adapters.folders import Folder
from multiagent_bridge.adapters.snapshots import records, rules
from multiagent_bridge.adapters.snapshots.cache import Cache, Last
from multiagent_bridge.adapters.snapshots.contents import Contents, Known, blob
from multiagent_bridge.adapters.snapshots.git import Git
from multiagent_bridge.adapters.snapshots.importing import ABOUT, FILES, INDEX, REFS, Import, Mismatch, stored
from multiagent_bridge.adapters.snapshots.records import Kept
from multiagent_bridge.adapters.snapshots.repository import Outer, Own, own
from multiagent_bridge.adapters.snapshots.rules import Rules
from multiagent_bridge.adapters.snapshots.tree import FOLDER, Reader, Reading
from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.model.workspaces import Snapshot, Workspace

STORE, LOCK, CACHE, WORKING, SCRATCH = "store.git", "lock", "cache.json", "working", "rules"
"""In the folder of a shadow: the repository, its lock, what the last snapshot found, the mark of work under way, rules."""

CLEARING = 60.0
"""Seconds that clearing up after a failure may take; the next one goes on with it."""


def folder_name(workspace: Workspace) -> str:
    """A workspace's shadow is known by path and identity: another folder in its place has a shadow of its own."""
    named = f"{workspace.device}:{workspace.inode}:{workspace.path}"
    return hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Shadow:
    """Held by its lock from `opened` on."""

    def __init__(self, directory: Path, watch: Watch, held: int) -> None:
        self.directory = directory
        self.git = Git(directory / STORE, watch, held)
        self._watch = watch
        self._cache = Cache(directory / CACHE)

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, watch: Watch) -> Iterator[Shadow]:
        """Made if need be, and alone in it. Raises Conflict when another process does not let go of it, Unavailable."""
        for folder in (directory.parent, directory):
            folder.mkdir(mode=state.DIRECTORY_MODE, exist_ok=True)
        handle = acquired(directory / LOCK, watch)
        try:
            shadow = cls(directory, watch, handle)
            if (directory / WORKING).exists():
                # a predecessor was killed, or could not clear up
                shadow._cleared(shadow.git)
            if not shadow.git.directory.exists():
                shadow.git.create()
            yield shadow
        finally:
            os.close(handle)

    def take(self, folder: Folder, name: str, at: int, label: str, kept: frozenset[str] = frozenset()) -> Kept:
        """Keep the present state as `name`, with all of `kept` whatever the rules say. Raises Unavailable: nothing was kept."""
        before = own(folder)
        scratch = self.rules(before.outer)
        if scratch.all_ignored():
            # a project inside a repository that knows nothing of it, as below somebody's dotfiles
            before = replace(before, outer=Outer())
            scratch = self.rules(before.outer)
        try:
            reading = Reader(folder, self._watch, scratch, before.tracked, kept).read()
        finally:
            scratch.close()
        draft = Snapshot(name, folder.workspace, at, 0, label)
        last = self._cache.load()
        with self._working(name):
            try:
                return self._imported(folder, draft, reading, before, last)
            except (Mismatch, Unavailable) as error:
                if isinstance(error, Unavailable) and not (last.tree and self._lost(last)):
                    raise
                self._cache.drop()
            try:
                return self._imported(folder, draft, reading, before, Last())
            except Mismatch as error:
                raise Unavailable(
                    "git did not keep what was read", "look at the state directory: mab doctor"
                ) from error

    def load(self, snapshot: Snapshot) -> Kept:
        """All that a snapshot holds. Raises Unavailable when it cannot be read."""
        files: dict[str, tuple[str, str]] = {}
        ref = REFS + snapshot.id
        for line in self.git.run("ls-tree", "-r", "-z", "--full-tree", ref).split(b"\0"):
            about, _, path = line.partition(b"\t")
            if path.startswith(FILES.encode() + b"/"):
                mode, _, oid = about.decode().split(" ")
                files[stored(os.fsdecode(path[len(FILES) + 1 :]))] = mode, oid
        return records.kept(snapshot, files, self.git.run("cat-file", "blob", f"{ref}:{ABOUT}"))

    def known(self) -> dict[str, Known]:
        """What the last snapshot found, to save reading it again."""
        return self._cache.load().known

    def rules(self, outer: Outer) -> Rules:
        """With those that lie outside the files of the workspace; one set at a time."""
        found = Rules(self.git, self.directory / SCRATCH, outer.prefix, outer.exclude.encode("latin-1"))
        for place, content in outer.above.items():
            found.outside(place, content.encode("latin-1"))
        return found

    def rules_of(self, kept: Kept) -> Rules:
        """The rules that a snapshot was taken under."""
        found = self.rules(kept.outer)
        for path, entry in kept.entries.items():
            place, _, name = path.rpartition("/")
            if name == rules.NAME and entry.oid and ".git" not in place.lower().split("/"):
                content = self.git.run("cat-file", "blob", entry.oid)
                if len(content) <= rules.LARGEST:
                    found.add(place, content)
        return found

    def forget(self, names: Sequence[str]) -> None:
        """Remove snapshots and what nothing else holds; with the last of them goes the whole repository."""
        with self._working(""):
            self._cache.drop()
            self.git.run("update-ref", "--stdin", sent="".join(f"delete {REFS}{name}\n" for name in names).encode())
            if listed(self.git):
                self.git.run("repack", "-a", "-d", "-q")
                self.git.run("prune", "--expire=now")
                return
            gone = self.git.directory.with_suffix(".gone")
            self.git.directory.rename(gone)
            shutil.rmtree(gone)

    def _imported(self, folder: Folder, draft: Snapshot, reading: Reading, before: Own, last: Last) -> Kept:
        with self.git.started("fast-import", "--quiet", "--force", "--depth=0") as child:
            stream = Import(self.git, child)
            try:
                found = Contents(folder, self._watch, last.known, stream).named(reading)
                files = sum(entry.kind != FOLDER for entry in reading.entries.values())
                snapshot = replace(draft, files=files, left_out=records.left_out(reading))
                about = records.about(reading, before.outer)
                stream.small(about)
                stream.small(before.index)
                text = records.message(snapshot, before, blob(before.index))
                old = {path: known.entry for path, known in last.known.items()}
                stream.commit(snapshot.id, snapshot.at // 1_000_000, text, last.tree, old, reading.entries)
                stream.beside(ABOUT, blob(about))
                stream.beside(INDEX, blob(before.index))
                tree = stream.finish(reading.entries)
            except BrokenPipeError as error:
                stream.broken()
                raise Unavailable("git ended too early", "look at the state directory: mab doctor") from error
        if tree != last.tree or any(one is not last.known.get(path) for path, one in found.items()):
            self._cache.save(Last(tree, found))
        return records.of(snapshot, reading, before.outer)

    def _lost(self, last: Last) -> bool:
        """Whether the repository no longer holds what the cache says."""
        try:
            self.git.run("cat-file", "-e", last.tree)
        except Unavailable:
            return True
        return False

    @contextmanager
    def _working(self, name: str) -> Iterator[None]:
        """Leave the mark of work under way; when it fails, take away what it may have left, and the snapshot `name`."""
        packs = self._packs()
        (self.directory / WORKING).touch(mode=state.FILE_MODE)
        try:
            yield
        except BaseException:
            if name:
                (self.git.directory / REFS / name).unlink(missing_ok=True)
                for pack in self._packs() - packs:
                    pack.unlink(missing_ok=True)
            with suppress(BridgeError, OSError):
                self._cleared(Git(self.git.directory, Watch(CLEARING, "clearing up"), self.git.held))
            raise
        (self.directory / WORKING).unlink()

    def _packs(self) -> set[Path]:
        return set((self.git.directory / "objects" / "pack").glob("*"))

    def _cleared(self, git: Git) -> None:
        """Remove what a killed or failed git left: nobody else is at work while we hold the lock."""
        for gone in (self.directory / SCRATCH, *self.directory.glob("store.git.*"), *self.directory.glob("*.new")):
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
        if git.directory.exists():
            for left in (
                *git.directory.rglob("*.lock"),
                *git.directory.rglob("tmp_*"),
                *git.directory.glob("*_crash_*"),
            ):
                left.unlink(missing_ok=True)
            git.run("prune", "--expire=now")
        (self.directory / WORKING).unlink(missing_ok=True)


def listed(git: Git) -> list[Snapshot]:
    """Every snapshot of a shadow, in no order. Raises Unavailable."""
    printed = git.run("for-each-ref", "--format=%(contents)%00", REFS)
    return [records.snapshot(text.decode()) for text in printed.split(b"\0") if text.strip()]
