"""Signed checkpoints: what the journal was at a size, in a form that may be kept anywhere.

Sources: C2SP signed-note v1.0.0 and tlog-checkpoint v1.0.0; docs/security/audit-format.md, section 6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from multiagent_bridge.errors import Invalid, Tampered

LONGEST_NOTE = 65_536
"""Characters of a note that are looked at: room for 16 signatures of the largest kind would not be used here."""

LARGEST_SIZE = 2**53 - 1
"""Sizes and sequence numbers stay integers in every JSON reader (RFC 8785, section 3.2.2.3)."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_KEY_HASH = re.compile(r"[0-9a-f]{8}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_ED25519 = b"\x01"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The RFC 6962 root (32 bytes) over the first `size` entries of the journal named `origin`."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or _CONTROL.search(self.origin):
            raise Invalid("the origin of a checkpoint must be one line", "use a name like example.org/journal")
        if not 0 <= self.size <= LARGEST_SIZE:
            raise Invalid("the size of a checkpoint is out of range", "use a number of entries")
        if len(self.root) != 32:
            raise Invalid(f"the root of a checkpoint has {len(self.root)} bytes", "use the 32 bytes of a SHA-256")
        if self.size == 0 and self.root != hashlib.sha256().digest():
            raise Invalid("the root of an empty journal is not the hash of nothing", "RFC 6962 section 2.1 fixes it")

    def body(self) -> bytes:
        """The text that is signed: three lines, the last newline included."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n".encode()

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """The checkpoint in a note, its signatures not looked at. Raises Invalid naming what is wrong."""
        return cls._of_body(_split(note)[0])

    @classmethod
    def _of_body(cls, body: str) -> Checkpoint:
        lines = body.split("\n")
        if len(lines) != 4:
            raise _malformed(f"its text has {len(lines) - 1} lines instead of three")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise _malformed("its second line is not a size in decimal without leading zeros")
        return cls(origin, int(size), _unbase64(root, "its third line"))


def key_hash(name: str, public_key: bytes) -> bytes:
    """The 4 bytes that name an Ed25519 key (32 bytes) in a note: SHA-256(name, newline, 0x01, key), cut."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes) -> str:
    """The text form of a public key, `name+hash+base64(0x01 key)`. Raises Invalid for a bad name or length."""
    _check_key(name, public_key)
    return f"{name}+{key_hash(name, public_key).hex()}+{_base64(_ED25519 + public_key)}"


def parse_verifier_key(text: str) -> tuple[str, bytes]:
    """(name, 32-byte public key) of a text form. Raises Invalid when its parts do not agree."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _KEY_HASH.fullmatch(parts[1]):
        raise Invalid("this is not a verifier key", "its form is name+hash+key")
    encoded = _unbase64(parts[2], "the key", Invalid("the key in the verifier key is not base64", "copy it whole"))
    name, public_key = parts[0], encoded[1:]
    if encoded[:1] != _ED25519:
        raise Invalid("the verifier key is not an Ed25519 key", "its first byte must be 0x01")
    _check_key(name, public_key)
    if key_hash(name, public_key).hex() != parts[1]:
        raise Invalid("the hash in the verifier key does not fit its name and key", "copy it whole")
    return name, public_key


def sign(checkpoint: Checkpoint, name: str, public_key: bytes, signer: Callable[[bytes], bytes]) -> str:
    """The signed note of a checkpoint. `signer` makes the Ed25519 signature (64 bytes) of the bytes it is given.

    Raises Invalid for a bad name, key or signature length.
    """
    _check_key(name, public_key)
    body = checkpoint.body()
    signature = signer(body)
    if len(signature) != 64:
        raise Invalid(f"the signature has {len(signature)} bytes", "an Ed25519 signature has 64")
    return f"{body.decode()}\n\u2014 {name} {_base64(key_hash(name, public_key) + signature)}\n"


def verify(note: str, key: str, check: Callable[[bytes, bytes, bytes], bool]) -> Checkpoint:
    """The checkpoint of a note that the key `key` (text form) signed.

    `check(public_key, signature, message)` says whether an Ed25519 signature is right. Lines of other keys are
    ignored, as C2SP demands. Raises Invalid for text that is no checkpoint, Tampered when the signature is wrong
    or there is none of this key.
    """
    name, public_key = parse_verifier_key(key)
    body, signatures = _split(note)
    checkpoint = Checkpoint._of_body(body)
    wanted = (name, key_hash(name, public_key))
    ours = [rest for *who, rest in signatures if tuple(who) == wanted]
    if not ours:
        raise Tampered(f"the checkpoint at size {checkpoint.size} is not signed by {name}", "ask where it came from")
    for signature in ours:
        if len(signature) != 64 or not check(public_key, signature, body.encode()):
            raise Tampered(
                f"the signature of the checkpoint at size {checkpoint.size} is wrong", "it was edited, or forged"
            )
    return checkpoint


def _split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text with its last newline, and (name, key hash, signature) of each signature line."""
    if len(note) > LONGEST_NOTE:
        raise _malformed(f"it has more than {LONGEST_NOTE:,} characters")
    if _CONTROL.search(note):
        raise _malformed("it holds a control character")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise _malformed("it has no signature lines after a blank line")
    return text + "\n", [_signature(line) for line in tail[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not name or "+" in name:
        raise _malformed("a signature line does not begin with an em dash and a key name")
    raw = _unbase64(encoded, "a signature")
    if len(raw) < 5:
        raise _malformed("a signature is too short")
    return name, raw[:4], raw[4:]


def _check_key(name: str, public_key: bytes) -> None:
    if not name or "+" in name or any(letter.isspace() or letter < " " for letter in name):
        raise Invalid("a key name must hold neither spaces nor plus signs", "use a name like example.org/journal")
    if len(public_key) != 32:
        raise Invalid(f"the public key has {len(public_key)} bytes", "an Ed25519 public key has 32")


def _malformed(what: str) -> Invalid:
    return Invalid(f"this is no checkpoint: {what}", "docs/security/audit-format.md gives its form")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unbase64(text: str, what: str, wrong: Invalid | None = None) -> bytes:
    """Strict: the one encoding of these bytes, so that no two texts of a checkpoint mean the same."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise wrong or _malformed(f"{what} is not base64") from None
    if _base64(raw) != text:
        raise wrong or _malformed(f"{what} is not in the one base64 form of its bytes")
    return raw
