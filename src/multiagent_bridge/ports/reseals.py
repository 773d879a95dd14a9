"""The replacement of data keys in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.reseals import Reseal, SealedText


class Reseals(Protocol):
    """At most one is under way; what it did is counted in the transactions that do it."""

    async def newest(self) -> Reseal | None:
        """The one that began last."""
        ...

    async def begin(self, began: int) -> None:
        """Raises Conflict while one is under way."""

    async def count(self, texts: int, data_keys: int) -> None:
        """Add to what the one under way did. Raises NotFound when none is."""

    async def finish(self) -> bool:
        """End the one under way: of many who race one gets True."""
        ...

    async def texts(self, conversation_id: str, name: bytes, after: int, limit: int) -> Sequence[SealedText]:
        """Up to `limit` texts that do not begin with the four bytes `name`: messages with an id above `after` in their order,
        then all other places of `model.reseals.PLACES`. An empty one is none.
        """
        ...

    async def replace(self, text: SealedText, sealed: bytes) -> bool:
        """Put `sealed` in its place if that still holds what `text` holds: of many who race one gets True."""
        ...

    async def replace_all(self, fresh: Sequence[tuple[SealedText, bytes]]) -> int:
        """As `replace`, many of one conversation at once. Returns how many were."""
        ...
