"""The content of files and links as git names it, read without following a link, and handed on where somebody wants it kept."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.adapters.folders import CHUNK, Folder
from multiagent_bridge.adapters.snapshots.tree import FILE, LINK, UNREADABLE, Entry, Reading, Stamp, stamp_of

SMALL = 8 << 20
"""Bytes up to which a file is held in memory."""
TRIES = 3
"""Times a file is read that changes meanwhile; then what the last of them saw counts."""

COARSE, FINE = 2_000_000_000, 50_000_000
"""Nanoseconds within which two changes may bear the same time: on file systems that keep whole seconds, and on others."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a path, and the stamp that vouches for it; None: it must be read again."""

    entry: Entry
    stamp: Stamp | None = None


class Sink(Protocol):
    def small(self, content: bytes) -> None: ...

    def large(self, size: int) -> None:
        """Announce content of `size` bytes, which then comes by `piece`."""

    def piece(self, content: bytes) -> None: ...


class Nowhere:
    """A sink for those who want the names alone."""

    def small(self, content: bytes) -> None:
        return

    def large(self, size: int) -> None:
        return

    def piece(self, content: bytes) -> None:
        return


class Contents:
    """Fills in the names of what a Reading found. `known` saves reading what has not changed; `sink` gets what is not in it."""

    def __init__(self, folder: Folder, watch: Watch, known: Mapping[str, Known], sink: Sink | None = None) -> None:
        self._folder = folder
        self._watch = watch
        self._known = known
        self._kept = {one.entry.oid for one in known.values()}
        self._sink = sink or Nowhere()

    def named(self, reading: Reading) -> dict[str, Known]:
        """Every entry with its name, the very same where nothing changed. What vanished is dropped, and what cannot be read
        is left out, of `reading` too.
        """
        found: dict[str, Known] = {}
        with self._folder.reading():
            for path, entry in list(reading.entries.items()):
                try:
                    found[path] = self._one(path, entry, reading.stamps.get(path))
                except FileNotFoundError:
                    del reading.entries[path]
                    continue
                except BrokenPipeError:
                    raise
                except OSError:
                    del reading.entries[path]
                    reading.left_out[path] = UNREADABLE
                    continue
                reading.entries[path] = found[path].entry
        return found

    def _one(self, path: str, entry: Entry, stamp: Stamp | None) -> Known:
        known = self._known.get(path)
        if entry.kind != FILE:
            oid = self._small(os.fsencode(self._folder.link(path))) if entry.kind == LINK else ""
            found = Known(replace(entry, oid=oid))
            return known if known is not None and known == found else found
        if known is not None and known.stamp is not None and known.stamp == stamp:
            same = known.entry.mode == entry.mode and known.entry.kind == FILE
            return known if same else Known(Entry(FILE, entry.mode, known.entry.oid), stamp)
        self._watch.check()
        oid, stamp = self._file(path)
        return Known(replace(entry, oid=oid), stamp)

    def _file(self, path: str) -> tuple[str, Stamp | None]:
        oid = ""
        for _ in range(TRIES):
            began = time.time_ns()
            with os.fdopen(self._folder.file(path), "rb") as file:
                before = stamp_of(os.fstat(file.fileno()))
                size = before[0]
                now = self._small(file.read(size)) if size <= SMALL else self._large(file, size)
                oid = now or oid
                if now and stamp_of(os.fstat(file.fileno())) == before:
                    return oid, before if _settled(before, began) else None
        if not oid:
            raise OSError("it shrank each time it was read")
        return oid, None

    def _small(self, content: bytes) -> str:
        oid = blob(content)
        if oid not in self._kept:
            self._sink.small(content)
            self._kept.add(oid)
        return oid

    def _large(self, file: BinaryIO, size: int) -> str:
        """Empty when the file was shorter than it was said to be: then what was handed on is filled up, and worth nothing."""
        found = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        self._sink.large(size)
        left = size
        while left and (piece := file.read(min(CHUNK, left))):
            found.update(piece)
            self._sink.piece(piece)
            left -= len(piece)
            self._watch.check()
        short = left
        while left:
            filling = bytes(min(CHUNK, left))
            self._sink.piece(filling)
            left -= len(filling)
        return "" if short else found.hexdigest()


def blob(content: bytes) -> str:
    """git's name of a file with that content (gitformat: "blob", its size, NUL, the content; SHA-1)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _settled(stamp: Stamp, began: int) -> bool:
    """Whether a change after the reading would show in the stamp: one within the same tick of the clock would not."""
    margin = COARSE if stamp[2] % 1_000_000_000 == 0 else FINE
    return stamp[2] < began - margin
