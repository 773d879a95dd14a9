"""Enablings and grants in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.yolo import Enabling, Grant


class Yolo:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, enabling: Enabling) -> None:
        tables = self._tables.changing()
        steps.enabling_begins(enabling)
        if enabling.id in tables.enablings:
            raise Conflict("the enabling exists already", "use another id")
        if enabling.conversation_id not in tables.conversations:
            raise missing("conversation")
        tables.enablings[enabling.id] = enabling

    async def get(self, enabling_id: str) -> Enabling | None:
        return self._tables.looking().enablings.get(enabling_id)

    async def current(self, conversation_id: str) -> Enabling | None:
        held = self._tables.looking().enablings.values()
        return next((e for e in held if e.conversation_id == conversation_id and e.state == "enabled"), None)

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Enabling]:
        held = reversed(self._tables.looking().enablings.values())
        return [e for e in held if conversation_id in (None, e.conversation_id)][: max(limit, 0)]

    async def change(self, enabling: Enabling, was: str) -> bool:
        table = self._tables.changing().enablings
        steps.enabling_steps(enabling, was)
        found = table.get(enabling.id)
        steps.enabling_same(found, enabling)
        if found is None or found.state != was:
            return False
        if enabling.state == "enabled" and await self.current(enabling.conversation_id):
            raise Conflict("a mode is enabled already in this conversation", "disable it first")
        table[enabling.id] = enabling
        return True

    async def add_grant(self, grant: Grant) -> None:
        tables = self._tables.changing()
        if grant.id in tables.grants:
            raise Conflict("the grant exists already", "use another id")
        if grant.conversation_id not in tables.conversations:
            raise missing("conversation")
        tables.grants[grant.id] = grant

    async def grants(self, conversation_id: str) -> Sequence[Grant]:
        held = reversed(self._tables.looking().grants.values())
        return [g for g in held if g.conversation_id == conversation_id and _live(g)]

    async def spend(self, grant_id: str, boot: str, boottime: int, now: int) -> bool:
        table = self._tables.changing().grants
        g = table.get(grant_id)
        if g is None or not _live(g) or not (boot and boot == g.boot):
            return False
        if boottime >= g.boottime_end or not g.granted_at <= now < g.until:
            return False
        table[grant_id] = replace(g, runs_left=g.runs_left - 1)
        return True

    async def end_grants(self, conversation_id: str, now: int) -> int:
        table = self._tables.changing().grants
        live = [g for g in table.values() if g.conversation_id == conversation_id and _live(g)]
        table.update({g.id: replace(g, ended_at=now) for g in live})
        return len(live)


def _live(grant: Grant) -> bool:
    return grant.ended_at is None and grant.runs_left > 0
