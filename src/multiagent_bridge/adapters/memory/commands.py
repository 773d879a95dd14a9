"""Commands in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters import steps
from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.commands import OPEN, Command


class Commands:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, command: Command) -> None:
        tables = self._tables.changing()
        steps.command_begins(command)
        if command.id in tables.commands:
            raise Conflict("the command exists already", "use another id")
        if command.conversation_id not in tables.conversations:
            raise missing("conversation")
        tables.commands[command.id] = command

    async def get(self, command_id: str) -> Command | None:
        return self._tables.looking().commands.get(command_id)

    async def open(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        return [c for c in self._open() if conversation_id in (None, c.conversation_id)][: max(limit, 0)]

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        held = reversed(self._tables.looking().commands.values())
        return [c for c in held if conversation_id in (None, c.conversation_id)][: max(limit, 0)]

    async def change(self, command: Command, was: str) -> bool:
        table = self._tables.changing().commands
        steps.command_steps(command, was)
        found = table.get(command.id)
        steps.command_same(found, command)
        if found is None or found.state != was:
            return False
        table[command.id] = command
        return True

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
        table = self._tables.changing().commands
        c = table.get(command_id)
        if c is None or c.state != "approved" or c.approval is None:
            return False
        if (c.digest, c.approval.verifier, c.approval.boot) != (digest, verifier, boot) or not boot:
            return False
        if boottime >= c.approval.boottime_end or not c.approval.granted_at <= now < c.approval.until:
            return False
        table[command_id] = replace(c, state="running", runner=runner, deadline=deadline, started_at=now)
        return True

    async def overdue(self, now: int, boot: str, boottime: int, limit: int) -> Sequence[Command]:
        return [c for c in self._open() if _overdue(c, now, boot, boottime)][: max(limit, 0)]

    async def running(self, runner: str) -> Sequence[Command]:
        return [c for c in self._open() if c.state == "running" and c.runner == runner]

    def _open(self) -> Sequence[Command]:
        return [c for c in self._tables.looking().commands.values() if c.state in OPEN]


def _overdue(command: Command, now: int, boot: str, boottime: int) -> bool:
    if command.state == "pending":
        return command.expires_at <= now
    if command.state == "running":
        return command.deadline <= now
    a = command.approval
    if a is None or not a.boot or (a.boot == boot and a.boottime_end <= boottime):
        return True
    return a.until <= now or a.granted_at - now > a.until - a.granted_at
