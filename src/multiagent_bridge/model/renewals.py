"""Renewals: a session's token followed by another on a schedule, and how it stands with the one before."""

from __future__ import annotations

from dataclasses import dataclass

OPEN = "open"
"""The new token was not used yet: the one before opens the session, too."""

TAKEN_UP = "taken_up"
"""The new token was used: the one before opens nothing any more."""

ENDED = "ended"
"""A person made this token and ended those before."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How the token of one generation of a session came about. Instants are microseconds since the epoch, UTC.

    `since` is when it was made, `offered_at` when a call with the one before was first answered with it (None: not yet), and
    `restarted` the newest generation that a person made (0: none): those before it were ended, not left behind. It says nothing
    of a session that has moved on to another generation.
    """

    conversation_id: str
    session_id: str
    generation: int
    since: int
    overlap: str
    offered_at: int | None = None
    restarted: int = 0
