"""A worker's letterbox in its state directory: its identity opens, its file remembers."""

from __future__ import annotations

from pathlib import Path

from multiagent_bridge.adapters.parcels import age
from multiagent_bridge.adapters.parcels.files import Kept, verifies
from multiagent_bridge.model.parcels import Parcel, Seen


class HomeLetterbox:
    """The letterbox of every worker of one state directory. Raises NotFound when keygen was never run there."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._kept = Kept(age.place(home))
        self.recipient = str(age.identity(home).to_public())

    def open(self, sealed: bytes) -> bytes:
        # a sync runs for weeks, and the identity may have been made anew since it began
        own = age.identity(self._home)
        self.recipient = str(own.to_public())
        return age.opened(sealed, own)

    def verify(self, publisher: bytes, message: bytes, signature: bytes) -> bool:
        return verifies(publisher, message, signature)

    def seen(self, worker: str) -> Seen | None:
        return self._kept.seen(worker)

    def trust(self, worker: str, publisher: bytes) -> None:
        self._kept.write(worker, Seen(publisher))

    def keep(self, parcel: Parcel, seen: Seen) -> None:
        self._kept.write(parcel.worker, seen, parcel)

    def renew(self, parcel: Parcel) -> None:
        """Keep the renewed token of the parcel that the worker took last, durably; one that was followed by another stays away.

        The caller holds the lock of the worker. Raises Unavailable.
        """
        seen = self._kept.seen(parcel.worker)
        if seen is not None and seen.sequence == parcel.sequence:
            self._kept.write(parcel.worker, seen, parcel)

    def parcel(self, worker: str) -> Parcel | None:
        """The credentials that the worker took last; None for none yet."""
        return self._kept.parcel(worker)

    def key_file(self, worker: str) -> Path:
        """Where the worker's key for a hub elsewhere lies."""
        return self._kept.key_file(worker)

    def file(self, worker: str) -> Path:
        """Where the worker's credentials lie."""
        return self._kept.file(worker)
