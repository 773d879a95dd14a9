"""Workspaces: the folders that commands may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace


class Workspaces(Protocol):
    """Folders as the file system knows them. Nothing here executes anything."""

    async def identify(self, path: str) -> Workspace:
        """The folder behind `path`, links resolved. Raises Invalid for what may never be one: no folder, the root, a
        home directory itself,
        a system folder, the state directory, what lies in it or contains it, somebody else's folder.
        """
        ...

    async def verify(self, workspace: Workspace) -> None:
        """Raises Conflict when it is gone or another folder lies there now."""

    async def scripts(self, workspace: Workspace, steps: Sequence[Step]) -> Sequence[tuple[str, str]]:
        """(path below the workspace, SHA-256) of each file that the steps would execute or be steered by, sorted by path."""
        ...

    async def survey(self, workspace: Workspace) -> Mapping[str, str]:
        """Digest of everything below it that runs by itself later (nested repositories, hooks, editor and client
        files): path to digest.
        """
        ...

    def lock(self, workspace: Workspace) -> AbstractAsyncContextManager[None]:
        """One run, snapshot or rollback at a time in one workspace, among all processes of the state directory."""
        ...
