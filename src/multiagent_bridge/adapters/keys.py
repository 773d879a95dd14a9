"""The master keys and what is derived from each (SPEC section 4; notes/engine section 14; docs/guide/keys.md).

master key (32 random bytes) -> HKDF-SHA256 -> token HMAC, invite HMAC, key HMAC, audit HMAC, data key encryption, audit signing,
credentials signing.
A conversation has a data key of its own, wrapped; a sealed field is a name (4 bytes), nonce (12), ciphertext with tag.
Since a rotation puts a new data key on top, there may be several: generations.py.

There may be several: a ring. Which of them things are made under, and whose tokens still open, is what the store says.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from multiagent_bridge.adapters import generations
from multiagent_bridge.adapters.generations import LINK, NAME_BYTES, Ciphers, Held
from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.model.checkpoints import verifier_key
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.master_keys import ACCEPTED, CURRENT, RETIRED, MasterKey, signature, statement

KEY_BYTES = 32
NONCE_BYTES = 12
STRADDLE = 30.0
"""Seconds for which a process that was running goes on opening what has just ended: its readers may be in the midst of it."""

SIGNER = "multiagent-bridge/journal/"
"""Name of the signer in checkpoints and their origin, followed by 16 hex digits of the key's hash (C2SP)."""

_MISSING = "put it into the ring of this process, or restart it with the new ring: docs/guide/keys.md"

_SETTLED = b"\x01"
"""At the end of what a master key carries: no conversation has a data key older than its newest."""

Reread = Callable[[], Sequence[bytes]]
"""The ring as its source has it now, the newest first. Raises BridgeError."""


