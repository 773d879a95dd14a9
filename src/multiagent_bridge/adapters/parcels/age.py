"""The age identity of a state directory, and age files (age-encryption.org/v1) with exactly one recipient."""

from __future__ import annotations

import os
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
from pyrage import x25519

from multiagent_bridge.adapters.parcels.files import replaced
from multiagent_bridge.adapters.state import locked, prepared, read_secret, write_secret
from multiagent_bridge.errors import Invalid, NotFound, Refused, Tampered, Unavailable

FOLDER = "credentials"
"""Of a state directory."""

IDENTITY = "age-identity.txt"


def identity(home: Path, make: bool = False, again: bool = False) -> x25519.Identity:
    """The identity of the state directory; made once when `make`, anew when `again`: then nothing sealed to the old one opens.

    Raises NotFound when there is none, Unavailable when its file cannot be used.
    """
    path = place(home) / IDENTITY
    with locked(path.parent / "keygen.lock"):
        content = read_secret(path)
        if content is not None and not again:
            return _read(content, path)
        if not make:
            raise NotFound("this state directory has no age identity", "mab credentials keygen")
        fresh = x25519.Identity.generate()
        lines = f"# public key: {fresh.to_public()}\n{fresh}\n".encode("ascii")
        if content is None:
            write_secret(path, lines)
        else:
            replaced(path, lines)
        return fresh


def place(home: Path) -> Path:
    """The folder of credentials of a state directory, made if need be. Raises Unavailable."""
    return prepared(prepared(home) / FOLDER)


def file_of(home: Path) -> Path:
    """Where the identity lies."""
    return place(home) / IDENTITY


def sealed(content: bytes, recipient: str) -> bytes:
    """`content` for the eyes of one recipient. Raises Invalid, which does not repeat what was given."""
    try:
        key = x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise Invalid(
            "that is no age recipient: its checksum is wrong", "copy it again: mab credentials keygen"
        ) from error
    return bytes(pyrage.encrypt(content, [key]))


def opened(closed: bytes, own: x25519.Identity) -> bytes:
    """The content of an age file. Raises Refused when it is for somebody else, Tampered when it was cut short or changed."""
    try:
        return bytes(pyrage.decrypt(closed, [own]))
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise Refused(
                "the credentials are encrypted to somebody else's key",
                "the owner pushes them to the key that mab credentials keygen prints here",
            ) from error
        raise Tampered("the credentials do not decrypt: cut short or changed", "the owner pushes them again") from error


def _read(content: bytes, path: Path) -> x25519.Identity:
    lines = [line for line in content.decode("ascii", "replace").split("\n") if line and not line.startswith("#")]
    try:
        (line,) = lines
        return x25519.Identity.from_str(line.strip())
    except (ValueError, pyrage.IdentityError) as error:
        hint = "restore it, or mab credentials keygen --force"
        raise Unavailable(f"{os.fspath(path)} holds no age identity", hint) from error
