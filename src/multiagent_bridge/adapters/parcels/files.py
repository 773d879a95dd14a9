"""What a worker keeps in its state directory: 0600 files, replaced whole, never through a link."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import fields
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from multiagent_bridge.adapters.state import opened, read_secret
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.parcels import Parcel, Seen


def replaced(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file, whole or not at all, durably; the caller holds the lock. Raises Unavailable."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(f"{path} cannot be written: {(error.strerror or '').lower()}", "mab doctor") from error
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Kept:
    """One JSON file a worker: its credentials, the publisher it trusts, the number of the newest it took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, worker: str) -> Path:
        """Where the credentials of a worker lie."""
        return self._folder / f"{worker}.json"

    def key_file(self, worker: str) -> Path:
        """Where its key for a hub elsewhere lies, as `mab mcp --key-file` wants it."""
        return self._folder / f"{worker}.key"

    def seen(self, worker: str) -> Seen | None:
        """Raises Unavailable when the file cannot be read: a worker that forgets would take old credentials for new ones."""
        said = self._said(worker)
        if said is None:
            return None
        try:
            return Seen(
                bytes.fromhex(said["publisher"]), int(said["sequence"]), int(said["issued_at"]), str(said["digest"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken(worker) from error

    def parcel(self, worker: str) -> Parcel | None:
        """The credentials it has; None for none yet. Raises Unavailable."""
        said = self._said(worker)
        if said is None or not said.get("token"):
            return None
        try:
            found = Parcel(**{f.name: said[f.name] for f in fields(Parcel)})
        except KeyError as error:
            raise self._broken(worker) from error
        if found.worker != worker:
            # a file system that takes two names for one
            raise self._broken(worker)
        return found

    def write(self, worker: str, seen: Seen, parcel: Parcel | None = None) -> None:
        said: dict[str, object] = {f.name: getattr(parcel, f.name) for f in fields(Parcel)} if parcel else {}
        said |= {"publisher": seen.publisher.hex(), "sequence": seen.sequence, "issued_at": seen.issued_at}
        if parcel is not None and parcel.hub_key:
            # before the credentials that name it
            replaced(self.key_file(worker), parcel.hub_key.encode() + b"\n")
        replaced(
            self.file(worker), json.dumps(said | {"digest": seen.digest}, indent=1, ensure_ascii=False).encode() + b"\n"
        )

    def _said(self, worker: str) -> dict[str, Any] | None:
        content = read_secret(self.file(worker))
        if content is None:
            return None
        try:
            said = json.loads(content)
        except ValueError as error:
            raise self._broken(worker) from error
        if not isinstance(said, dict):
            raise self._broken(worker)
        return said

    def _broken(self, worker: str) -> Unavailable:
        return Unavailable(f"{self.file(worker)} is damaged", "restore it, or remove it and name the publisher again")


def verifies(publisher: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the Ed25519 signature of `message` is the publisher's."""
    try:
        Ed25519PublicKey.from_public_bytes(publisher).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
