"""Snapshots in memory, of workspaces in memory; the laws of `ports.Snapshots` are in snapshot_laws."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.errors import NotFound, Unavailable
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from multiagent_bridge.ports import Clock
from multiagent_bridge.testing.workspaces import MemoryWorkspaces, Tree


class MemorySnapshots:
    """Copies of `workspaces` (its own when left out). `full` makes the next ones fail as a full disk does."""

    def __init__(self, workspaces: MemoryWorkspaces | None = None, clock: Clock | None = None) -> None:
        self.workspaces = workspaces or MemoryWorkspaces()
        self.full = False
        self._clock = clock or SystemClock()
        self._numbers = itertools.count(1)
        self._kept: dict[str, tuple[Snapshot, Tree]] = {}

    async def take(self, workspace: Workspace, label: str) -> Snapshot:
        if self.full:
            raise Unavailable("the disk is full, so no snapshot was taken", "free some space, then repeat the call")
        self.workspaces.adopt(workspace)
        await self.workspaces.verify(workspace)
        tree = self.workspaces.tree(workspace.path)
        made = Snapshot(f"snap_{next(self._numbers):012d}", workspace, self._clock.now(), len(tree), label)
        self._kept[made.id] = (made, tree)
        return made

    async def list(self, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        made = [snapshot for snapshot, _ in self._kept.values() if workspace in (None, snapshot.workspace)]
        return sorted(made, key=lambda snapshot: (snapshot.at, snapshot.id), reverse=True)

    async def difference(self, snapshot_id: str) -> Sequence[Change]:
        snapshot, then = self._found(snapshot_id)
        await self.workspaces.verify(snapshot.workspace)
        now = self.workspaces.tree(snapshot.workspace.path)
        changes = [Change(path, "added") for path in then.keys() - now.keys()]
        changes += [Change(path, "removed") for path in now.keys() - then.keys()]
        for path in then.keys() & now.keys():
            if then[path][1] != now[path][1]:
                changes.append(Change(path, "changed"))
            elif then[path][0] != now[path][0]:
                changes.append(Change(path, "mode"))
        return sorted(changes, key=lambda change: change.path)

    async def restore(self, snapshot_id: str) -> Snapshot:
        snapshot, then = self._found(snapshot_id)
        before = await self.take(snapshot.workspace, f"before the rollback to {snapshot_id}")
        self.workspaces.put(snapshot.workspace.path, then)
        return before

    async def remove(self, before: int) -> int:
        old = [name for name, (snapshot, _) in self._kept.items() if snapshot.at < before]
        for name in old:
            del self._kept[name]
        return len(old)

    def _found(self, snapshot_id: str) -> tuple[Snapshot, Tree]:
        if snapshot_id not in self._kept:
            raise NotFound("there is no such snapshot", "mab yolo rollback without an id lists them")
        return self._kept[snapshot_id]
