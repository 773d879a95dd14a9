"""Enablings and grants in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.rows import yolo as rows
from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.yolo import Enabling, Grant

_SQL = named("yolo")


class Yolo:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, enabling: Enabling) -> None:
        steps.enabling_begins(enabling)
        self._run.do(_SQL["add"], rows.values(enabling))

    async def get(self, enabling_id: str) -> Enabling | None:
        row = self._run.row(_SQL["get"], {"id": enabling_id})
        return rows.enabling(row) if row else None

    async def current(self, conversation_id: str) -> Enabling | None:
        row = self._run.row(_SQL["current"], {"conversation_id": conversation_id})
        return rows.enabling(row) if row else None

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Enabling]:
        if conversation_id is None:
            found = self._run.rows(_SQL["list"], {"limit": max(limit, 0)})
        else:
            found = self._run.rows(_SQL["list_of"], {"conversation_id": conversation_id, "limit": max(limit, 0)})
        return [rows.enabling(row) for row in found]

    async def change(self, enabling: Enabling, was: str) -> bool:
        steps.enabling_steps(enabling, was)
        if self._run.change(_SQL["change"], {**rows.values(enabling), "was": was}):
            return True
        steps.enabling_same(await self.get(enabling.id), enabling)
        return False

    async def add_grant(self, grant: Grant) -> None:
        g = grant
        values = {
            "id": g.id,
            "conversation_id": g.conversation_id,
            "session_id": g.session_id,
            "digest": g.digest,
            "scope": g.scope,
            "granted_at": g.granted_at,
            "by": g.by,
            "boot": g.boot,
            "boottime_end": g.boottime_end,
            "until": g.until,
            "runs_left": g.runs_left,
            "ended_at": g.ended_at,
        }
        self._run.do(_SQL["add_grant"], values)

    async def grants(self, conversation_id: str) -> Sequence[Grant]:
        return [Grant(*row) for row in self._run.rows(_SQL["grants"], {"conversation_id": conversation_id})]

    async def spend(self, grant_id: str, boot: str, boottime: int, now: int) -> bool:
        values = {"id": grant_id, "boot": boot, "boottime": boottime, "now": now}
        return self._run.row(_SQL["spend"], values) is not None

    async def end_grants(self, conversation_id: str, now: int) -> int:
        return self._run.change(_SQL["end_grants"], {"conversation_id": conversation_id, "now": now})
