"""The master key and what is derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.master_keys import MasterKey


class Keys(Protocol):
    """The master keys and what is derived from them. No method ever returns a key in clear.

    Things are made under the current one. Until a rotation ends, tokens made under the one before open too, and codes and
    credentials for workers are made under it still: whoever has not heard of the rotation reads them. Digests of entries and of
    keys of this hub are never made anew: the secret they are made under goes on under each new master key.
    """

    @property
    def current(self) -> str:
        """The id of the current master key, 8 hex digits."""
        ...

    @property
    def verifier_key(self) -> str:
        """Public part of the audit signing key, in C2SP form."""
        ...

    @property
    def signer(self) -> str:
        """Name of the signer in checkpoints, and their origin: unique to the current master key."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of it."""
        ...

    @property
    def ring(self) -> Mapping[str, str]:
        """Ids of the master keys at hand with the verifier key of each, the newest first."""
        ...

    def follow(self, rows: Sequence[MasterKey]) -> None:
        """Stand as the store says. Without rows the oldest key of the ring is the current one.

        Raises Unavailable when the current one is not at hand, also after another look at where keys come from.
        """

    def first(self) -> MasterKey:
        """The row of the current key before the first rotation."""
        ...

    def hand_over(self, to: str, seq: int, prev: str) -> tuple[MasterKey, str, str]:
        """The row of the key that follows the current one with entry `seq`, and the signatures of both under
        `model.master_keys.statement`. Changes nothing.
        """
        ...

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        """64 hex characters: HMAC-SHA256, bound to all three."""
        ...

    def tokens(self, conversation_id: str, session_id: str, generation: int) -> Sequence[str]:
        """Every token that opens the session now: one a master key that still counts."""
        ...

    def code_digest(self, code: str) -> bytes:
        """Keyed digest under which an invite code is stored."""
        ...

    def api_key_digest(self, key: str) -> bytes:
        """Keyed digest under which a key of this hub is stored; a key of another hub has another."""
        ...

    def new_key(self, conversation_id: str) -> bytes:
        """A new data key for the conversation, wrapped under the master key and bound to the conversation id."""
        ...

    def renew(self, conversation: Conversation) -> bytes:
        """A new data key on top of those the conversation has, which from then on only open; all of them wrapped under the
        current master key. Raises Tampered, Unavailable.
        """
        ...

    def newest(self, conversation: Conversation) -> bytes:
        """The wrapped newest data key of the conversation, which no older one follows."""
        ...

    def names(self, conversation: Conversation) -> Sequence[bytes]:
        """What a text begins with that the newest data key sealed, four bytes, then one for each older one."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the store says that no conversation has an older data key: one that is back is refused."""
        ...

    def carried(self, settled: bool) -> bytes:
        """What the current master key carries, and with it whether every older data key was destroyed."""
        ...

    def seal(self, conversation: Conversation, place: str, text: str) -> bytes:
        """AES-GCM under the conversation's newest data key; `place` (table, column, row) is bound to it."""
        ...

    def open(self, conversation: Conversation, place: str, sealed: bytes) -> str:
        """The text, whichever of the conversation's data keys sealed it. Raises Tampered when key, place or bytes do not fit, and
        for data keys that have ended: those under a retired master key, and older ones once they were destroyed.
        """
        ...

    def digest(self, text: str) -> str:
        """Hex HMAC-SHA256 under the audit key: lets an entry vouch for a text without holding it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 under the audit signing key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...

    def check(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether an Ed25519 signature under any public key is right."""
        ...

    @property
    def publisher_key(self) -> bytes:
        """The 32 bytes of the public key that credentials for workers are signed under, a key of its own."""
        ...

    def publish(self, message: bytes) -> bytes:
        """Ed25519 under the key that signs credentials for workers."""
        ...
