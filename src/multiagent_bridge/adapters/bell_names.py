"""The names in a bells folder: which process listens to what, and which names are of processes that are gone.

A process has one socket, under a hidden name, and a hard link to it for each topic that it listens to: `DIGEST-PROCESS`. So a
ringer finds exactly those who listen to a topic, without opening anything. A name is only ever given to a socket that hears,
therefore one that refuses a connection is dead, and whoever meets it removes it.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

EVERY = "every"
"""Stands for a digest in the name of a process that hears every ring."""

LINKS = 64
"""Topics of one process that have links of their own; with more it is rung for every one."""

PROBES = 16
"""Names looked at in one sweep: ringing stays quick however many there are."""

SWEEP_SECONDS = 1.0
"""How often every process in the folder is looked at, where somebody rings."""

STRAY_SECONDS = 60.0
"""Age of a socket that never got its name, killed as it began, from which on it is removed."""

SETTLED_NANOSECONDS = 50_000_000
SETTLED_COARSE_NANOSECONDS = 2_100_000_000
"""Age from which on a folder's time of change proves that it did not change since; some file systems count whole seconds."""

PATH_BYTES = 100
"""Longest socket path used as it is; macOS takes 104 bytes, Linux 108."""

_NEW = ".new-"


class Names:
    """`own` is the name of this process: no other has it, and it is never used again."""

    def __init__(self, folder: Path, own: str) -> None:
        self._folder = folder
        self._own = own
        self._directory = -1
        self._prober: socket.socket | None = None
        self._shown: dict[str, bool] = {}
        self._linking = True
        self._read_at = -1
        self._known: set[str] = set()
        self._listeners: dict[str, list[str]] = {}
        self._processes: dict[str, list[str]] = {}
        self._unproven: dict[str, None] = {}
        self._buried: set[str] = set()
        self._swept_at = -SWEEP_SECONDS

    def open(self, ear: socket.socket) -> None:
        """Give `ear` its name, and remove what killed processes left. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._prober = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._prober.setblocking(False)
        new = _NEW + self._own
        ear.bind(self.address(new))
        os.chmod(new, 0o600, dir_fd=self._directory)
        # only now may others take a refusal for its death
        os.rename(new, "." + self._own, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        self._read()
        while self._unproven:
            self._probe()
        for name in self._known:
            if name.startswith(_NEW):
                self._remove_stray(name)

    def close(self) -> None:
        """Remove every name of this process, the hidden one last: by it others see that it lives."""
        if self._directory < 0:
            return
        for name in (*(self._link(key) for key in self._shown), _NEW + self._own, "." + self._own):
            self._unlink(name)
        self._shown.clear()
        if self._prober is not None:
            self._prober.close()
        os.close(self._directory)
        self._directory = -1

    @property
    def shown(self) -> bool:
        """Whether anybody is told that this process listens."""
        return bool(self._shown)

    def show(self, key: str) -> None:
        """Be found by whoever rings `key`; by whoever rings at all where links do not work, or would be too many."""
        if key in self._shown:
            self._shown[key] = True
        elif EVERY not in self._shown:
            if len(self._shown) < LINKS and self._linked(key):
                self._shown[key] = True
            elif self._linked(EVERY) or self._rename("." + self._own, self._link(EVERY)):
                self._shown[EVERY] = True

    def keep(self, wanted: Collection[str]) -> None:
        """Drop the names of what is listened to no longer, and was not at the last call: who listens again finds it there."""
        if EVERY in self._shown:
            if not wanted or (self._linking and len(wanted) <= LINKS // 2):
                self._narrow(wanted)
            return
        for key, fresh in list(self._shown.items()):
            if key in wanted or fresh:
                self._shown[key] = key in wanted
            else:
                self._hide(key)

    def listeners(self, keys: Sequence[bytes]) -> Mapping[str, set[bytes]]:
        """Of each other process that listens to any of the digests one name, and the digests that it listens to."""
        self._read()
        if not self._listeners:
            return {}
        found: dict[str, set[bytes]] = {}
        for key in keys:
            for name in (*self._listeners.get(shortened(key), ()), *self._listeners.get(EVERY, ())):
                # each name leads to the same socket; the hidden one nobody can plant beside it
                hidden = "." + _process(name)
                found.setdefault(hidden if hidden in self._known else name, set()).add(key)
        return found

    def sweep(self) -> None:
        """Look at some of the processes in the folder, in turn, and remove the names of those that are gone."""
        now = time.monotonic()
        if not self._unproven and now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._unproven = dict.fromkeys(min(names) for names in self._processes.values())
        self._probe()

    def bury(self, name: str) -> None:
        """Remove a name that refused, and every other of its process that does."""
        for other in (name, *self._processes.get(_process(name), ())):
            if other == name or self._dead(other):
                # what cannot be removed, a folder that was planted, is passed over from now on
                self._buried.add(other)
                self._unproven.pop(other, None)
                self._unlink(other)
        self._read_at = -1

    def address(self, name: str) -> str:
        whole = str(self._folder / name)
        if len(os.fsencode(whole)) <= PATH_BYTES:
            return whole
        return f"/proc/self/fd/{self._directory}/{name}"

    def _read(self) -> None:
        """Learn who is there. The folder is read again only when it has changed, or may have."""
        changed = os.fstat(self._directory).st_mtime_ns
        if changed == self._read_at:
            return
        coarse = changed % 1_000_000_000 == 0
        # a second change within one tick of the file system's clock leaves its time as it is
        settled = time.time_ns() - changed > (SETTLED_COARSE_NANOSECONDS if coarse else SETTLED_NANOSECONDS)
        listed = set(os.listdir(self._directory))
        self._buried &= listed
        names = {name for name in listed - self._buried if _process(name) != self._own}
        self._read_at = changed if settled else -1
        if names == self._known:
            return
        new, self._known = names - self._known, names
        self._unproven = dict.fromkeys(name for name in (*new, *self._unproven) if name in names)
        self._listeners, self._processes = {}, {}
        for name in names:
            self._processes.setdefault(_process(name), []).append(name)
            if not name.startswith("."):
                self._listeners.setdefault(name.partition("-")[0], []).append(name)

    def _probe(self) -> None:
        for name in list(self._unproven)[:PROBES]:
            self._unproven.pop(name, None)
            if name not in self._buried and self._dead(name):
                self.bury(name)

    def _dead(self, name: str) -> bool:
        """Whether nobody hears under this name. What is no socket is dead too; what a link points to is never touched."""
        if name.startswith(_NEW):
            return False
        try:
            if not stat.S_ISSOCK(os.lstat(name, dir_fd=self._directory).st_mode):
                return True
        except OSError:
            return False
        return self._refuses(name)

    def _refuses(self, name: str) -> bool:
        """Whether the socket is of a process that has ended. Asking wakes nobody."""
        assert self._prober is not None
        return self._prober.connect_ex(self.address(name)) == errno.ECONNREFUSED

    def _remove_stray(self, name: str) -> None:
        with suppress(OSError):
            if time.time() - os.lstat(name, dir_fd=self._directory).st_ctime > STRAY_SECONDS and self._refuses(name):
                self._unlink(name)

    def _link(self, key: str) -> str:
        return f"{key}-{self._own}"

    def _linked(self, key: str) -> bool:
        if not self._linking:
            return False
        name = self._link(key)
        try:
            os.link("." + self._own, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError:
            return False
        if not self._shown and self._refuses(name):
            # a file system that makes the link and does not know the socket by it
            self._linking = False
            self._unlink(name)
        return self._linking

    def _hide(self, key: str) -> None:
        del self._shown[key]
        if key == EVERY and "." + self._own not in os.listdir(self._directory):
            self._rename(self._link(EVERY), "." + self._own)
        else:
            self._unlink(self._link(key))

    def _narrow(self, wanted: Collection[str]) -> None:
        """From being rung for everything to being rung for a few topics, without a moment between."""
        for key in wanted:
            if key not in self._shown and not self._linked(key):
                return
            self._shown[key] = True
        self._hide(EVERY)

    def _rename(self, old: str, new: str) -> bool:
        try:
            os.rename(old, new, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError:
            return False
        return True

    def _unlink(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._directory)


def shortened(key: bytes) -> str:
    """A digest as names begin with it: two topics that share it cost a wake-up for nothing."""
    return key[:4].hex()


def _process(name: str) -> str:
    """The process that a name is of; of a name that somebody planted, something that is of nobody."""
    if name.startswith("."):
        return name.removeprefix(_NEW).removeprefix(".")
    return name.partition("-")[2] or name
