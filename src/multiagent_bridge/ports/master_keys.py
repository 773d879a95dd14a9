"""What the store knows of the master keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.master_keys import MasterKey


class MasterKeys(Protocol):
    """Which master keys the store is under. While one of them is retired, no conversation is added whose data key is wrapped
    under it (Invalid): a process that has not heard of the rotation must not bring it back.
    """

    async def list(self) -> Sequence[MasterKey]:
        """All that it ever was under, in the order they were added; empty before the first rotation."""
        ...

    async def add(self, key: MasterKey) -> None:
        """Raises Conflict when the id is taken, or when it would be the second that is current."""

    async def change(self, key: MasterKey, was: str) -> bool:
        """Set its state and `carried` if its state is `was`: of many who race one gets True.

        Raises RuntimeError for a step that is none of model.master_keys.STEPS.
        """
        ...

    async def carry(self, key_id: str, carried: bytes, was: bytes) -> bool:
        """Replace what the current one carries if that still equals `was`: of many who race one gets True."""
        ...
