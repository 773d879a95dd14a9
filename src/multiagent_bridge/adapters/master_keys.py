"""Where the master keys come from, and how a new one gets there and an old one out of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from pathlib import Path

from multiagent_bridge.adapters.keyring import keep, kept_key
from multiagent_bridge.adapters.keys import key_id
from multiagent_bridge.adapters.state import (
    MOST_KEYS,
    key_file,
    locked,
    master_keys,
    read_secret,
    replace_secret,
    ring_of,
)
from multiagent_bridge.errors import Conflict, Invalid, Unavailable

COMMAND = "command:"
PAUSE = 15.0
"""Between two looks of one process at a keyring or a command, seconds: a file is looked at each time."""


class KeySource:
    """The ring of one state directory; `given` is the setting `master_key`."""

    def __init__(self, home: Path, given: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._given = given
        self._clock = clock
        self._found: tuple[bytes, ...] = ()
        self._looked = 0.0

    def read(self) -> tuple[bytes, ...]:
        """The keys, the newest first; made where there is none and nothing needs an old one. Raises Unavailable, Invalid."""
        self._looked = self._clock()
        self._found = master_keys(self._home, self._given)
        return self._found

    def reread(self) -> tuple[bytes, ...]:
        """The keys as they are now, or as they were moments ago where a look costs something. Raises Unavailable, Invalid."""
        in_file = self._given is None or self._given.startswith("file:")
        if self._found and not in_file and self._clock() - self._looked < PAUSE:
            return self._found
        return self.read()

    @property
    def place(self) -> str:
        """Where the keys are, as a person would say it."""
        if self._given == "keyring":
            return "the keyring"
        if self._given and self._given.startswith(COMMAND):
            return "what the command prints"
        if self._given and not self._given.startswith("file:"):
            return "MAB_MASTER_KEY"
        return str(key_file(self._home, self._given))

    @property
    def writable(self) -> bool:
        """Whether this program keeps the keys, or somebody else does."""
        return self._given in (None, "", "keyring") or str(self._given).startswith("file:")

    def stage(self, seen: Collection[str]) -> str | None:
        """Put a new key on top of the ring. Returns its id, None when the ring holds others than `seen`: somebody was faster.

        Raises Invalid where somebody else keeps the keys, Conflict when there are too many, Unavailable.
        """
        if not self.writable:
            raise Invalid(
                f"the master key comes from {self.place}, which is not ours to change",
                "put a new key there, before the old one: openssl rand -hex 32",
            )
        with locked(self._home / "master.lock"):
            ring = self._kept()
            if {key_id(key) for key in ring} != set(seen):
                return None
            if len(ring) >= MOST_KEYS:
                raise Conflict(f"the ring holds {MOST_KEYS} master keys", "take out those that no backup needs")
            fresh = secrets.token_bytes(32)
            self._keep((fresh, *ring))
        return key_id(fresh)

    def drop(self, gone: Collection[str]) -> list[str]:
        """Take keys out of the ring. Returns the ids of those that were in it; where somebody else keeps them, none.

        Raises Unavailable.
        """
        if not self.writable:
            return []
        with locked(self._home / "master.lock"):
            ring = self._kept()
            left = tuple(key for key in ring if key_id(key) not in gone)
            if not left or left == ring:
                return []
            self._keep(left)
        return [key_id(key) for key in ring if key not in left]

    def _kept(self) -> tuple[bytes, ...]:
        if self._given == "keyring":
            return ring_of(kept_key(self._home, fresh=False).encode(), self.place)
        content = read_secret(key_file(self._home, self._given))
        if content is None:
            raise Unavailable(
                f"the master key file {self.place} is missing", "restore it: nothing can be read without it"
            )
        return ring_of(content, self.place)

    def _keep(self, ring: tuple[bytes, ...]) -> None:
        text = "".join(f"{key.hex()}\n" for key in ring)
        if self._given == "keyring":
            keep(self._home, text)
        else:
            replace_secret(key_file(self._home, self._given), text.encode())
