"""Parcels: the credentials of one worker, as their publisher signs them and encrypts them to the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

VERSION = 1
"""Of the form of a parcel."""

FOLDER = "workers"
SUFFIX = ".age"

SEALED_BYTES = 65_536
"""Longest encrypted file that is looked at."""


@dataclass(frozen=True, slots=True)
class Address:
    """Whose credentials go to whom: a session of a conversation, the worker's name, and its age recipient."""

    worker: str
    recipient: str
    conversation_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a worker needs to take up its session. Instants are microseconds since the epoch, UTC.

    `sequence` grows with every push of one publisher: it is the number of the push in its journal. `hub` is the address of
    the hub for workers elsewhere, and `hub_key` what it asks them for there; both are empty for those of the same machine.
    Worker and recipient are signed too, so that whoever can open a parcel cannot pass it on as somebody else's.
    """

    worker: str
    recipient: str
    conversation_id: str
    session_id: str
    role: str
    generation: int
    token: str = field(repr=False)
    hub: str
    hub_key: str = field(repr=False)
    sequence: int
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One parcel on its way: signed, not yet encrypted."""

    worker: str
    recipient: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """An opened letter: the signed text, who says to have signed it, and the signature."""

    body: str = field(repr=False)
    publisher: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker remembers of its publisher: the key, and the newest parcel that it took from it (0: none yet)."""

    publisher: bytes
    sequence: int = 0
    issued_at: int = 0
    digest: str = ""


def path_of(worker: str) -> str:
    """Where the worker's file lies in the repository."""
    return f"{FOLDER}/{worker}{SUFFIX}"
