"""Erasures: a conversation goes with its key and all that was said in it; what it still held is written down first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import Fact
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.tasks import OPEN
from multiagent_bridge.ports import Bell, Tx
from multiagent_bridge.services.gate import Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.topics import command_topic, inbox

NAMED = 50
"""Unread messages of one session that its entry names, and that are loaded for it; `unread` counts them all."""

COMMANDS = 1_000
"""Open commands of one conversation that are ended one by one."""


@dataclass(frozen=True, slots=True)
class Erased:
    """A conversation that is gone; `topics` are to be rung once that is committed."""

    conversation: Conversation
    topics: Sequence[str]


class Erasures:
    def __init__(self, journal: Journal, lapses: Lapses, redaction: Redaction, bell: Bell) -> None:
        self._journal = journal
        self._lapses = lapses
        self._redaction = redaction
        self._bell = bell

    async def of(
        self, tx: Tx, ticket: Ticket, now: int, conversation: Conversation, why: Mapping[str, Fact] | None = None
    ) -> Erased:
        """Remove it in this transaction, with an entry for each request that ends so and each mailbox that nobody emptied.

        Tokens, invites, bindings, grants and the sealed key go with the rows. `why` joins the facts of the last entry.
        """
        ticket = replace(ticket, conversation=conversation.id)
        commands = await self._ended(tx, ticket, now, conversation.id)
        sessions = await tx.sessions.of(conversation.id)
        unread = [await self._left(tx, replace(ticket, session=one.id), now, one) for one in sessions]
        facts: dict[str, Fact] = {
            "messages": conversation.messages,
            "unread": sum(unread),
            "tasks": await tx.tasks.count(conversation.id, OPEN),
            "commands": len(commands),
            "grants": await tx.yolo.end_grants(conversation.id, now),
            **(why or {}),
        }
        await self._journal.record(tx, ticket, now, "conversation.erase", conversation.id, facts)
        await tx.conversations.remove(conversation.id)
        return Erased(conversation, [*map(command_topic, commands), *(inbox(conversation.id, s.id) for s in sessions)])

    def committed(self, erased: Sequence[Erased]) -> None:
        """Forget what this process remembers of them, and wake who follows them: they are gone."""
        for one in erased:
            self._redaction.forget(one.conversation.id)
            for topic in one.topics:
                self._bell.ring(topic)

    async def _ended(self, tx: Tx, ticket: Ticket, now: int, conversation_id: str) -> list[str]:
        """End what is asked for or approved, so that no request of the journal is without an end. Returns the ids."""
        found = await tx.commands.open(conversation_id, COMMANDS)
        waiting = [command for command in found if command.state in ("pending", "approved")]
        for command in waiting:
            await self._lapses.ended(tx, ticket, command, now, "expired")
        return [command.id for command in waiting]

    async def _left(self, tx: Tx, ticket: Ticket, now: int, session: Session) -> int:
        """Write down which mail the session never read; the entry of each message has its digest. Returns how many."""
        # also what was handed over under a claim that nobody confirmed
        mail = await tx.messages.unread(session.conversation_id, session.id, NAMED, now)
        count = max(session.unread, len(mail))
        if count:
            facts: dict[str, Fact] = {
                "unread": count,
                "message_ids": ",".join(str(message.id) for message in mail),
                "from": ",".join(sorted({message.sender for message in mail})),
            }
            await self._journal.record(tx, ticket, now, "message.drop", f"session {session.id}", facts)
        return count
