"""The signature under an archive, and the journal that it brings along. Pure: no clock, no I/O, no key.

What is signed has two lines, where a checkpoint has three: what is signed as the one can never be shown as the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from multiagent_bridge.errors import Invalid, Tampered
from multiagent_bridge.model.checkpoints import parse_verifier_key, verify
from multiagent_bridge.model.journal import Entry, parse

TITLE = "multiagent-bridge archive v1"
AGAIN = "ask for it again: mab export CONV FILE"

Check = Callable[[bytes, bytes, bytes], bool]
"""Whether this (public key, signature, message) is an Ed25519 signature of the message."""


def signed(document: Mapping[str, object], sign: Callable[[bytes], bytes]) -> str:
    """The signature of all of it but the field `signature`, in hex."""
    return sign(_text(document)).hex()


def verified(document: Mapping[str, object], check: Check, key: str | None = None) -> Sequence[Entry]:
    """The entries of an archive that is what the key it names has signed; with `key`, only when it names that one.

    Raises Invalid for a verifier key or checkpoint that is none, Tampered naming what is wrong.
    """
    named, signature, note = (document.get(name) for name in ("verifier_key", "signature", "checkpoint"))
    if not isinstance(named, str) or not isinstance(signature, str) or not isinstance(note, str):
        raise Tampered("the archive is not signed", AGAIN)
    _, public_key = parse_verifier_key(named)
    if key is not None and parse_verifier_key(key) != parse_verifier_key(named):
        raise Tampered("the archive is signed by another key than the one that must have signed it", AGAIN)
    if not check(public_key, _bytes(signature), _text(document)):
        raise Tampered("the archive is not what was signed: it was changed on its way", AGAIN)
    return _entries(document.get("journal"), document.get("conversation_id"), verify(note, named, check).size)


def _entries(found: object, conversation_id: object, size: int) -> Sequence[Entry]:
    """Those of the archive, whose checkpoint is of `size`."""
    if not isinstance(found, list):
        raise Tampered("the archive has no entries of a journal", AGAIN)
    entries: list[Entry] = []
    for fields in found:
        try:
            entry = parse(_canonical(fields))
        except Invalid as error:
            raise Tampered(f"an entry of the archive cannot be read: {error.sentence}", AGAIN) from error
        before = entries[-1] if entries else None
        if entry.conversation != conversation_id or entry.seq > size or (before and entry.seq <= before.seq):
            raise Tampered(f"entry {entry.seq} of the archive is not in its place", AGAIN)
        if before and entry.seq == before.seq + 1 and entry.prev != before.hash:
            raise Tampered(f"entry {entry.seq} of the archive does not follow the one before", AGAIN)
        entries.append(entry)
    return entries


def _text(document: Mapping[str, object]) -> bytes:
    said = _canonical({name: value for name, value in document.items() if name != "signature"})
    return f"{TITLE}\nsha256 {hashlib.sha256(said.encode('ascii')).hexdigest()}\n".encode("ascii")


def _canonical(fields: object) -> str:
    try:
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid("the archive holds what no archive holds", AGAIN) from error


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except ValueError:
        return b""
