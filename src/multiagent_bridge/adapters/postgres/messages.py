"""Messages and deliveries in PostgreSQL. `sessions.unread` is counted in the same transaction as what changes it."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements, moved
from multiagent_bridge.model.messages import Delivery, Message

_SQL = named("messages")
_COUNT = named("conversations")["count_known"]
_BEAT = named("sessions")["heartbeat"]
_CHARGE = named("buckets")["charge_known"]
_CHARGED = _CHARGE.names
_END = 2**63 - 1


class Messages:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        m = message
        values: dict[str, object] = {
            "conversation_id": m.conversation_id,
            "id": m.id,
            "sender": m.sender,
            "action_type": m.action_type,
            "body": m.body,
            "size": m.size,
            "at": m.at,
            "reply_to": m.reply_to,
            "idempotency_key": m.idempotency_key,
            "digest": m.digest,
        }
        values["recipients"] = list(dict.fromkeys(recipients))
        if (sending := self._sending(message)) is None:
            await self._run.do(_SQL["add"], values)
            return
        self._run.late = []
        if not await self._run.rows(_SQL["send"], values | sending):
            raise moved()

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None:
        values = {"conversation_id": conversation_id, "sender": sender, "idempotency_key": idempotency_key}
        row = await self._run.row(_SQL["by_key"], values, beside=True)
        return Message(*row) if row else None

    async def get(self, conversation_id: str, message_id: int) -> Message | None:
        row = await self._run.row(_SQL["get"], {"conversation_id": conversation_id, "id": message_id}, beside=True)
        return Message(*row) if row else None

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "recipient": recipient,
            "limit": max(limit, 0),
            "stale_before": stale_before,
        }
        return [Message(*row) for row in await self._run.rows(_SQL["unread"], values)]

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        place = {"conversation_id": conversation_id, "recipient": recipient}
        await self._run.do(_SQL["claim"], {**place, "ids": list(ids), "claim": claim, "now": now})

    async def shown(self, conversation_id: str, recipient: str, ids: Sequence[int], now: int) -> None:
        place: dict[str, object] = {"conversation_id": conversation_id, "recipient": recipient}
        await self._run.do(_SQL["shown"], {**place, "ids": list(ids), "now": now})

    async def confirm(self, claim: str, now: int) -> int:
        return await self._run.change(_SQL["confirm"], {"claim": claim, "now": now})

    async def release(self, claim: str) -> int:
        await self._run.do(_SQL["count_released"], {"claim": claim})
        return await self._run.change(_SQL["release"], {"claim": claim})

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        place: dict[str, object] = {"conversation_id": conversation_id, "recipient": recipient}
        count = await self._run.change(_SQL["unconfirm"], {**place, "ids": list(ids)})
        await self._run.do(_SQL["count_unconfirmed"], {**place, "count": count})
        return count

    async def release_owner(self, owner: str) -> int:
        await self._run.do(_SQL["count_released_owner"], {"owner": owner})
        return await self._run.change(_SQL["release_owner"], {"owner": owner})

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        values: dict[str, str | int] = {"conversation_id": conversation_id, "recipient": recipient, "through": through}
        await self._run.do(_SQL["count_acknowledged"], values)
        return await self._run.change(_SQL["acknowledge"], {**values, "now": now})

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return (await self._newest("history", conversation_id, recipient, before, limit))[::-1]

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return await self._newest("received", conversation_id, recipient, before, limit)

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        values = {"conversation_id": conversation_id, "after": after, "limit": max(limit, 0)}
        return [Message(*row) for row in await self._run.rows(_SQL["list"], values)]

    async def newest(self, conversation_id: str, before: int | None, limit: int) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "before": _END if before is None else before,
            "limit": max(limit, 0),
        }
        return [Message(*row) for row in await self._run.rows(_SQL["newest"], values)]

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]:
        rows = await self._run.rows(_SQL["deliveries"], {"conversation_id": conversation_id, "message_id": message_id})
        return [Delivery(message, recipient, read_at, bool(claimed)) for message, recipient, read_at, claimed in rows]

    async def _newest(
        self, query: str, conversation_id: str, recipient: str, before: int | None, limit: int
    ) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "recipient": recipient,
            "before": _END if before is None else before,
            "limit": max(limit, 0),
        }
        return [Message(*row) for row in await self._run.rows(_SQL[query], values)]

    def _sending(self, message: Message) -> dict[str, object] | None:
        """What was put off and `send` does as well: the count of this message, and a heartbeat and a charge. None: not all."""
        found: dict[str, object] = dict.fromkeys(("beating", "beat_at", "counted", *_CHARGED))
        for late in self._run.late:
            values = late.values
            if late.query is _CHARGE and found["key"] is None:
                found |= values
            elif (
                late.query is _BEAT
                and found["beating"] is None
                and values["conversation_id"] == message.conversation_id
            ):
                found |= {"beating": values["id"], "beat_at": values["at"]}
            elif late.query is _COUNT and (values["id"], values["number"]) == (message.conversation_id, message.id):
                found["counted"] = values["size"]
            else:
                return None
        return found if found["counted"] is not None else None
