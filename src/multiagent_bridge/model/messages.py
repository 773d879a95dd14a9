"""Messages and what becomes of each on its way to a recipient."""

from __future__ import annotations

from dataclasses import dataclass

ACTION_TYPES = ("question", "info", "proposal", "blocked", "complete", "task_assignment", "status_update")
DEFAULT_ACTION_TYPE = "info"

BIGGEST_ID = 2**53 - 1
"""Ids stay whole numbers in every JSON reader."""


@dataclass(frozen=True, slots=True)
class Message:
    """One stored message. `id` counts from 1 within its conversation. `body` is encrypted JSON of the redacted text and files.

    `size` is the length of the stored body in bytes; `digest` is the keyed digest that its journal entry carries too.
    """

    conversation_id: str
    id: int
    sender: str
    action_type: str
    body: bytes
    size: int
    at: int
    reply_to: int | None = None
    idempotency_key: str | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where one message stands for one recipient, as its sender may see it.

    unread -> claimed (an answer is being written) -> read; a claim that is not confirmed goes back to unread. Shown without
    being acknowledged it counts as claimed here, and is unread all the same.
    """

    message_id: int
    recipient: str
    read_at: int | None
    claimed: bool
    notified: bool = False

    @property
    def state(self) -> str:
        """`stored`, `notified` (its client was told of it), `delivered` (handed over, not acknowledged yet) or `acknowledged`."""
        if self.claimed:
            return "delivered"
        if self.read_at is not None:
            return "acknowledged"
        return "notified" if self.notified else "stored"
