"""Workspaces as folders of this machine. Nothing here executes anything, nor runs git."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio

from multiagent_bridge.adapters import state
from multiagent_bridge.adapters.blocking import Watch, in_thread
from multiagent_bridge.adapters.eligible import eligible
from multiagent_bridge.adapters.folders import Folder
from multiagent_bridge.adapters.scripts import Scripts
from multiagent_bridge.adapters.surveys import Survey
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace

T = TypeVar("T")

LOCKS = "locks"
SHORTEST, LONGEST = 0.005, 0.1
"""Seconds between two looks at a lock that somebody else holds."""


class FolderWorkspaces:
    """`patience` is how long one look may take and how long a lock is waited for, `survey` how long a survey may; seconds."""

    def __init__(self, state_directory: Path, patience: float = 60.0, survey: float = 20.0) -> None:
        self._state = state_directory
        self._patience = patience
        self._survey = survey

    async def identify(self, path: str) -> Workspace:
        return await in_thread(lambda _: eligible(path, self._state), self._patience, "looking at the workspace")

    async def verify(self, workspace: Workspace) -> None:
        await self._within(workspace, lambda folder, _: folder.still_there(), self._patience)

    async def scripts(self, workspace: Workspace, steps: Sequence[Step]) -> Sequence[tuple[str, str]]:
        """Raises Refused for a script that is no plain file of the workspace, Conflict when the workspace is another one."""
        return await self._within(workspace, lambda folder, watch: Scripts(folder, watch).of(steps), self._patience)

    async def survey(self, workspace: Workspace) -> Mapping[str, str]:
        """What is too much to look at leaves a mark of its own, which is new each time. Raises Conflict."""
        return await self._within(workspace, lambda folder, watch: Survey(folder, watch).taken(), self._survey)

    def lock(self, workspace: Workspace) -> AbstractAsyncContextManager[None]:
        """Raises Conflict when it is not free in time."""
        return self._locked(workspace)

    @asynccontextmanager
    async def _locked(self, workspace: Workspace) -> AsyncIterator[None]:
        locks = self._state / LOCKS
        locks.mkdir(mode=state.DIRECTORY_MODE, exist_ok=True)
        identity = f"{workspace.device}:{workspace.inode}".encode()
        path = locks / f"{hashlib.sha256(identity).hexdigest()[:16]}.lock"
        pause, handle = SHORTEST, None
        with anyio.move_on_after(self._patience):
            while (handle := state.try_lock(path)) is None:
                await anyio.sleep(pause)
                pause = min(2 * pause, LONGEST)
        if handle is None:
            raise Conflict("another command is at work in this workspace", "wait until it has ended: mab yolo list")
        try:
            yield
        finally:
            os.close(handle)

    async def _within(self, workspace: Workspace, look: Callable[[Folder, Watch], T], seconds: float) -> T:
        def looked(watch: Watch) -> T:
            with Folder.opened(workspace) as folder, folder.reading():
                return look(folder, watch)

        return await in_thread(looked, seconds, "looking at the workspace")
