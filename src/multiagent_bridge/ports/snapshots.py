"""Snapshots of workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace


class Snapshots(Protocol):
    """Copies of workspaces outside them. Never touches the user's own repository, nor runs what a workspace configures."""

    async def take(self, workspace: Workspace, label: str) -> Snapshot:
        """The present state, uncommitted and untracked files included. Raises Unavailable (disk full): then nothing may run."""
        ...

    async def list(self, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        """Newest first; of every workspace when left out."""
        ...

    async def difference(self, snapshot_id: str) -> Sequence[Change]:
        """What a restore would change, seen from the present: `added` comes back. Raises NotFound."""
        ...

    async def restore(self, snapshot_id: str) -> Snapshot:
        """Snapshot the present, make the workspace byte- and mode-identical to the snapshot, and verify that. Returns
        the snapshot
        of what was there before. Raises NotFound, Conflict (the workspace is gone or another one), Unavailable.
        """
        ...

    async def remove(self, before: int) -> int:
        """Forget snapshots taken before that instant. Returns how many."""
        ...
