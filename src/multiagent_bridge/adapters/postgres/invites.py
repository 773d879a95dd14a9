"""Invites in PostgreSQL."""

from __future__ import annotations

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.model.conversations import Invite

_SQL = named("invites")


class Invites:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, invite: Invite) -> None:
        values = {
            "digest": invite.digest,
            "conversation_id": invite.conversation_id,
            "session_id": invite.session_id,
            "expires_at": invite.expires_at,
        }
        await self._run.do(_SQL["add"], values)

    async def take(self, digest: bytes) -> Invite | None:
        row = await self._run.row(_SQL["take"], {"digest": digest})
        return Invite(*row) if row else None

    async def sweep(self, now: int) -> int:
        return await self._run.change(_SQL["sweep"], {"now": now})
