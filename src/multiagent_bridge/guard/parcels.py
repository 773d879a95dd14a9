"""Judges parcels: the words they are made from, their form, and whether a worker may take one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import fields
from urllib.parse import urlsplit

from multiagent_bridge.errors import Invalid, Refused, Tampered
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.parcels import SEALED_BYTES, VERSION, Parcel, Seen, Signed

PREFIX = "mabpub-"
"""How a publisher's key begins, so that nobody takes a token for one."""

CONTEXT = b"multiagent-bridge/credentials/1\n"
"""Stands before what is signed: a signature made for anything else says nothing here."""

PADDING = 2048
"""Contents are filled up to a multiple of so many bytes: the size of a file tells neither role nor hub."""

AHEAD = 300 * SECOND
"""How far the publisher's clock may be ahead of the worker's."""

_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_PUBLISHER = re.compile(PREFIX + "[0-9a-f]{64}")
_KEY = re.compile(r"[!-~]{1,500}")
_TOKEN = re.compile(r"[0-9a-f]{64}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NUMBERS = ("generation", "sequence", "issued_at", "expires_at")
_MOST = 10**18


def worker(name: str) -> str:
    """`name` if an agent may have it. Raises Invalid."""
    if not _WORKER.fullmatch(name):
        raise Invalid(
            "that is no name for a worker", "1 to 64 letters, digits, dots, dashes; such as --worker builder-1"
        )
    return name


def recipient(key: str) -> str:
    """`key` if it looks like an age recipient. Raises Invalid, which never repeats it: it may be a secret one."""
    if not _RECIPIENT.fullmatch(key):
        raise Invalid(
            "that is no age recipient", "the worker's mab credentials keygen prints it: age1 and 58 characters"
        )
    return key


def publisher(key: str) -> bytes:
    """The 32 bytes of a publisher's key. Raises Invalid, which never repeats it."""
    if not _PUBLISHER.fullmatch(key):
        raise Invalid("that is no publisher key", f"mab credentials keygen on the hub's machine prints it: {PREFIX}...")
    return bytes.fromhex(key[len(PREFIX) :])


def publisher_text(key: bytes) -> str:
    """A publisher's key as people pass it on."""
    return PREFIX + key.hex()


def hub_url(url: str) -> str:
    """`url` if a worker may be sent there: HTTPS, or HTTP to its own machine, no user in it. Raises Invalid."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid("the hub's address is not a URL", "such as --hub https://hub.example.org/mcp") from error
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= 500
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not plain or not safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise Invalid(
            "a hub is reached over HTTPS, or HTTP on the same machine", "such as --hub https://hub.example.org/mcp"
        )
    return url


def hub_key(key: str) -> str:
    """`key` if it may be sent to a hub as a bearer credential. Raises Invalid, which never repeats it."""
    if not _KEY.fullmatch(key):
        raise Invalid("the key for the hub is not one line of plain characters", "as mab key create prints it")
    return key


def message(body: str) -> bytes:
    """What is signed for a body."""
    return CONTEXT + body.encode()


def body_of(parcel: Parcel) -> str:
    """The text of a parcel, of which everything is signed."""
    return json.dumps({"version": VERSION} | {f.name: getattr(parcel, f.name) for f in fields(parcel)})


def wrapped(signed: Signed) -> bytes:
    """The content of a letter, filled up with spaces."""
    said = {
        "body": signed.body,
        "publisher": publisher_text(signed.publisher),
        "signature": base64.b64encode(signed.signature).decode(),
    }
    content = json.dumps(said).encode()
    return content.ljust(-(-len(content) // PADDING) * PADDING)


def unwrapped(content: bytes) -> Signed:
    """Read the content of a letter. Raises Tampered for anything else."""
    said = _object(content)
    body, key, signature = (said.get(name) for name in ("body", "publisher", "signature"))
    if not isinstance(body, str) or not isinstance(key, str) or not isinstance(signature, str):
        raise _broken()
    try:
        # a body with lone surrogates cannot be what was signed
        body.encode()
        return Signed(body, publisher(key), base64.b64decode(signature, validate=True))
    except (UnicodeEncodeError, binascii.Error, Invalid) as error:
        raise _broken() from error


def parcel_of(body: str) -> Parcel:
    """Read a body whose signature was verified. Raises Refused for a version not known here, Tampered for what is no parcel."""
    said = _object(body.encode())
    if said.get("version") != VERSION:
        raise Refused(
            "the credentials are of a form that this version does not know", "update the bridge on this machine"
        )
    words = {f.name: said.get(f.name) for f in fields(Parcel)}
    for name, value in words.items():
        if name in _NUMBERS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _MOST:
                raise _broken()
        elif not isinstance(value, str):
            raise _broken()
    found = Parcel(**words)  # type: ignore[arg-type]
    try:
        if found.hub:
            hub_url(found.hub)
        if found.hub_key:
            hub_key(found.hub_key)
        worker(found.worker)
        recipient(found.recipient)
        found.role.encode()
    except (Invalid, UnicodeEncodeError) as error:
        raise _broken() from error
    seat = Credentials(found.conversation_id, found.session_id)
    if not access.wellformed(seat) or not _TOKEN.fullmatch(found.token) or len(found.role) > 200:
        raise _broken()
    return found


def pinned(name: str, seen: Seen | None, given: bytes | None) -> bytes:
    """The key that every parcel of a worker must be signed with. Raises Refused for none, or when a different one is given."""
    if seen is None and given is None:
        raise Refused(
            f"nobody has said whose credentials {name} may trust",
            "--publisher KEY, as mab credentials keygen prints it on the hub's machine",
        )
    if seen is not None and not seen.sequence and given is not None:
        # nothing was ever taken from whom it named before
        return given
    if seen is not None and given is not None and seen.publisher != given:
        raise Refused(
            f"{name} trusts another publisher",
            "if the hub really has another key now, remove the worker's file from the state directory first",
        )
    return seen.publisher if seen is not None else given or b""


def digest(body: str) -> str:
    """What a worker remembers of a parcel that it took."""
    return hashlib.sha256(body.encode()).hexdigest()


def fresh(parcel: Parcel, name: str, key: str, seen: Seen | None, taken: str, now: int) -> bool:
    """Whether a verified parcel, of digest `taken`, is new to the worker `name` with the age recipient `key`.

    Raises Refused when it is for somebody else, older than what was seen (a replay), expired, or dated in the future.
    """
    if parcel.worker != name or parcel.recipient != key:
        raise Refused(f"the credentials in {name}'s file are somebody else's", "the owner pushes them again")
    if seen is not None and parcel.sequence == seen.sequence and taken != seen.digest:
        raise Refused("two different files carry one number", "ask the owner to push again, and why that happened")
    if seen is not None and parcel.sequence < seen.sequence:
        # by number and not by date: a hub's clock that was set back locks nobody out
        raise Refused(
            f"the credentials are older than what {name} has seen: number {parcel.sequence} after {seen.sequence}",
            "an old file was put back; the owner pushes again",
        )
    if now >= parcel.expires_at:
        raise Refused(
            "the credentials have expired", f"the owner: mab extend {parcel.conversation_id}, then pushes again"
        )
    if parcel.issued_at > now + AHEAD:
        raise Refused("the credentials are dated in the future", "set the clock of this machine, or the hub's")
    return seen is None or parcel.sequence > seen.sequence


def _object(content: bytes) -> dict[str, object]:
    if len(content) > SEALED_BYTES:
        raise _broken()
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _broken() from error
    if not isinstance(said, dict):
        raise _broken()
    return said


def _broken() -> Tampered:
    return Tampered("the file opens but holds no credentials", "the owner pushes them again")
