"""Messages and deliveries in SQLite. `sessions.unread` is counted in the same transaction as what changes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.messages import Delivery, Message

_SQL = named("messages")
_END = 2**63 - 1
_columns = attrgetter(
    "conversation_id", "id", "sender", "action_type", "body", "size", "at", "reply_to", "idempotency_key", "digest"
)


class Messages:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        self._run.do(_SQL["add"], _columns(message))
        heard = list(dict.fromkeys(recipients))
        mine = message.conversation_id
        if len(heard) == 1:
            self._run.do(_SQL["deliver_one"], (mine, heard[0], message.id))
            self._run.do(_SQL["count_delivered_one"], (mine, heard[0]))
        elif heard:
            listed = json.dumps(heard)
            self._run.do(_SQL["deliver"], (mine, message.id, listed))
            self._run.do(_SQL["count_delivered"], (mine, listed))

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None:
        values = {"conversation_id": conversation_id, "sender": sender, "idempotency_key": idempotency_key}
        row = self._run.row(_SQL["by_key"], values)
        return Message(*row) if row else None

    async def get(self, conversation_id: str, message_id: int) -> Message | None:
        row = self._run.row(_SQL["get"], {"conversation_id": conversation_id, "id": message_id})
        return Message(*row) if row else None

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "recipient": recipient,
            "limit": max(limit, 0),
            "stale_before": stale_before,
        }
        return [Message(*row) for row in self._run.rows(_SQL["unread"], values)]

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        place: dict[str, str | int] = {"conversation_id": conversation_id, "recipient": recipient}
        one = len(ids) == 1
        place |= {"id": ids[0]} if one else {"ids": json.dumps(list(ids))}
        self._run.do(_SQL["count_claimed_one" if one else "count_claimed"], place)
        self._run.do(_SQL["claim_one" if one else "claim"], {**place, "claim": claim, "now": now})

    async def shown(self, conversation_id: str, recipient: str, ids: Sequence[int], now: int) -> None:
        place: dict[str, str | int] = {"conversation_id": conversation_id, "recipient": recipient}
        self._run.do(_SQL["shown"], {**place, "ids": json.dumps(list(ids)), "now": now})

    async def confirm(self, claim: str, now: int) -> int:
        return self._run.change(_SQL["confirm"], {"claim": claim, "now": now})

    async def release(self, claim: str) -> int:
        self._run.do(_SQL["count_released"], {"claim": claim})
        return self._run.change(_SQL["release"], {"claim": claim})

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        place = {"conversation_id": conversation_id, "recipient": recipient}
        count = self._run.change(_SQL["unconfirm"], {**place, "ids": json.dumps(list(ids))})
        self._run.do(_SQL["count_unconfirmed"], {**place, "count": count})
        return count

    async def release_owner(self, owner: str) -> int:
        self._run.do(_SQL["count_released_owner"], {"owner": owner})
        return self._run.change(_SQL["release_owner"], {"owner": owner})

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        values: dict[str, str | int] = {"conversation_id": conversation_id, "recipient": recipient, "through": through}
        self._run.do(_SQL["count_acknowledged"], values)
        return self._run.change(_SQL["acknowledge"], {**values, "now": now})

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return self._newest("history", conversation_id, recipient, before, limit)[::-1]

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        return self._newest("received", conversation_id, recipient, before, limit)

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        values = {"conversation_id": conversation_id, "after": after, "limit": max(limit, 0)}
        return [Message(*row) for row in self._run.rows(_SQL["list"], values)]

    async def newest(self, conversation_id: str, before: int | None, limit: int) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "before": _END if before is None else before,
            "limit": max(limit, 0),
        }
        return [Message(*row) for row in self._run.rows(_SQL["newest"], values)]

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]:
        rows = self._run.rows(_SQL["deliveries"], {"conversation_id": conversation_id, "message_id": message_id})
        return [Delivery(message, recipient, read_at, bool(claimed)) for message, recipient, read_at, claimed in rows]

    def _newest(
        self, query: str, conversation_id: str, recipient: str, before: int | None, limit: int
    ) -> Sequence[Message]:
        values = {
            "conversation_id": conversation_id,
            "recipient": recipient,
            "before": _END if before is None else before,
            "limit": max(limit, 0),
        }
        return [Message(*row) for row in self._run.rows(_SQL[query], values)]
