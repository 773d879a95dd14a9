"""The audit journal in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.journal import Draft, Entry, Head


class Journal(Protocol):
    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        """Chain the entry to the head, store both. The entry becomes durable with the transaction or not at all."""
        ...

    async def head(self) -> Head: ...

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """Entries with a sequence number above `after`, in order; of one conversation if given."""
        ...

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries (of one conversation if given), oldest first."""
        ...

    async def older(self, before: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries with a sequence number below `before` (of one conversation if given), newest first."""
        ...

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """(sequence number, stored line) as they lie in the store, unparsed: what a verifier must look at."""
        ...

    async def add_checkpoint(self, size: int, note: str) -> None: ...

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        """(size, signed note), by size."""
        ...

    async def last_checkpoint(self) -> tuple[int, str] | None:
        """The one of the largest size, found without the others; None before the first."""
        ...