class Derived:
    """Everything that comes of one master key."""

    def __init__(self, master: bytes) -> None:
        """Raises Unavailable unless `master` has 32 bytes."""
        if len(master) != KEY_BYTES:
            raise Unavailable("the master key is not 32 bytes", "restore master.key, or point MAB_MASTER_KEY at it")
        self.tokens = _derived(master, "token")
        self.invites = _derived(master, "invite")
        self.api_keys = _derived(master, "api key")
        self.audit = _derived(master, "audit digest")
        wrapping = _derived(master, "data key encryption")
        self.wrapping = AESGCM(wrapping)
        self.name = hashlib.sha256(b"key id" + wrapping).digest()[:NAME_BYTES]
        self.id = self.name.hex()
        self.signing = Ed25519PrivateKey.from_private_bytes(_derived(master, "audit signing"))
        self.public_key = self.signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.signer = SIGNER + hashlib.sha256(self.public_key).hexdigest()[:16]
        self.verifier_key = verifier_key(self.signer, self.public_key)
        self.publishing = Ed25519PrivateKey.from_private_bytes(_derived(master, "credentials signing"))
        self.publisher_key = self.publishing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def wrap(self, secret: bytes, place: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return self.name + nonce + self.wrapping.encrypt(nonce, secret, place.encode())

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Raises InvalidTag or ValueError for what was not wrapped so."""
        nonce, closed = wrapped[NAME_BYTES : NAME_BYTES + NONCE_BYTES], wrapped[NAME_BYTES + NONCE_BYTES :]
        return self.wrapping.decrypt(nonce, closed, place.encode())

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        bound = f"mab1|{conversation_id}|{session_id}|{generation}".encode()
        return hmac.new(self.tokens, bound, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the keys stand, replaced as a whole: threads of a store and the faces read it."""

    ring: Mapping[str, Derived]
    """By id, the newest first."""
    rows: tuple[MasterKey, ...]
    current: Derived
    accepted: tuple[Derived, ...]
    """Whose tokens open, the oldest first; the current one is the last."""
    audit: bytes
    api_keys: bytes
    digests: hmac.HMAC
    """Of nothing yet, under `audit`: a copy costs a sixth of a new one in the midst of a send."""
    settled: bool = False
    """Whether every data key but the newest of each conversation was destroyed."""
    since: float = 0.0
    """When this process heard what has ended."""


class MasterKeys:
    """Keys derived from a ring of master keys, which are held in memory only."""

    def __init__(
        self, *masters: bytes, reread: Reread | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`masters`: the newest first. Raises Unavailable unless each has 32 bytes."""
        self._reread = reread
        self._clock = clock
        self._standing = self._stood(_ring(masters), ())
        self._cipher = lru_cache(maxsize=1024)(self._unwrapped)

    @property
    def current(self) -> str:
        return self._standing.current.id

    @property
    def signer(self) -> str:
        return self._standing.current.signer

    @property
    def public_key(self) -> bytes:
        return self._standing.current.public_key

    @property
    def verifier_key(self) -> str:
        return self._standing.current.verifier_key

    @property
    def publisher_key(self) -> bytes:
        return self._standing.accepted[0].publisher_key

    @property
    def ring(self) -> Mapping[str, str]:
        return {name: key.verifier_key for name, key in self._standing.ring.items()}

    def follow(self, rows: Sequence[MasterKey]) -> None:
        standing = self._standing
        if tuple(rows) == standing.rows:
            return
        ring = standing.ring
        if any(row.state == CURRENT and row.id not in ring for row in rows):
            ring = self._renewed()
        # who has just come has no reader in the midst of anything
        since = self._clock() if standing.rows else self._clock() - STRADDLE
        self._standing = replace(self._stood(ring, tuple(rows)), since=since)

    def first(self) -> MasterKey:
        key = self._standing.current
        return MasterKey(key.id, key.verifier_key, CURRENT, 0, b"")

    def hand_over(self, to: str, seq: int, prev: str) -> tuple[MasterKey, str, str]:
        standing = self._standing
        before, after = standing.current, standing.ring[to]
        said = statement(before.verifier_key, after.verifier_key, seq, prev)
        carried = after.wrap(standing.audit + standing.api_keys, f"carried/{to}")
        row = MasterKey(to, after.verifier_key, CURRENT, seq, carried)
        return row, signature(before.signing.sign(said)), signature(after.signing.sign(said))

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        return self._standing.current.token(conversation_id, session_id, generation)

    def tokens(self, conversation_id: str, session_id: str, generation: int) -> Sequence[str]:
        return [key.token(conversation_id, session_id, generation) for key in self._standing.accepted]

    def code_digest(self, code: str) -> bytes:
        return hmac.digest(self._standing.accepted[0].invites, code.encode("utf-8", "surrogatepass"), "sha256")

    def api_key_digest(self, key: str) -> bytes:
        return hmac.digest(self._standing.api_keys, key.encode("utf-8", "surrogatepass"), "sha256")

    def new_key(self, conversation_id: str) -> bytes:
        return self._standing.current.wrap(os.urandom(KEY_BYTES), generations.first(conversation_id))

    def renew(self, conversation: Conversation) -> bytes:
        standing = self._standing
        held = self._held(conversation.sealed_key, conversation.id)
        masters = {*standing.ring, *(row.id for row in standing.rows)}
        return generations.renewed(held, os.urandom(KEY_BYTES), conversation.id, masters, standing.current.wrap)

    def newest(self, conversation: Conversation) -> bytes:
        return conversation.sealed_key[:LINK]

    def names(self, conversation: Conversation) -> Sequence[bytes]:
        return self._ciphers(conversation).names

    def carried(self, settled: bool) -> bytes:
        standing = self._standing
        carried = standing.audit + standing.api_keys + (_SETTLED if settled else b"")
        return standing.current.wrap(carried, f"carried/{standing.current.id}")

    @property
    def settled(self) -> bool:
        return self._standing.settled

    def seal(self, conversation: Conversation, place: str, text: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        # who writes has read the row in its turn: nothing can have ended meanwhile
        ciphers = self._ciphers(conversation, straddle=0.0)
        bound = f"{conversation.id}/{place}{ciphers.bound}".encode()
        return ciphers.name + nonce + ciphers.newest.encrypt(nonce, text.encode(), bound)

    def open(self, conversation: Conversation, place: str, sealed: bytes) -> str:
        ciphers = self._ciphers(conversation)
        found = ciphers.of(sealed)
        if found is None:
            raise Tampered(f"{place} is sealed under a data key that was destroyed", "restore a backup of its time")
        cipher, generation = found
        bound = f"{conversation.id}/{place}{generation}".encode()
        nonce, closed = sealed[NAME_BYTES : NAME_BYTES + NONCE_BYTES], sealed[NAME_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, closed, bound).decode()
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"{place} does not decrypt: it was changed or moved", "mab audit --verify") from error

    def digest(self, text: str) -> str:
        made = self._standing.digests.copy()
        made.update(text.encode("utf-8", "surrogatepass"))
        return made.hexdigest()

    def sign(self, message: bytes) -> bytes:
        return self._standing.current.signing.sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        return self.check(self.public_key, signature, message)

    def check(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def publish(self, message: bytes) -> bytes:
        return self._standing.accepted[0].publishing.sign(message)

    def wrap(self, secret: bytes, place: str) -> bytes:
        """Seal a small secret that lies outside the store, in a file of its own."""
        return self._standing.current.wrap(secret, f"file/{place}")

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """What `wrap` sealed, under any key of the ring. Raises Tampered when it was changed, or sealed under another one."""
        key = self._standing.ring.get(wrapped[:NAME_BYTES].hex(), self._standing.current)
        try:
            return key.unwrap(wrapped, f"file/{place}")
        except (InvalidTag, ValueError) as error:
            raise Tampered(
                f"the {place} does not open under this master key", "see that master.key is its own"
            ) from error

    def _stood(self, ring: Mapping[str, Derived], rows: tuple[MasterKey, ...]) -> _Standing:
        """Raises Unavailable when the current key of `rows` is not in the ring, Tampered when what it carries was changed."""
        now = next((row for row in rows if row.state == CURRENT), None)
        if now is None and rows:
            raise Tampered("the store names master keys and none that is current", "look who can write to the database")
        if now is None:
            # before the first rotation a newer key is one that waits for its turn
            key = list(ring.values())[-1]
            return _Standing(ring, rows, key, (key,), key.audit, key.api_keys, hmac.new(key.audit, digestmod="sha256"))
        if now.id not in ring:
            raise Unavailable(f"the master key was rotated to {now.id}, which this process does not have", _MISSING)
        current = ring[now.id]
        try:
            carried = current.unwrap(now.carried, f"carried/{now.id}")
        except (InvalidTag, ValueError) as error:
            raise Tampered(
                "what the master key carries on does not open: it was changed", "restore a backup"
            ) from error
        older = [ring[row.id] for row in rows if row.state == ACCEPTED and row.id in ring]
        audit, api_keys = carried[:KEY_BYTES], carried[KEY_BYTES : 2 * KEY_BYTES]
        digests = hmac.new(audit, digestmod="sha256")
        settled = carried[2 * KEY_BYTES :] == _SETTLED
        return _Standing(ring, rows, current, (*older, current), audit, api_keys, digests, settled)

    def _renewed(self) -> Mapping[str, Derived]:
        """The ring as its source has it now; the one in hand where there is no source."""
        if self._reread is not None:
            # a source that fails is told of by its own error: the key that is lacking may well be there
            # what is in hand stays: a ring that lost a key must not stop who still has it
            self._standing = replace(self._standing, ring={**_ring(self._reread()), **self._standing.ring})
        return self._standing.ring

    def _ciphers(self, conversation: Conversation, straddle: float = STRADDLE) -> Ciphers:
        wrapped, standing = conversation.sealed_key, self._standing
        if len(wrapped) > LINK or wrapped[:NAME_BYTES] != standing.current.name:
            self._refuse_ended(wrapped, standing, straddle)
        return self._cipher(wrapped, conversation.id)

    def _refuse_ended(self, wrapped: bytes, standing: _Standing, straddle: float) -> None:
        """Raises Tampered for data keys that the store says were destroyed, or whose master key was retired."""
        name = wrapped[:NAME_BYTES]
        returned = standing.settled and name == standing.current.name and len(wrapped) > LINK
        retired = any(row.state == RETIRED and row.id == name.hex() for row in standing.rows)
        if (returned or retired) and self._clock() - standing.since >= straddle:
            what = "is wrapped under a retired master key" if retired else "was destroyed"
            raise Tampered(f"a data key of a conversation is back that {what}", "look who can write to the database")

    def _unwrapped(self, wrapped: bytes, conversation_id: str) -> Ciphers:
        return Ciphers(wrapped, self._held(wrapped, conversation_id))

    def _held(self, wrapped: bytes, conversation_id: str) -> Held:
        return generations.held(wrapped, conversation_id, self._link)

    def _link(self, wrapped: bytes, place: str) -> bytes:
        """Raises Unavailable, Tampered."""
        name = wrapped[:NAME_BYTES].hex()
        ring = self._standing.ring
        if name not in ring:
            ring = self._renewed()
        if name not in ring:
            raise Unavailable(
                "the conversation was encrypted under another master key",
                "restore the master.key that belongs to this database",
            )
        try:
            return ring[name].unwrap(wrapped, place)
        except (InvalidTag, ValueError) as error:
            raise Tampered("the key of a conversation does not unwrap: it was changed or moved") from error


def key_id(master: bytes) -> str:
    """The id of a master key: what every data key wrapped under it begins with, in hex. Raises Unavailable."""
    return Derived(master).id


def _ring(masters: Sequence[bytes]) -> Mapping[str, Derived]:
    ring = {key.id: key for key in map(Derived, masters)}
    if len(ring) < len(masters):
        raise Unavailable(
            "two master keys of the ring have the same id", "make the newer one anew: openssl rand -hex 32"
        )
    return ring


def _derived(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"multiagent-bridge/1/{purpose}".encode()).derive(master)
