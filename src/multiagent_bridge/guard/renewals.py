"""Judges the age of a session's token, and whether the one before it still opens the session."""

from __future__ import annotations

from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.renewals import OPEN, Renewal


def due(found: Renewal | None, opened_at: int, now: int, seconds: int, grace: int) -> bool:
    """Whether the token is `seconds` old or older and to be followed by another; 0: it never is.

    Without a renewal it is as old as its conversation, `opened_at`. While a holder of the one before has been offered it and has
    time left to take it up, nothing moves: that holder would be left behind by two.
    """
    since = opened_at if found is None else found.since
    waits = found is not None and found.offered_at is not None and opens(found, now, grace)
    return seconds > 0 and now - since >= seconds * SECOND and not waits


def opens(found: Renewal, now: int, grace: int) -> bool:
    """Whether the token before opens the session: until `grace` seconds after it was first answered with the new one."""
    return found.overlap == OPEN and (found.offered_at is None or now < found.offered_at + grace * SECOND)
