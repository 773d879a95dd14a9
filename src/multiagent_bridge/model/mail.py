"""What the verbs of messages were asked and what they answered, in clear. Never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.model.journal import microseconds_to_iso
from multiagent_bridge.model.messages import Message

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Words:
    """The validated words of one `send_to_partner`, not yet redacted: they go nowhere as they are."""

    message: str
    files: Sequence[str]
    action_type: str
    to: Sequence[str]
    reply_to: int | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The redacted words. `body` is what will be encrypted."""

    body: str
    redactions: Sequence[str]
    action_type: str
    reply_to: int | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """`unread` counts the sender's own mail."""

    message_id: int
    to: Sequence[str]
    redactions: Sequence[str]
    unread: int

    def fields(self) -> Fields:
        """The result of `send_to_partner` (SPEC section 2)."""
        return {
            "message_id": self.message_id,
            "status": "sent",
            "redacted": bool(self.redactions),
            "redactions": list(self.redactions),
            "to": list(self.to),
            "unread": self.unread,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """The validated words of one `check_messages`."""

    limit: int
    ack_through: int | None
    auto_ack: bool
    history: bool
    before: int | None
    query: str | None
    wait_seconds: float

    @property
    def backwards(self) -> bool:
        """Whether it looks at what was, rather than for what is new."""
        return self.history or self.query is not None


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in clear, as one reader may see it; `role` is its sender's."""

    message: Message
    role: str
    text: str
    files: Sequence[str]

    def fields(self) -> Fields:
        return {
            "id": self.message.id,
            "from": self.message.sender,
            "role": self.role,
            "action_type": self.message.action_type,
            "message": self.text,
            "files_involved": list(self.files),
            "timestamp": microseconds_to_iso(self.message.at),
            "reply_to": self.message.reply_to,
        }


@dataclass(frozen=True, slots=True)
class Mail:
    """What a check brought, and for whom. `claimed`: the letters stand under a claim until their answer was written."""

    letters: Sequence[Letter]
    unread: int
    conversation_id: str
    session_id: str
    claimed: bool = False

    def fields(self) -> Fields:
        """The result of `check_messages` (SPEC section 2)."""
        return {"messages": [letter.fields() for letter in self.letters], "unread": self.unread}
