"""Commands in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.rows import commands as rows
from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.commands import Command

_SQL = named("commands")


class Commands:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, command: Command) -> None:
        steps.command_begins(command)
        self._run.do(_SQL["add"], rows.values(command))

    async def get(self, command_id: str) -> Command | None:
        row = self._run.row(_SQL["get"], {"id": command_id})
        return rows.command(row) if row else None

    async def open(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        return self._some("open", conversation_id, limit)

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        return self._some("list", conversation_id, limit)

    async def change(self, command: Command, was: str) -> bool:
        steps.command_steps(command, was)
        if self._run.change(_SQL["change"], {**rows.values(command), "was": was}):
            return True
        steps.command_same(await self.get(command.id), command)
        return False

    async def start(
        self,
        command_id: str,
        digest: str,
        verifier: bytes,
        boot: str,
        boottime: int,
        now: int,
        runner: str,
        deadline: int,
    ) -> bool:
        values = {
            "id": command_id,
            "digest": digest,
            "verifier": verifier,
            "boot": boot,
            "boottime": boottime,
            "now": now,
            "runner": runner,
            "deadline": deadline,
        }
        return self._run.row(_SQL["start"], values) is not None

    async def overdue(self, now: int, boot: str, boottime: int, limit: int) -> Sequence[Command]:
        values = {"now": now, "boot": boot, "boottime": boottime, "limit": max(limit, 0)}
        return [rows.command(row) for row in self._run.rows(_SQL["overdue"], values)]

    async def running(self, runner: str) -> Sequence[Command]:
        return [rows.command(row) for row in self._run.rows(_SQL["running"], {"runner": runner})]

    def _some(self, query: str, conversation_id: str | None, limit: int) -> Sequence[Command]:
        if conversation_id is None:
            found = self._run.rows(_SQL[query], {"limit": max(limit, 0)})
        else:
            found = self._run.rows(_SQL[f"{query}_of"], {"conversation_id": conversation_id, "limit": max(limit, 0)})
        return [rows.command(row) for row in found]
