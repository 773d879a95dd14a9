"""Master keys: which of them a store is under, and the statement by which one hands over to the next.

The rules are in docs/guide/keys.md, the statement in docs/security/audit-format.md, section 6.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from multiagent_bridge.errors import Invalid, Tampered
from multiagent_bridge.model.checkpoints import parse_verifier_key
from multiagent_bridge.model.journal import Entry

HAND_OVER = "master_key.rotate"
"""The entry that a new key follows: facts `follows` (verifier key), `signed` by the old key, `accepted` by the new one."""

REWRAP = "master_key.rewrap"
"""The entry of conversations that got a new data key, with those they had wrapped anew."""

CURRENT, ACCEPTED, RETIRED = "current", "accepted", "retired"

STEPS = {CURRENT: (ACCEPTED,), ACCEPTED: (RETIRED,), RETIRED: ()}

Check = Callable[[bytes, bytes, bytes], bool]
"""Whether an Ed25519 signature is right: (public key, signature, message)."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """What the store knows of one master key; never the key.

    `current` is the one that things are made under, `accepted` one whose tokens still open, `retired` one that opens nothing.
    `since` is the entry that handed over to it, 0 for the first. `carried` holds what no rotation changes, wrapped.
    """

    id: str
    verifier_key: str
    state: str
    since: int
    carried: bytes

    @property
    def signer(self) -> str:
        return parse_verifier_key(self.verifier_key)[0]


def statement(before: str, follows: str, seq: int, prev: str) -> bytes:
    """What both keys sign: that `follows` (verifier key) comes after `before` with entry `seq`, whose `prev` is given."""
    return f"multiagent-bridge/hand-over/1\n{before}\n{follows}\n{seq}\n{prev}\n".encode()


def signature(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def check_hand_over(entry: Entry, before: str, follows: str, check: Check) -> None:
    """Raises Tampered unless the entry hands over from one verifier key to the other, signed by both."""
    said = statement(before, follows, entry.seq, entry.prev)
    signed = ((before, entry.facts.get("signed")), (follows, entry.facts.get("accepted")))
    if entry.facts.get("follows") != follows or not all(_right(key, text, said, check) for key, text in signed):
        raise Tampered(
            f"entry {entry.seq} does not hand over from one signer to the next",
            "look who can write to the database, and compare with a copy kept elsewhere",
            seq=entry.seq,
            why="signer",
        )


def _right(key: str, text: object, said: bytes, check: Check) -> bool:
    try:
        raw = base64.b64decode(str(text), validate=True)
        public_key = parse_verifier_key(key)[1]
    except (binascii.Error, ValueError, Invalid):
        return False
    # one signature has one text
    return base64.b64encode(raw).decode() == text and len(raw) == 64 and check(public_key, raw, said)
