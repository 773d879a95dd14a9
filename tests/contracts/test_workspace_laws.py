"""Every law of `ports.Workspaces`, held against real folders and those in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.ports import Workspaces
from multiagent_bridge.testing.grounds import DiskGround, Ground
from multiagent_bridge.testing.laws import Broken
from multiagent_bridge.testing.workspace_laws import WORKSPACE_LAWS, WorkspaceLaw, exercise_workspaces
from multiagent_bridge.testing.workspaces import MemoryWorkspaces

pytestmark = pytest.mark.anyio

Opened = Callable[[], AbstractAsyncContextManager[tuple[Workspaces, Ground]]]


@pytest.fixture(params=["memory", "folders"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    number = iter(range(1000))

    @asynccontextmanager
    async def memory() -> AsyncIterator[tuple[Workspaces, Ground]]:
        workspaces = MemoryWorkspaces()
        yield workspaces, workspaces

    @asynccontextmanager
    async def folders() -> AsyncIterator[tuple[Workspaces, Ground]]:
        base = tmp_path / str(next(number))
        (base / "state").mkdir(mode=0o700, parents=True)
        yield FolderWorkspaces(base / "state"), DiskGround(base)

    return {"memory": memory, "folders": folders}[request.param]


@pytest.mark.parametrize("law", WORKSPACE_LAWS, ids=lambda law: law.__name__)
async def test_workspaces_keep_the_law(opened: Opened, law: WorkspaceLaw) -> None:
    async with opened() as (workspaces, ground):
        await law(workspaces, ground)


async def test_workspaces_that_keep_the_laws_pass_the_exercise(opened: Opened) -> None:
    await exercise_workspaces(opened)


class Blind(MemoryWorkspaces):
    """Sees nothing of what was planted."""

    async def survey(self, workspace: Workspace) -> Mapping[str, str]:
        return {}


class Trusting(MemoryWorkspaces):
    """Believes that a folder is the one it was."""

    async def verify(self, workspace: Workspace) -> None:
        return None


@pytest.mark.parametrize(("kind", "law"), [(Blind, "what was planted"), (Trusting, "another folder in its place")])
async def test_the_exercise_finds_what_breaks_a_law(kind: type[MemoryWorkspaces], law: str) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[tuple[Workspaces, Ground]]:
        workspaces = kind()
        yield workspaces, workspaces

    with pytest.raises(Broken, match=law):
        await exercise_workspaces(broken)
