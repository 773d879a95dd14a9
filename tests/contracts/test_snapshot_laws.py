"""Every law of `ports.Snapshots`, held against shadow repositories and copies in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters.snapshots.snapshots import ShadowSnapshots
from multiagent_bridge.adapters.system import RandomIds
from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.model.workspaces import Snapshot
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.grounds import DiskGround
from multiagent_bridge.testing.laws import Broken
from multiagent_bridge.testing.snapshot_laws import SNAPSHOT_LAWS, Scene, SnapshotLaw, exercise_snapshots
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces

pytestmark = pytest.mark.anyio

Opened = Callable[[], AbstractAsyncContextManager[Scene]]


@asynccontextmanager
async def memory(kind: type[MemorySnapshots] = MemorySnapshots) -> AsyncIterator[Scene]:
    workspaces, clock = MemoryWorkspaces(), FakeClock()
    yield Scene(kind(workspaces, clock), workspaces, workspaces, clock)


@pytest.fixture(params=["memory", "shadows"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    number = iter(range(1000))

    @asynccontextmanager
    async def shadows() -> AsyncIterator[Scene]:
        base = tmp_path / str(next(number))
        (base / "state").mkdir(mode=0o700, parents=True)
        clock = FakeClock()
        snapshots = ShadowSnapshots(base / "state", clock, RandomIds())
        yield Scene(snapshots, FolderWorkspaces(base / "state"), DiskGround(base), clock)

    return {"memory": memory, "shadows": shadows}[request.param]


@pytest.mark.parametrize("law", SNAPSHOT_LAWS, ids=lambda law: law.__name__)
async def test_snapshots_keep_the_law(opened: Opened, law: SnapshotLaw) -> None:
    async with opened() as scene:
        await law(scene)


async def test_snapshots_that_keep_the_laws_pass_the_exercise(opened: Opened) -> None:
    await exercise_snapshots(opened)


class Pretending(MemorySnapshots):
    """Says that it restored."""

    async def restore(self, snapshot_id: str) -> Snapshot:
        return self._found(snapshot_id)[0]


class Careless(MemorySnapshots):
    """Keeps nothing of what was there before."""

    async def restore(self, snapshot_id: str) -> Snapshot:
        snapshot, then = self._found(snapshot_id)
        self.workspaces.put(snapshot.workspace.path, then)
        return await self.take(snapshot.workspace, "too late")


@pytest.mark.parametrize(("kind", "law"), [(Pretending, "bytes and modes"), (Careless, "brings that back")])
async def test_the_exercise_finds_what_breaks_a_law(kind: type[MemorySnapshots], law: str) -> None:
    with pytest.raises(Broken, match=law):
        await exercise_snapshots(lambda: memory(kind))
