"""Silences, orphaned tasks and the watch in memory."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.model.silences import Orphan, Silence, Watch


class Silences:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, silence: Silence) -> bool:
        steps.silence_begins(silence)
        tables, place = self._tables.changing(), (silence.conversation_id, silence.session_id)
        if place not in tables.sessions:
            raise missing("session")
        if place in tables.silences:
            return False
        tables.silences[place] = silence
        return True

    async def list(self) -> Sequence[Silence]:
        return list(self._tables.looking().silences.values())

    async def change(self, silence: Silence, was: Silence) -> bool:
        steps.silence_steps(silence, was)
        table, place = self._tables.changing().silences, (was.conversation_id, was.session_id)
        if table.get(place) != was:
            return False
        table[place] = silence
        return True

    async def remove(self, silence: Silence) -> bool:
        table, place = self._tables.changing().silences, (silence.conversation_id, silence.session_id)
        if table.get(place) != silence:
            return False
        del table[place]
        return True

    async def orphan(self, orphan: Orphan) -> None:
        tables, place = self._tables.changing(), (orphan.conversation_id, orphan.task_id)
        if place not in tables.tasks:
            raise missing("task")
        tables.orphans.pop(place, None)
        tables.orphans[place] = orphan

    async def orphans(self) -> Sequence[Orphan]:
        return list(self._tables.looking().orphans.values())

    async def adopt(self, orphan: Orphan) -> bool:
        table, place = self._tables.changing().orphans, (orphan.conversation_id, orphan.task_id)
        if table.get(place) != orphan:
            return False
        del table[place]
        return True

    async def watch(self) -> Watch | None:
        return self._tables.looking().watch

    async def watched(self, watch: Watch, was: Watch | None) -> bool:
        tables = self._tables.changing()
        if tables.watch != was:
            return False
        tables.watch = watch
        return True
