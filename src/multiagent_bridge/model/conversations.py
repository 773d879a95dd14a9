"""Conversations: two or more sessions under one expiry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. Instants are microseconds since the epoch, UTC.

    `sealed_key` is its data key wrapped under the master key: deleting it makes every body unreadable for good.
    `messages` and `bytes` are what it holds towards its quota; `last_message` is the newest message id given out.
    """

    id: str
    created_at: int
    expires_at: int
    sealed_key: bytes
    last_message: int = 0
    messages: int = 0
    bytes: int = 0

    def expired(self, now: int) -> bool:
        return now >= self.expires_at


@dataclass(frozen=True, slots=True)
class Invite:
    """A one-time code for one session. Only a keyed digest of the code is ever stored."""

    digest: bytes
    conversation_id: str
    session_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Binding:
    """An agent's standing right to act as one session, kept over restarts until the session's generation moves on."""

    agent: str
    conversation_id: str
    session_id: str
    generation: int
    bound_at: int
