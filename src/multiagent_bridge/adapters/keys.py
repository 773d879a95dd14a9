"""The master key and what is derived from it (SPEC section 4; notes/engine section 14).

master key (32 random bytes) -> HKDF-SHA256 -> token HMAC, invite HMAC, key HMAC, audit HMAC, data key encryption, audit signing,
credentials signing.
A conversation has a data key of its own, wrapped; a sealed field is key id (4 bytes), nonce (12), ciphertext with tag.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.model.checkpoints import verifier_key
from multiagent_bridge.model.conversations import Conversation

KEY_BYTES = 32
NONCE_BYTES = 12
NAME_BYTES = 4
SIGNER = "multiagent-bridge/journal/"
"""Name of the signer in checkpoints and their origin, followed by 16 hex digits of the key's hash (C2SP)."""


class MasterKeys:
    """Keys derived from one master key, which is held in memory only."""

    def __init__(self, master: bytes) -> None:
        """Raises Unavailable unless `master` has 32 bytes."""
        if len(master) != KEY_BYTES:
            raise Unavailable("the master key is not 32 bytes", "restore master.key, or point MAB_MASTER_KEY at it")
        self._tokens = _derived(master, "token")
        self._invites = _derived(master, "invite")
        self._api_keys = _derived(master, "api key")
        self._audit = _derived(master, "audit digest")
        wrapping = _derived(master, "data key encryption")
        self._wrapping = AESGCM(wrapping)
        self._name = hashlib.sha256(b"key id" + wrapping).digest()[:NAME_BYTES]
        self._signing = Ed25519PrivateKey.from_private_bytes(_derived(master, "audit signing"))
        self.public_key = self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.signer = SIGNER + hashlib.sha256(self.public_key).hexdigest()[:16]
        self.verifier_key = verifier_key(self.signer, self.public_key)
        self._publishing = Ed25519PrivateKey.from_private_bytes(_derived(master, "credentials signing"))
        self.publisher_key = self._publishing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._cipher = lru_cache(maxsize=1024)(self._unwrapped)

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        bound = f"mab1|{conversation_id}|{session_id}|{generation}".encode()
        return hmac.new(self._tokens, bound, "sha256").hexdigest()

    def code_digest(self, code: str) -> bytes:
        return hmac.digest(self._invites, code.encode("utf-8", "surrogatepass"), "sha256")

    def api_key_digest(self, key: str) -> bytes:
        return hmac.digest(self._api_keys, key.encode("utf-8", "surrogatepass"), "sha256")

    def new_key(self, conversation_id: str) -> bytes:
        nonce, key = os.urandom(NONCE_BYTES), os.urandom(KEY_BYTES)
        place = f"conversations/key/{conversation_id}".encode()
        return self._name + nonce + self._wrapping.encrypt(nonce, key, place)

    def seal(self, conversation: Conversation, place: str, text: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        bound = f"{conversation.id}/{place}".encode()
        cipher = self._cipher(conversation.sealed_key, conversation.id)
        return self._name + nonce + cipher.encrypt(nonce, text.encode(), bound)

    def open(self, conversation: Conversation, place: str, sealed: bytes) -> str:
        cipher = self._cipher(conversation.sealed_key, conversation.id)
        bound = f"{conversation.id}/{place}".encode()
        nonce, closed = sealed[NAME_BYTES : NAME_BYTES + NONCE_BYTES], sealed[NAME_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, closed, bound).decode()
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"{place} does not decrypt: it was changed or moved", "mab audit --verify") from error

    def digest(self, text: str) -> str:
        return hmac.digest(self._audit, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def sign(self, message: bytes) -> bytes:
        return self._signing.sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._signing.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def publish(self, message: bytes) -> bytes:
        return self._publishing.sign(message)

    def wrap(self, secret: bytes, place: str) -> bytes:
        """Seal a small secret that lies outside the store, in a file of its own."""
        nonce = os.urandom(NONCE_BYTES)
        return self._name + nonce + self._wrapping.encrypt(nonce, secret, f"file/{place}".encode())

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """What `wrap` sealed. Raises Tampered when it was changed, or sealed under another master key."""
        nonce, sealed = wrapped[NAME_BYTES : NAME_BYTES + NONCE_BYTES], wrapped[NAME_BYTES + NONCE_BYTES :]
        try:
            return self._wrapping.decrypt(nonce, sealed, f"file/{place}".encode())
        except (InvalidTag, ValueError) as error:
            raise Tampered(
                f"the {place} does not open under this master key", "see that master.key is its own"
            ) from error

    def _unwrapped(self, wrapped: bytes, conversation_id: str) -> AESGCM:
        if wrapped[:NAME_BYTES] != self._name:
            raise Unavailable(
                "the conversation was encrypted under another master key",
                "restore the master.key that belongs to this database",
            )
        nonce, closed = wrapped[NAME_BYTES : NAME_BYTES + NONCE_BYTES], wrapped[NAME_BYTES + NONCE_BYTES :]
        try:
            return AESGCM(self._wrapping.decrypt(nonce, closed, f"conversations/key/{conversation_id}".encode()))
        except (InvalidTag, ValueError) as error:
            raise Tampered("the key of a conversation does not unwrap: it was changed or moved") from error


def _derived(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"multiagent-bridge/1/{purpose}".encode()).derive(master)
