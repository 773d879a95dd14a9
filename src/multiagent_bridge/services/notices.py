"""Notices: what the bridge itself says into a conversation, as mail that no session can have written."""

from __future__ import annotations

import json
from collections.abc import Sequence

from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.messages import Message
from multiagent_bridge.ports import Keys, Tx
from multiagent_bridge.services.journal import Journal, Request

BRIDGE = "bridge"
"""The sender of notices: no session id has six letters before there are twelve million sessions."""


class Notices:
    def __init__(self, journal: Journal, keys: Keys) -> None:
        self._journal = journal
        self._keys = keys

    async def post(
        self,
        tx: Tx,
        request: Request,
        now: int,
        conversation: Conversation,
        text: str,
        to: Sequence[str],
        action_type: str = "status_update",
    ) -> None:
        """Store one redacted notice for the sessions `to`, with its entry, in the transaction of what it tells.

        The caller rings their inboxes after the commit. Notices count towards no quota of the sessions' own.
        """
        if not to:
            return
        body = json.dumps({"message": text, "files": []})
        number = await tx.conversations.count_message(conversation.id, len(body))
        message = Message(
            conversation_id=conversation.id,
            id=number,
            sender=BRIDGE,
            action_type=action_type,
            body=self._keys.seal(conversation, f"messages/body/{number}", body),
            size=len(body),
            at=now,
            digest=self._keys.digest(body),
        )
        await tx.messages.add(message, to)
        draft = Draft(
            at=now,
            conversation=conversation.id,
            session=BRIDGE,
            actor=request.actor,
            action="message.send",
            target=f"message {number}",
            facts={"message_id": number, "bytes": len(body), "to": ",".join(to), "type": message.action_type},
            digest=message.digest,
        )
        await self._journal.append(tx, draft)
