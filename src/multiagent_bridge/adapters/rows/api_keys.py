"""API keys as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multiagent_bridge.model.identities import ApiKey


def api_key(row: Sequence[Any]) -> ApiKey:
    """The key of a row in the order of the columns."""
    number, name, digest, roles, conversations, *instants = row
    confined = None if conversations is None else tuple(conversations.split())
    return ApiKey(number, name, digest, tuple(roles.split()), confined, *instants)
