"""Workspaces: the folder that commands may touch, known by what it is and not only by its name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder by its resolved path and its identity on the file system: swapped for another, it is another workspace."""

    path: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a workspace at one instant. `left_out` names what it does not hold (git-ignored files, special files)."""

    id: str
    workspace: Workspace
    at: int
    files: int
    label: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs: `how` is `added`, `removed`, `changed` or `mode`."""

    path: str
    how: str
