"""Sessions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Late, Statements, missing
from multiagent_bridge.adapters.rows import sessions as rows
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Quiet

_SQL = named("sessions")


class Sessions:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, session: Session) -> None:
        s = session
        values = {
            "conversation_id": s.conversation_id,
            "id": s.id,
            "role": s.role,
            "generation": s.generation,
            "revoked": int(s.revoked),
            "status": s.status,
            "sealed_note": s.sealed_note,
            "last_heartbeat": s.last_heartbeat,
            "unread": s.unread,
        }
        await self._run.do(_SQL["add"], values)

    async def get(self, conversation_id: str, session_id: str) -> Session | None:
        key = ("sessions", conversation_id, session_id)
        row = await self._run.one(key, _SQL["get"], {"conversation_id": conversation_id, "id": session_id})
        return rows.session(row) if row else None

    async def of(self, conversation_id: str) -> Sequence[Session]:
        values = {"conversation_id": conversation_id}
        found = await self._run.all(("sessions", conversation_id), _SQL["of"], values)
        return [rows.session(row) for row in found]

    async def heartbeat(self, conversation_id: str, session_id: str, at: int) -> None:
        values = {"conversation_id": conversation_id, "id": session_id, "at": at}
        key = ("sessions", conversation_id, session_id)
        if self._run.known(key) is None:
            await self._run.change_one(_SQL["heartbeat"], values, "session")
        else:
            self._run.put_off(Late(_SQL["heartbeat"], values), key)

    async def report(self, conversation_id: str, session_id: str, status: str, sealed_note: bytes) -> None:
        values = {"conversation_id": conversation_id, "id": session_id, "status": status, "sealed_note": sealed_note}
        await self._run.change_one(_SQL["report"], values, "session")

    async def rotate(self, conversation_id: str, session_id: str) -> int:
        values = {"conversation_id": conversation_id, "id": session_id}
        row = await self._run.row(_SQL["rotate"], values)
        if row is None:
            raise missing("session")
        await self._run.do(_SQL["drop_bindings"], values)
        await self._run.do(_SQL["drop_invites"], values)
        return int(row[0])

    async def revoke(self, conversation_id: str, session_id: str) -> None:
        values = {"conversation_id": conversation_id, "id": session_id}
        await self._run.change_one(_SQL["revoke"], values, "session")
        await self._run.do(_SQL["drop_bindings"], values)
        await self._run.do(_SQL["drop_invites"], values)

    async def stale(self, before: int, now: int) -> Sequence[Quiet]:
        found = await self._run.rows(_SQL["stale"], {"before": before, "now": now})
        return [Quiet(rows.session(row[:9]), *row[9:]) for row in found]

    async def tell(self, conversation_id: str, session_id: str, through: int) -> None:
        values = {"conversation_id": conversation_id, "id": session_id, "through": through}
        await self._run.change_one(_SQL["tell"], values, "session")

    async def told(self, conversation_id: str) -> Mapping[str, int]:
        return dict(await self._run.rows(_SQL["told"], {"conversation_id": conversation_id}))
