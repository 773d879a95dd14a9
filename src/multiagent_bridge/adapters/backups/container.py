"""A backup file: one line of JSON, then an age stream (age-encryption.org/v1) of a manifest line and a SQLite database.

The stream is encrypted to an identity made for this file, which the first line holds under a key derived from the master key;
further recipients may be named. A byte changed or missing anywhere does not decrypt. The manifest, with the digest of the
database, is sealed under the master key once more: who may read a backup cannot write another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import BinaryIO, Protocol

import pyrage  # type: ignore[import-untyped]
from pyrage import x25519

from multiagent_bridge.errors import BridgeError, Invalid, Refused, Tampered
from multiagent_bridge.model.backups import FORMAT, Manifest

LINE_BYTES = 4096
"""Longest first line, and longest manifest."""

CHUNK = 1 << 20
_PLACE = "backup identity"
_MANIFEST = "backup manifest"


class Wrapping(Protocol):
    """Of the master key: seals a small secret, and opens it again; `digest` stays the same when it is rotated."""

    def wrap(self, secret: bytes, place: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, place: str) -> bytes: ...

    def digest(self, text: str) -> str: ...


def recipient(text: str) -> object:
    """An age recipient that a person gave. Raises Invalid, without repeating it."""
    try:
        return x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as error:
        raise Invalid("that is no age recipient", "name one as age1...: mab credentials keygen prints one") from error


class _Content:
    """The manifest and the database as one stream."""

    def __init__(self, manifest: bytes, database: BinaryIO) -> None:
        self._manifest = manifest
        self._database = database

    def read(self, size: int = -1) -> bytes:
        if self._manifest:
            size = len(self._manifest) if size < 0 else size
            given, self._manifest = self._manifest[:size], self._manifest[size:]
            return given
        return self._database.read(size)


def write(out: BinaryIO, database: Path, manifest: Manifest, keys: Wrapping, recipients: Sequence[object]) -> None:
    """Write the backup of `database`. Raises OSError."""
    own = x25519.Identity.generate()
    sealed = base64.b64encode(keys.wrap(str(own).encode("ascii"), _PLACE)).decode("ascii")
    out.write(json.dumps({"mab-backup": FORMAT, "identity": sealed, "bridge": _bridge(keys)}).encode("ascii") + b"\n")
    said = json.dumps(asdict(manifest)).encode("ascii")
    line = base64.b64encode(keys.wrap(said, _MANIFEST)) + b"\n"
    with database.open("rb") as plain:
        pyrage.encrypt_io(_Content(line, plain), out, [own.to_public(), *recipients])


def read(closed: BinaryIO, database: BinaryIO, keys: Wrapping, identity: str | None = None) -> Manifest:
    """Decrypt a backup into `database`, which is worthless unless this returns.

    Raises Invalid for a file that is no backup, Refused for one of another bridge (another master key, another identity),
    Tampered for one that was cut short or changed, and OSError when it cannot be written.
    """
    own = _identity(closed.readline(LINE_BYTES + 1), keys, identity)
    content = _Splitting(database)
    try:
        pyrage.decrypt_io(closed, content, [own])
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise _foreign() from error
        raise _damaged() from error
    except OSError as error:
        if content.failed is not None:
            raise content.failed from error
        # the driver's word for a block that does not decrypt
        raise _damaged() from error
    manifest = _manifest(bytes(content.line), keys)
    if (content.size, content.digest.hexdigest()) != (manifest.size, manifest.digest):
        raise Tampered("the backup does not hold what it says", "use another one")
    return manifest


def of_another(path: Path, keys: Wrapping) -> bool:
    """Whether the file says that another bridge made it; one that says nothing, or cannot be read, does not. Raises nothing."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as closed:
            said = json.loads(closed.readline(LINE_BYTES).decode("ascii")).get("bridge")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
    return said is not None and said != _bridge(keys)


def _bridge(keys: Wrapping) -> str:
    """What tells our backups from those of others in one folder, also after a rotation."""
    return keys.digest("whose backup this is")[:16]


class _Splitting:
    """Takes the stream apart again: the manifest line is kept, the rest is written and summed up."""

    def __init__(self, database: BinaryIO) -> None:
        self._database = database
        self.line = bytearray()
        self._whole = False
        self.size = 0
        self.digest = hashlib.sha256()
        self.failed: Exception | None = None
        """What went wrong here: the driver makes another error of it."""

    def write(self, content: bytes) -> int:
        try:
            return self._taken(content)
        except (OSError, Tampered) as error:
            self.failed = error
            raise OSError("not written") from error

    def _taken(self, content: bytes) -> int:
        taken = len(content)
        if not self._whole:
            line, newline, content = bytes(content).partition(b"\n")
            self.line += line
            if len(self.line) > LINE_BYTES:
                raise Tampered("the backup has no manifest", "use another one")
            self._whole = bool(newline)
        self._database.write(content)
        self.digest.update(content)
        self.size += len(content)
        return taken

    def flush(self) -> None:
        self._database.flush()


def _identity(line: bytes, keys: Wrapping, given: str | None) -> x25519.Identity:
    try:
        head = json.loads(line.decode("ascii"))
        version, sealed = head["mab-backup"], base64.b64decode(head["identity"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise Invalid("the file is no backup of this program", "name a file that mab backup wrote") from error
    if version != FORMAT:
        raise Invalid("the backup is of a newer version of the program", "upgrade the program")
    try:
        # also for a recipient: what does not open here has a manifest that does not open either
        own = keys.unwrap(sealed, _PLACE).decode("ascii")
        return x25519.Identity.from_str(own if given is None else given)
    except BridgeError as error:
        raise _foreign() from error
    except (ValueError, pyrage.IdentityError) as error:
        raise Invalid("that is no age identity", "name the file that begins with AGE-SECRET-KEY-1") from error


def _manifest(line: bytes, keys: Wrapping) -> Manifest:
    """Sealed under the master key: a recipient could write another database under the same first line."""
    try:
        manifest = Manifest(**json.loads(keys.unwrap(base64.b64decode(line, validate=True), _MANIFEST)))
    except BridgeError as error:
        raise Tampered("the backup's manifest is not of this bridge", "use another one") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise Tampered("the backup's manifest cannot be read", "use another one") from error
    if any(type(getattr(manifest, field.name)).__name__ != field.type for field in fields(Manifest)):
        raise Tampered("the backup's manifest cannot be read", "use another one")
    return manifest


def _damaged() -> Tampered:
    return Tampered("the backup does not decrypt: it was cut short or changed", "use another one")


def _foreign() -> Refused:
    return Refused(
        "the backup was made under another master key: by another bridge, or before this one's key was replaced and retired",
        "put that key in place first: master.key, or the ring's last line",
    )


def summed(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file. Raises OSError."""
    digest, handle = hashlib.sha256(), os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
        return content.tell(), digest.hexdigest()
