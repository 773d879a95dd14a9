"""Bounces: mail that will not be read, because its session was revoked, comes back to its senders as a notice."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.guard import text
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.messages import Message
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.journal import Request
from multiagent_bridge.services.notices import BRIDGE, Notices

MOST = 100
"""Unread messages looked at; a sender of older ones hears of those at least."""

NAMED = 10


class Bounces:
    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def of(
        self, tx: Tx, request: Request, now: int, conversation: Conversation, session: Session, why: str
    ) -> Sequence[str]:
        """Tell every sender which of its messages `session` has not read, in the transaction of what ends it.

        Returns whose inboxes are to be rung after the commit. Nothing is removed: rotated, the session finds its mail.
        """
        unread = await tx.messages.unread(conversation.id, session.id, MOST, 0)
        by_sender: dict[str, list[Message]] = {}
        for message in unread:
            if message.sender not in (BRIDGE, session.id):
                by_sender.setdefault(message.sender, []).append(message)
        there = {s.id for s in await tx.sessions.of(conversation.id) if not s.revoked}
        readers = [sender for sender in by_sender if sender in there]
        for sender in readers:
            words = (
                f"session {session.id} ({text.named(session.role)}) {why} before it read {_named(by_sender[sender])}"
            )
            await self._notices.post(tx, request, now, conversation, words, [sender])
        return readers


def _named(messages: Sequence[Message]) -> str:
    numbers = ", ".join(str(message.id) for message in messages[:NAMED])
    more = f" and {len(messages) - NAMED} more" if len(messages) > NAMED else ""
    return f"your message{'s' if len(messages) > 1 else ''} {numbers}{more}"
