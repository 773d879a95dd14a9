"""Renewals of session tokens in memory."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.model.renewals import ENDED, OPEN, TAKEN_UP, Renewal


class Renewals:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, conversation_id: str, session_id: str) -> Renewal | None:
        tables, seat = self._tables.looking(), (conversation_id, session_id)
        found, session = tables.renewals.get(seat), tables.sessions.get(seat)
        return found if found and session and found.generation == session.generation else None

    async def renew(self, conversation_id: str, session_id: str, generation: int, at: int, offered: bool) -> bool:
        tables, seat = self._tables.changing(), (conversation_id, session_id)
        session = tables.sessions.get(seat)
        if session is None or session.revoked or session.generation != generation:
            return False
        tables.sessions[seat] = replace(session, generation=generation + 1)
        for key in [key for key, one in tables.bindings.items() if key[1:] == seat and one.generation == generation]:
            tables.bindings[key] = replace(tables.bindings[key], generation=generation + 1)
        before = tables.renewals.get(seat)
        restarted = before.restarted if before else 0
        tables.renewals[seat] = Renewal(*seat, generation + 1, at, OPEN, at if offered else None, restarted)
        return True

    async def restart(self, conversation_id: str, session_id: str, generation: int, at: int) -> None:
        tables, seat = self._tables.changing(), (conversation_id, session_id)
        if seat not in tables.sessions:
            raise missing("session")
        tables.renewals[seat] = Renewal(*seat, generation, at, ENDED, None, generation)

    async def offer(self, conversation_id: str, session_id: str, generation: int, at: int) -> bool:
        found = self._overlapping(conversation_id, session_id, generation)
        if found is None or found.offered_at is not None:
            return False
        self._tables.renewals[conversation_id, session_id] = replace(found, offered_at=at)
        return True

    async def take_up(self, conversation_id: str, session_id: str, generation: int) -> bool:
        found = self._overlapping(conversation_id, session_id, generation)
        if found is None:
            return False
        self._tables.renewals[conversation_id, session_id] = replace(found, overlap=TAKEN_UP)
        return True

    def _overlapping(self, conversation_id: str, session_id: str, generation: int) -> Renewal | None:
        found = self._tables.changing().renewals.get((conversation_id, session_id))
        return found if found and (found.generation, found.overlap) == (generation, OPEN) else None
