"""Enablings and grants in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.yolo import Enabling, Grant


class Yolo(Protocol):
    """Enablings, and the grants made under them. Newest and oldest are by when they were added, whatever the clock said."""

    async def add(self, enabling: Enabling) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation, RuntimeError unless asked or offered."""

    async def get(self, enabling_id: str) -> Enabling | None: ...

    async def current(self, conversation_id: str) -> Enabling | None:
        """The one that is `enabled`; at most one a conversation, which the store enforces (a second raises Conflict)."""
        ...

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Enabling]:
        """The newest `limit` (of one conversation if given), newest first."""
        ...

    async def change(self, enabling: Enabling, was: str) -> bool:
        """Replace the row by `enabling` if its state is `was`: of many who race one gets True, False changes nothing.

        Raises Conflict when it would be the second that is enabled, RuntimeError for a step that is none of
        model.yolo.STEPS or into another conversation, whatever the row holds.
        """
        ...

    async def add_grant(self, grant: Grant) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation."""

    async def grants(self, conversation_id: str) -> Sequence[Grant]:
        """Those not ended and with runs left, newest first."""
        ...

    async def spend(self, grant_id: str, boot: str, boottime: int, now: int) -> bool:
        """Take one run in one statement: only while it is not ended, of this boot, within both clocks and with runs
        left, never when `now` lies before `granted_at` (the clock was set back), and never for an empty boot.
        """
        ...

    async def end_grants(self, conversation_id: str, now: int) -> int:
        """End every live grant of the conversation. Returns how many."""
        ...
