"""Bindings of connections to sessions in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.conversations import Binding


class Bindings(Protocol):
    async def bind(self, binding: Binding) -> None:
        """Add, or replace the one of the same agent, conversation and session."""

    async def of(self, agent: str) -> Sequence[Binding]:
        """The agent's bindings whose session exists, is not revoked and is still of that generation; oldest first."""
        ...

    async def holders(self, conversation_id: str, session_id: str) -> Sequence[str]:
        """Every agent that has a binding as `of` would list it to this session."""
        ...

    async def sweep(self, before: int, prefix: str) -> int:
        """Remove bindings made before `before` of agents whose key begins with `prefix`. Returns how many."""
        ...
