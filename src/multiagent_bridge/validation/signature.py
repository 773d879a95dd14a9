"""The signature under a report: an Ed25519 note in the form of C2SP, over a text that is no checkpoint.

The text has two lines, where a checkpoint has three: what is signed as the one can never be shown as the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.checkpoints import key_hash, parse_verifier_key

TITLE = "multiagent-bridge validation report v1"
HASH_BYTES = 4


def canonical(fields: object) -> str:
    """The one text of these fields that is signed: sorted names, no spaces, ASCII, no number that JSON does not have."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def text(report: Mapping[str, object]) -> str:
    """What is signed."""
    return f"{TITLE}\nsha256 {hashlib.sha256(canonical(report).encode('ascii')).hexdigest()}\n"


def signed(report: Mapping[str, object], verifier_key: str, sign: Callable[[bytes], bytes]) -> str:
    """The note under a report."""
    name, public_key = parse_verifier_key(verifier_key)
    body = text(report)
    encoded = base64.b64encode(key_hash(name, public_key) + sign(body.encode("ascii"))).decode()
    return f"{body}\n\u2014 {name} {encoded}\n"


def check(report: Mapping[str, object], note: str, verifier_key: str) -> None:
    """Raises Invalid for a key that is none, Tampered unless the note is that key's signature under exactly this report."""
    name, public_key = parse_verifier_key(verifier_key)
    body, blank, tail = note.partition("\n\n")
    lead = f"\u2014 {name} "
    if not blank or not tail.startswith(lead) or not tail.endswith("\n") or "\n" in tail[:-1]:
        raise Tampered("the report is not signed by the key that it names", "ask where it came from")
    if body + "\n" != text(report):
        raise Tampered("the report is not what was signed: a figure or a word of it was changed", "ask for it again")
    encoded = tail[len(lead) : -1]
    try:
        raw = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    if base64.b64encode(raw).decode() != encoded or raw[:HASH_BYTES] != key_hash(name, public_key):
        raise Tampered("the signature of the report is not one of the key that it names", "ask where it came from")
    if not right(public_key, raw[HASH_BYTES:], body.encode("utf-8") + b"\n"):
        raise Tampered("the signature of the report is wrong: it was edited, or forged", "ask where it came from")


def right(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is the Ed25519 signature of the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
