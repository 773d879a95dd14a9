"""Messages and their deliveries in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Handed, Tables
from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.messages import Delivery, Message

Place = tuple[str, str, int]
"""Conversation, recipient, message id."""


class Messages:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        tables = self._tables.changing()
        if message.conversation_id not in tables.conversations:
            raise NotFound("no such conversation", "mab list shows them")
        if (message.conversation_id, message.id) in tables.messages:
            raise Conflict("the message exists already", "repeat the call")
        if message.idempotency_key is not None and await self.by_key(
            message.conversation_id, message.sender, message.idempotency_key
        ):
            raise Conflict("that idempotency key stands for another message", "use a new key for a new message")
        tables.messages[message.conversation_id, message.id] = message
        for recipient in recipients:
            if (message.conversation_id, recipient) not in tables.sessions:
                raise NotFound("no such session in that conversation", f"mab show {message.conversation_id}")
            self._put((message.conversation_id, recipient, message.id), Handed())

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None:
        for message in self._tables.looking().messages.values():
            if (message.conversation_id, message.sender, message.idempotency_key) == (
                conversation_id,
                sender,
                idempotency_key,
            ):
                return message
        return None

    async def get(self, conversation_id: str, message_id: int) -> Message | None:
        return self._tables.looking().messages.get((conversation_id, message_id))

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        def free(handed: Handed) -> bool:
            return handed.unread or (handed.claim is not None and handed.claimed_at < stale_before)

        return [self._message(place) for place in self._places(conversation_id, recipient, free)[:limit]]

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        for number in ids:
            place = (conversation_id, recipient, number)
            held = self._tables.changing().deliveries.get(place)
            if held is not None and held.read_at is None:
                self._put(place, Handed(claim=claim, claimed_at=now))

    async def shown(self, conversation_id: str, recipient: str, ids: Sequence[int], now: int) -> None:
        for number in ids:
            place = (conversation_id, recipient, number)
            held = self._tables.changing().deliveries.get(place)
            if held is not None and held.unread:
                self._put(place, Handed(claimed_at=now))

    async def confirm(self, claim: str, now: int) -> int:
        return self._settle(lambda held: held.claim == claim, Handed(read_at=now))

    async def release(self, claim: str) -> int:
        return self._settle(lambda held: held.claim == claim, Handed())

    async def release_owner(self, owner: str) -> int:
        return self._settle(lambda held: (held.claim or "").startswith(owner + ":"), Handed())

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        read = [(conversation_id, recipient, number) for number in dict.fromkeys(ids)]
        places = [p for p in read if (d := self._tables.changing().deliveries.get(p)) and d.read_at is not None]
        for place in places:
            self._put(place, Handed())
        return len(places)

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        places = self._places(conversation_id, recipient, lambda held: held.read_at is None)
        done = [place for place in places if place[2] <= through]
        for place in done:
            self._put(place, Handed(read_at=now))
        return len(done)

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return self._back(conversation_id, recipient, before, limit, lambda held: held.read_at is not None)[::-1]

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return self._back(conversation_id, recipient, before, limit, lambda _: True)

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        found = [m for (c, n), m in self._tables.looking().messages.items() if c == conversation_id and n > after]
        return sorted(found, key=lambda m: m.id)[:limit]

    async def newest(self, conversation_id: str, before: int | None, limit: int) -> Sequence[Message]:
        found = await self.list(conversation_id, 0, len(self._tables.looking().messages))
        return [message for message in found[::-1] if before is None or message.id < before][: max(limit, 0)]

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]:
        return [
            Delivery(message_id, recipient, held.read_at, held.claimed_at > 0)
            for (c, recipient, n), held in self._tables.looking().deliveries.items()
            if (c, n) == (conversation_id, message_id)
        ]

    def _places(self, conversation_id: str, recipient: str, fits: Callable[[Handed], bool]) -> Sequence[Place]:
        found = self._tables.looking().deliveries.items()
        return sorted(p for p, held in found if p[:2] == (conversation_id, recipient) and fits(held))

    def _back(
        self, conversation_id: str, recipient: str, before: int | None, limit: int, fits: Callable[[Handed], bool]
    ) -> Sequence[Message]:
        places = [p for p in self._places(conversation_id, recipient, fits) if before is None or p[2] < before]
        return [self._message(place) for place in places[::-1][:limit]]

    def _message(self, place: Place) -> Message:
        return self._tables.messages[place[0], place[2]]

    def _settle(self, fits: Callable[[Handed], bool], to: Handed) -> int:
        places = [place for place, held in self._tables.changing().deliveries.items() if fits(held)]
        for place in places:
            self._put(place, to)
        return len(places)

    def _put(self, place: Place, handed: Handed) -> None:
        """Move one delivery and keep `Session.unread` in step."""
        tables = self._tables.changing()
        before = tables.deliveries.get(place)
        tables.deliveries[place] = handed
        change = handed.unread - (before is not None and before.unread)
        if change:
            session = tables.sessions[place[:2]]
            tables.sessions[place[:2]] = replace(session, unread=session.unread + change)
