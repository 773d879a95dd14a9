"""Renewals of session tokens in SQLite."""

from __future__ import annotations

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.renewals import ENDED, OPEN, Renewal

_SQL = named("renewals")


class Renewals:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def get(self, conversation_id: str, session_id: str) -> Renewal | None:
        row = self._run.row(_SQL["get"], {"conversation_id": conversation_id, "session_id": session_id})
        return Renewal(*row) if row else None

    async def renew(self, conversation_id: str, session_id: str, generation: int, at: int, offered: bool) -> bool:
        values = {"conversation_id": conversation_id, "session_id": session_id, "generation": generation}
        if not self._run.change(_SQL["move_session"], values):
            return False
        self._run.do(_SQL["move_bindings"], values)
        made = {
            "generation": generation + 1,
            "since": at,
            "overlap": OPEN,
            "offered_at": at if offered else None,
            "restarted": 0,
        }
        self._run.do(_SQL["put"], values | made)
        return True

    async def restart(self, conversation_id: str, session_id: str, generation: int, at: int) -> None:
        values = {"conversation_id": conversation_id, "session_id": session_id, "generation": generation}
        made = {"since": at, "overlap": ENDED, "offered_at": None, "restarted": generation}
        self._run.do(_SQL["put"], values | made)

    async def offer(self, conversation_id: str, session_id: str, generation: int, at: int) -> bool:
        values = {"conversation_id": conversation_id, "session_id": session_id, "generation": generation, "at": at}
        return bool(self._run.change(_SQL["offer"], values))

    async def take_up(self, conversation_id: str, session_id: str, generation: int) -> bool:
        values = {"conversation_id": conversation_id, "session_id": session_id, "generation": generation}
        return bool(self._run.change(_SQL["take_up"], values))
