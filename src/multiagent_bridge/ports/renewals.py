"""Renewals of session tokens in the store."""

from __future__ import annotations

from typing import Protocol

from multiagent_bridge.model.renewals import Renewal


class Renewals(Protocol):
    """At most one a session, that of its newest generation. They leave with their session."""

    async def get(self, conversation_id: str, session_id: str) -> Renewal | None:
        """The session's renewal; None when it has none, or has moved on to another generation without one."""
        ...

    async def renew(self, conversation_id: str, session_id: str, generation: int, at: int, offered: bool) -> bool:
        """Move the session from `generation` to the next and open an overlap; its bindings move along, its invites stay.

        `offered`: the token before is answered with the new one now. One compare-and-set: False, and nothing is changed, for a
        session of another generation, a revoked one, and one that is not there.
        """
        ...

    async def restart(self, conversation_id: str, session_id: str, generation: int, at: int) -> None:
        """A person made the token of `generation` at `at`: no overlap. Renewals after it keep that generation as `restarted`.

        Raises NotFound for a session that is not there.
        """

    async def offer(self, conversation_id: str, session_id: str, generation: int, at: int) -> bool:
        """The token before is first answered with that of `generation`. False, and nothing is changed, when it was before, and
        when the renewal is of another generation or its overlap is not open.
        """
        ...

    async def take_up(self, conversation_id: str, session_id: str, generation: int) -> bool:
        """The token of `generation` was used: the overlap is over. False, and nothing is changed, when none is open."""
        ...
