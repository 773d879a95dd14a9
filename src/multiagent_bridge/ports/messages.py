"""Messages and their deliveries in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.messages import Delivery, Message


class Messages(Protocol):
    """Deliveries go unread -> claimed -> read. `Session.unread` always equals the deliveries that are unread."""

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        """Store it with one unread delivery a recipient. Raises Conflict when (conversation, sender, key) is taken."""

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None: ...

    async def get(self, conversation_id: str, message_id: int) -> Message | None: ...

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        """The oldest `limit` that are unread or whose claim is older than `stale_before` (its writer died), by id."""
        ...

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        """Hand these over under `claim`: no longer unread, not yet read. A stale claim on them is taken over."""

    async def shown(self, conversation_id: str, recipient: str, ids: Sequence[int], now: int) -> None:
        """These were handed over and are still to be acknowledged: unread as before, delivered for their sender."""

    async def confirm(self, claim: str, now: int) -> int:
        """The answer was written: everything under `claim` is read. Returns how many."""
        ...

    async def release(self, claim: str) -> int:
        """The answer was not written: everything under `claim` is unread again. Returns how many."""
        ...

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        """Make read messages unread again: their answer crossed with its cancellation. Returns how many."""
        ...

    async def release_owner(self, owner: str) -> int:
        """Release every claim that begins with `owner` + ":". Returns how many messages came back."""
        ...

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        """Mark every message up to and including id `through` read. Returns how many were unread or claimed."""
        ...

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` read ones with an id below `before`, oldest first."""
        ...

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` delivered to the recipient, read or not, with an id below `before`, newest first."""
        ...

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        """All messages of the conversation with an id above `after`, by id."""
        ...

    async def newest(self, conversation_id: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` of the conversation, whoever they are for, with an id below `before`, newest first."""
        ...

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]: ...
