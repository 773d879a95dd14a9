"""Laws of `ports.Snapshots`, and `exercise_snapshots` for whoever writes an adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.workspaces import Change, Workspace
from multiagent_bridge.ports import Snapshots, Workspaces
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.grounds import Ground
from multiagent_bridge.testing.laws import agree, refused, together


@dataclass(frozen=True, slots=True)
class Scene:
    """Snapshots that go by `clock`, and what they are taken of."""

    snapshots: Snapshots
    workspaces: Workspaces
    ground: Ground
    clock: FakeClock

    async def place(self) -> Workspace:
        """A workspace with a few files."""
        path = self.ground.folder()
        self.ground.plant(path, "README.md", b"read me")
        self.ground.plant(path, "src/main.py", b"print(1)\r\n")
        self.ground.plant(path, "bin/run", b"#!/bin/sh\n", 0o755)
        self.ground.plant(path, "empty")
        return await self.workspaces.identify(path)


SnapshotLaw = Callable[[Scene], Awaitable[None]]


def told(changes: Iterable[Change]) -> set[tuple[str, str]]:
    """Changes of files: folders come and go with them."""
    return {(change.path, change.how) for change in changes if not change.path.endswith("/")}


async def a_snapshot_says_what_it_is(scene: Scene) -> None:
    one = await scene.place()
    made = await scene.snapshots.take(one, "before the tests")
    agree((made.workspace, made.at, made.label), (one, scene.clock.now(), "before the tests"), "what, when and why")
    agree((made.files, made.left_out), (4, ()), "how much")
    agree(list(await scene.snapshots.list()), [made], "the list says the same")


async def the_newest_comes_first(scene: Scene) -> None:
    one, other = await scene.place(), await scene.place()
    made = []
    for workspace in (one, other, one):
        made.append(await scene.snapshots.take(workspace, "x"))
        scene.clock.advance(1)
    agree(list(await scene.snapshots.list()), made[::-1], "of every workspace")
    agree(list(await scene.snapshots.list(one)), [made[2], made[0]], "or of one")


async def a_restore_brings_everything_back(scene: Scene) -> None:
    one = await scene.place()
    ground, before = scene.ground, dict(scene.ground.tree(one.path))
    made = await scene.snapshots.take(one, "x")
    agree(list(await scene.snapshots.difference(made.id)), [], "nothing differs at first")
    ground.plant(one.path, "README.md", b"changed", 0o755)
    ground.plant(one.path, "src/main.py", b"print(1)\r\n", 0o755)
    ground.drop(one.path, "empty")
    ground.plant(one.path, "new/deep/file", b"new")
    changed = dict(ground.tree(one.path))
    wanted = {("README.md", "changed"), ("src/main.py", "mode"), ("empty", "added"), ("new/deep/file", "removed")}
    agree(told(await scene.snapshots.difference(made.id)), wanted, "the difference, seen from the present")
    agree(dict(ground.tree(one.path)), changed, "looking changes nothing")
    there = await scene.snapshots.restore(made.id)
    agree(dict(ground.tree(one.path)), before, "bytes and modes are what they were")
    agree(list(await scene.snapshots.difference(made.id)), [], "and nothing differs")
    agree(there.workspace, one, "what was there before is a snapshot")
    await scene.snapshots.restore(there.id)
    agree(dict(ground.tree(one.path)), changed, "which brings that back in turn")


async def an_emptied_workspace_comes_back(scene: Scene) -> None:
    one = await scene.place()
    before = dict(scene.ground.tree(one.path))
    made = await scene.snapshots.take(one, "x")
    for name in before:
        scene.ground.drop(one.path, name)
    nothing = await scene.snapshots.take(one, "nothing")
    agree(nothing.files, 0, "nothing is a state as well")
    await scene.snapshots.restore(made.id)
    agree(dict(scene.ground.tree(one.path)), before, "all of it")
    await scene.snapshots.restore(nothing.id)
    agree(dict(scene.ground.tree(one.path)), {}, "and back to nothing")


async def a_file_may_become_a_folder(scene: Scene) -> None:
    one = await scene.place()
    made = await scene.snapshots.take(one, "x")
    scene.ground.drop(one.path, "empty")
    scene.ground.plant(one.path, "empty/inside", b"1")
    scene.ground.drop(one.path, "src/main.py")
    scene.ground.plant(one.path, "src", b"a file")
    there = await scene.snapshots.restore(made.id)
    agree(scene.ground.tree(one.path)["empty"], (0o644, b""), "and a folder a file again")
    await scene.snapshots.restore(there.id)
    agree(scene.ground.tree(one.path)["empty/inside"], (0o644, b"1"), "in both directions")


async def what_is_not_there_is_said_so(scene: Scene) -> None:
    for wrong in ("snap_000000000000", "", "../../etc", "-f", "HEAD", "x" * 5000, "a\0b"):
        await refused(scene.snapshots.difference(wrong), NotFound, "no such snapshot to compare")
        await refused(scene.snapshots.restore(wrong), NotFound, "no such snapshot to restore")
    agree(await scene.snapshots.remove(scene.clock.now()), 0, "nothing to remove")


async def another_folder_is_never_restored(scene: Scene) -> None:
    one = await scene.place()
    made = await scene.snapshots.take(one, "x")
    scene.ground.swap(one.path)
    scene.ground.plant(one.path, "theirs", b"1")
    await refused(scene.snapshots.restore(made.id), Conflict, "another folder lies there")
    await refused(scene.snapshots.difference(made.id), Conflict, "it is not compared either")
    await refused(scene.snapshots.take(one, "x"), Conflict, "nor taken a snapshot of")
    agree(dict(scene.ground.tree(one.path)), {"theirs": (0o644, b"1")}, "and is as it was")
    scene.ground.lose(one.path)
    await refused(scene.snapshots.restore(made.id), Conflict, "it is gone")
    agree([snapshot.id for snapshot in await scene.snapshots.list()], [made.id], "the snapshot is still there")


async def two_at_once_are_two(scene: Scene) -> None:
    one = await scene.place()
    made = await together([lambda: scene.snapshots.take(one, "x")] * 4)
    agree(len({snapshot.id for snapshot in made}), 4, "ids are never used twice")
    for snapshot in made:
        agree(list(await scene.snapshots.difference(snapshot.id)), [], "each is whole")


async def old_ones_are_forgotten(scene: Scene) -> None:
    one, other = await scene.place(), await scene.place()
    old = await scene.snapshots.take(one, "old")
    await scene.snapshots.take(other, "old")
    scene.clock.advance(100)
    scene.ground.plant(one.path, "README.md", b"younger")
    young = await scene.snapshots.take(one, "young")
    agree(await scene.snapshots.remove(scene.clock.now() - 50 * SECOND), 2, "how many were forgotten")
    agree(list(await scene.snapshots.list()), [young], "the others stay")
    await refused(scene.snapshots.restore(old.id), NotFound, "what was forgotten is gone")
    scene.ground.plant(one.path, "README.md", b"youngest")
    await scene.snapshots.restore(young.id)
    agree(scene.ground.tree(one.path)["README.md"], (0o644, b"younger"), "what was kept is whole")
    again = await scene.snapshots.take(other, "again")
    agree(again.files, 4, "and where none was left a new one can be taken")


SNAPSHOT_LAWS: tuple[SnapshotLaw, ...] = (
    a_snapshot_says_what_it_is,
    the_newest_comes_first,
    a_restore_brings_everything_back,
    an_emptied_workspace_comes_back,
    a_file_may_become_a_folder,
    what_is_not_there_is_said_so,
    another_folder_is_never_restored,
    two_at_once_are_two,
    old_ones_are_forgotten,
)


async def exercise_snapshots(opened: Callable[[], AbstractAsyncContextManager[Scene]]) -> None:
    """Hold an adapter to every law, each with nothing kept yet. Raises `laws.Broken` for the first that does not hold."""
    for law in SNAPSHOT_LAWS:
        async with opened() as scene:
            await law(scene)
