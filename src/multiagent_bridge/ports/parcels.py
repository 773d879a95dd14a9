"""Parcels: how credentials travel to other machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.parcels import Letter, Parcel, Seen


class Post(Protocol):
    """Takes credentials to their workers. What it leaves anywhere is ciphertext and names of workers."""

    async def send(self, letters: Sequence[Letter]) -> str:
        """Encrypt each to its recipient, and put all where the workers look, together. Returns the name of that version.

        What others put there stays. Raises Invalid for a recipient that is none, Unavailable, Conflict.
        """
        ...


class Source(Protocol):
    """Where a worker looks for its credentials. Nothing that lies there is ever executed, obeyed or followed."""

    async def fetch(self, worker: str) -> bytes | None:
        """The encrypted file as it is there now; None when there is none. Raises Unavailable, and Refused for what is no
        plain file of at most model.parcels.SEALED_BYTES.
        """
        ...


class Letterbox(Protocol):
    """What a worker keeps: its age identity, whom it trusts, and the newest credentials it took."""

    recipient: str
    """The public part of its age identity."""

    def open(self, sealed: bytes) -> bytes:
        """Raises Refused when it is for somebody else, Tampered when it was cut short or changed."""
        ...

    def verify(self, publisher: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature (Ed25519) is the publisher's."""
        ...

    def seen(self, worker: str) -> Seen | None:
        """What it remembers; None when the worker trusts nobody yet."""
        ...

    def trust(self, worker: str, publisher: bytes) -> None:
        """Remember the publisher of a worker that trusts nobody yet."""

    def keep(self, parcel: Parcel, seen: Seen) -> None:
        """Replace credentials and memory in one step, for the eyes of this user alone."""
