"""Silences, orphaned tasks and the watch in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.adapters.rows import silences as rows
from multiagent_bridge.model.silences import Orphan, Silence, Watch

_SQL = named("silences")


class Silences:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, silence: Silence) -> bool:
        steps.silence_begins(silence)
        return bool(await self._run.change(_SQL["add"], asdict(silence)))

    async def list(self) -> Sequence[Silence]:
        return [Silence(*row) for row in await self._run.rows(_SQL["list"], {})]

    async def change(self, silence: Silence, was: Silence) -> bool:
        steps.silence_steps(silence, was)
        return bool(await self._run.change(_SQL["change"], {**asdict(silence), **rows.seen(was)}))

    async def remove(self, silence: Silence) -> bool:
        return bool(await self._run.change(_SQL["remove"], rows.seen(silence)))

    async def orphan(self, orphan: Orphan) -> None:
        await self._run.do(_SQL["orphan"], asdict(orphan))

    async def orphans(self) -> Sequence[Orphan]:
        return [Orphan(*row) for row in await self._run.rows(_SQL["orphans"], {})]

    async def adopt(self, orphan: Orphan) -> bool:
        return bool(await self._run.change(_SQL["adopt"], asdict(orphan)))

    async def watch(self) -> Watch | None:
        row = await self._run.row(_SQL["watch"], {})
        return Watch(*row) if row else None

    async def watched(self, watch: Watch, was: Watch | None) -> bool:
        if was is None:
            return bool(await self._run.change(_SQL["first_watch"], asdict(watch)))
        return bool(await self._run.change(_SQL["watched"], {**asdict(watch), **rows.seen(was)}))
