"""Sessions as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multiagent_bridge.model.sessions import Session


def session(row: Sequence[Any]) -> Session:
    """The session of a row in the order of the columns."""
    conversation_id, name, role, generation, revoked, status, note, heartbeat, unread = row
    return Session(conversation_id, name, role, generation, bool(revoked), status, note, heartbeat, unread)
