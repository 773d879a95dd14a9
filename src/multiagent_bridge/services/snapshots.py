"""Snapshots of workspaces as their owner sees them: listed, compared, gone back to, forgotten; each leaves an entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from multiagent_bridge import ports
from multiagent_bridge.errors import BridgeError, Fact, NotFound, Unavailable
from multiagent_bridge.guard import text
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from multiagent_bridge.ports import Clock, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal

T = TypeVar("T")

DAY = 86_400 * SECOND
LONGEST = 36_500
"""Days: a hundred years."""


class Snapshots:
    """The file system is no part of a transaction: it is looked at or changed first, and then one transaction says so."""

    def __init__(
        self, gate: Gate, journal: Journal, snapshots: ports.Snapshots, workspaces: ports.Workspaces, clock: Clock
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._snapshots = snapshots
        self._workspaces = workspaces
        self._clock = clock

    async def list(self, caller: Caller, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        """Newest first, of every workspace when left out. Raises Refused for anyone but the owner."""
        action = "snapshot.list"
        found = await self._done(caller, action, lambda: self._snapshots.list(workspace))
        await self._written(caller, action, "", {"snapshots": len(found)})
        # what a command was asked for may stand in it
        return [replace(snapshot, label=self._journal.safe(snapshot.label)) for snapshot in found]

    async def difference(self, caller: Caller, snapshot_id: str) -> Sequence[Change]:
        """What a rollback would change, seen from the present. Raises Refused, NotFound, Conflict."""
        action = "snapshot.compare"

        async def compared() -> Sequence[Change]:
            snapshot = await self._named(snapshot_id)
            async with self._workspaces.lock(snapshot.workspace):
                return await self._snapshots.difference(snapshot.id)

        changes = await self._done(caller, action, compared)
        await self._written(caller, action, snapshot_id, {"changes": len(changes)})
        return changes

    async def rollback(self, caller: Caller, snapshot_id: str) -> Snapshot:
        """Make the workspace what it was. Returns the snapshot of what was there before.

        Raises Refused, NotFound, Conflict (the workspace is gone, swapped or in use), Unavailable; also when it was done but
        could not be written down, which the sentence then says.
        """
        action = "snapshot.restore"

        async def restored() -> Snapshot:
            snapshot = await self._named(snapshot_id)
            async with self._workspaces.lock(snapshot.workspace):
                return await self._snapshots.restore(snapshot.id)

        before = await self._done(caller, action, restored)
        try:
            await self._written(caller, action, snapshot_id, {"before": before.id, "files_before": before.files})
        except BridgeError as error:
            raise Unavailable(
                f"the workspace was rolled back, but the entry of it could not be written: {error.sentence}",
                f"mab doctor; what was there before is in {before.id}",
                before=before.id,
            ) from error
        return replace(before, label=self._journal.safe(before.label))

    async def cleanup(self, caller: Caller, older_than: int) -> int:
        """Forget snapshots older than that many days. Returns how many. Raises Refused, Invalid, Unavailable."""
        action = "snapshot.remove"

        async def removed() -> int:
            days = text.whole("older_than", older_than, 0, LONGEST)
            return await self._snapshots.remove(self._clock.now() - days * DAY)

        count = await self._done(caller, action, removed)
        try:
            await self._written(caller, action, "", {"removed": count, "older_than_days": older_than})
        except BridgeError as error:
            raise Unavailable(
                f"{count} snapshots were removed, but the entry of it could not be written: {error.sentence}",
                "mab doctor",
            ) from error
        return count

    async def _done(self, caller: Caller, action: str, act: Callable[[], Awaitable[T]]) -> T:
        """Act for the owner. Whoever else asks is refused before anything is looked at; what fails is an entry too."""

        async def allowed(tx: Tx, now: int, ticket: Ticket) -> None:
            return None

        await self._gate.own(caller, action, allowed)
        try:
            return await act()
        except BridgeError as error:
            raise await self._gate.refuse(caller, NO_CREDENTIALS, action, error, seated=False) from error

    async def _written(self, caller: Caller, action: str, target: str, facts: dict[str, Fact]) -> None:
        async def recorded(tx: Tx, now: int, ticket: Ticket) -> None:
            await self._journal.record(tx, ticket, now, action, target, facts)

        await self._gate.own(caller, action, recorded)

    async def _named(self, snapshot_id: str) -> Snapshot:
        """Raises NotFound."""
        for snapshot in await self._snapshots.list():
            if snapshot.id == snapshot_id:
                return snapshot
        raise NotFound("there is no such snapshot", "mab yolo rollback without an id lists them")
