"""Sessions in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Quiet


class Sessions(Protocol):
    async def add(self, session: Session) -> None: ...

    async def get(self, conversation_id: str, session_id: str) -> Session | None: ...

    async def of(self, conversation_id: str) -> Sequence[Session]:
        """In the order they were added (a, b, ... z, aa)."""
        ...

    async def heartbeat(self, conversation_id: str, session_id: str, at: int) -> None:
        """Move the heartbeat to `at`, also backwards (a clock that was set back must not look alive for an hour).

        The first heartbeat moves the status from `unknown` to `working`.
        """

    async def report(self, conversation_id: str, session_id: str, status: str, sealed_note: bytes) -> None: ...

    async def rotate(self, conversation_id: str, session_id: str) -> int:
        """Move to the next generation, lift a revocation, drop its bindings and invites. Returns the new generation."""
        ...

    async def revoke(self, conversation_id: str, session_id: str) -> None:
        """End every token, binding and invite of the session."""

    async def stale(self, before: int, now: int) -> Sequence[Quiet]:
        """Every session last heard from at or before `before`, or after `now` (the clock was set back), with what waits for
        it; oldest heartbeat first. Only of conversations that live at `now`; never one that is revoked or was never seen.
        """
        ...

    async def tell(self, conversation_id: str, session_id: str, through: int) -> None:
        """Its client was told of its mail up to and including message id `through`, which never falls."""

    async def told(self, conversation_id: str) -> Mapping[str, int]:
        """Of each session the message id up to which its client was told, 0 at first."""
        ...
