"""Snapshots of workspaces, each in a shadow git repository below the state directory (notes/guard, section 12)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from multiagent_bridge.adapters.blocking import Watch, in_thread
from multiagent_bridge.adapters.folders import Folder, split
from multiagent_bridge.adapters.snapshots.contents import Contents, Known
from multiagent_bridge.adapters.snapshots.git import Git
from multiagent_bridge.adapters.snapshots.plans import Plan, overlooked, plan, summary
from multiagent_bridge.adapters.snapshots.records import Kept
from multiagent_bridge.adapters.snapshots.restoring import Restoring
from multiagent_bridge.adapters.snapshots.shadow import STORE, Shadow, folder_name, listed
from multiagent_bridge.adapters.snapshots.tree import UNREADABLE, Reader, Reading
from multiagent_bridge.errors import BridgeError, Conflict, NotFound, Unavailable
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from multiagent_bridge.ports import Clock, Ids

PLACE = "snapshots"
ROUNDS = 20
"""Times that what cannot be read is made readable, one level of folders each, before a rollback gives up."""


class ShadowSnapshots:
    """`patience` bounds a snapshot or a look, `long` a rollback or a removal; seconds."""

    def __init__(
        self, state_directory: Path, clock: Clock, ids: Ids, patience: float = 120.0, long: float = 600.0
    ) -> None:
        self._place = state_directory / PLACE
        self._clock = clock
        self._ids = ids
        self._patience = patience
        self._long = long

    async def take(self, workspace: Workspace, label: str) -> Snapshot:
        """Raises Conflict when the workspace is gone or another one, Unavailable when the snapshot could not be kept whole."""

        def taken(watch: Watch) -> Snapshot:
            with _told("no snapshot was taken"), self._shadow(workspace, watch) as shadow:
                with Folder.opened(workspace) as folder:
                    return shadow.take(folder, self._ids.named("snap"), self._clock.now(), label).snapshot

        return await in_thread(taken, self._patience, "the snapshot")

    async def list(self, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        def found(watch: Watch) -> Sequence[Snapshot]:
            with _told("the snapshots could not be listed"):
                every = [one for _, one in self._all(watch) if workspace in (None, one.workspace)]
            return sorted(every, key=lambda one: (one.at, one.id), reverse=True)

        return await in_thread(found, self._patience, "listing the snapshots")

    async def difference(self, snapshot_id: str) -> Sequence[Change]:
        """Raises NotFound, Conflict (the workspace is gone or another one)."""

        def compared(watch: Watch) -> Sequence[Change]:
            snapshot = self._found(snapshot_id, watch)
            with _told("the difference could not be found"), self._shadow(snapshot.workspace, watch) as shadow:
                with Folder.opened(snapshot.workspace) as folder:
                    then = shadow.load(snapshot)
                    return _compared(shadow, folder, then, watch, shadow.known())[0].changes

        return await in_thread(compared, self._patience, "the comparison")

    async def restore(self, snapshot_id: str) -> Snapshot:
        """What was there before is always in the snapshot that is returned, whatever a rule ignores. Whatever goes wrong once
        something was changed is told with the id of that snapshot.
        """

        def restored(watch: Watch) -> Snapshot:
            snapshot = self._found(snapshot_id, watch)
            with _told("nothing was restored"), self._shadow(snapshot.workspace, watch) as shadow:
                with Folder.opened(snapshot.workspace) as folder:
                    return self._restored(shadow, folder, snapshot, watch)

        return await in_thread(restored, self._long, "the rollback")

    async def remove(self, before: int) -> int:
        def removed(watch: Watch) -> int:
            count = 0
            with _told("the snapshots could not be removed"):
                old: dict[Path, list[Snapshot]] = {}
                for directory, one in self._all(watch):
                    if one.at < before:
                        old.setdefault(directory, []).append(one)
                for directory, snapshots in old.items():
                    with Shadow.opened(directory, watch) as shadow:
                        shadow.forget([one.id for one in snapshots])
                    count += len(snapshots)
            return count

        return await in_thread(removed, self._long, "removing snapshots")

    def _restored(self, shadow: Shadow, folder: Folder, snapshot: Snapshot, watch: Watch) -> Snapshot:
        then = shadow.load(snapshot)
        todo, now = _unlocked(shadow, folder, then, watch)
        if todo.obstacle:
            raise todo.obstacle
        kept = frozenset(todo.kept | (now.repositories & now.entries.keys()))
        label = f"before the rollback to {snapshot.id}"
        before = shadow.take(folder, self._ids.named("snap"), self._clock.now(), label, kept)
        if any(before.entries.get(path) != now.entries[path] for path in todo.kept):
            raise Conflict("the workspace is being changed", "stop what writes in it, then repeat the call")
        watch.to_the_end()
        with _in_part(before.snapshot):
            Restoring(shadow.git, folder, watch).carry_out(todo)
            folder.forget()
            # nothing that was known before counts now: all of it is read again
            left, _ = _compared(shadow, folder, then, watch, {})
            if left:
                raise Unavailable(f"something else writes there: {summary(left.changes)} differ", "stop it")
            folder.still_there()
        return before.snapshot

    @contextmanager
    def _shadow(self, workspace: Workspace, watch: Watch) -> Iterator[Shadow]:
        with Shadow.opened(self._place / folder_name(workspace), watch) as shadow:
            yield shadow

    def _all(self, watch: Watch) -> Iterator[tuple[Path, Snapshot]]:
        """Every snapshot with the folder of its shadow."""
        if not self._place.is_dir():
            return
        for directory in sorted(self._place.iterdir()):
            if (directory / STORE).is_dir():
                for one in listed(Git(directory / STORE, watch)):
                    yield directory, one

    def _found(self, snapshot_id: str, watch: Watch) -> Snapshot:
        """Raises NotFound."""
        for _, one in self._all(watch):
            if one.id == snapshot_id:
                return one
        raise NotFound("there is no such snapshot", "mab yolo rollback without an id lists them")


def _compared(
    shadow: Shadow, folder: Folder, then: Kept, watch: Watch, known: dict[str, Known]
) -> tuple[Plan, Reading]:
    """What would make the folder what it was `then`, and what lies in it now."""
    rules = shadow.rules_of(then)
    wanted: frozenset[str] = frozenset()
    try:
        while True:
            now = Reader(folder, watch, rules, lambda: set(then.entries), wanted, live=False).read()
            more = overlooked(then, now)
            if more <= wanted:
                break
            wanted |= more
    finally:
        rules.close()
    Contents(folder, watch, known).named(now)
    return plan(then, now), now


def _unlocked(shadow: Shadow, folder: Folder, then: Kept, watch: Watch) -> tuple[Plan, Reading]:
    """As `_compared`, after what its own owner cannot read was made readable to him: no command locks a rollback out."""
    for _ in range(ROUNDS):
        todo, now = _compared(shadow, folder, then, watch, shadow.known())
        closed = [path for path, why in now.left_out.items() if why == UNREADABLE and path not in then.untouched]
        if not [path for path in closed if _opened_up(folder, path)]:
            break
    return todo, now


def _opened_up(folder: Folder, path: str) -> bool:
    """Give the owner of a file or folder the right to read it. False where that is not ours to give."""
    above, name = split(path)
    path_only = getattr(os, "O_PATH", os.O_RDONLY)
    with suppress(OSError), folder.changing(above) as place:
        handle = os.open(name, path_only | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                Path(f"/proc/self/fd/{handle}").chmod(stat.S_IMODE(mode) | (0o700 if stat.S_ISDIR(mode) else 0o600))
                return stat.S_IMODE(os.fstat(handle).st_mode) != stat.S_IMODE(mode)
        finally:
            os.close(handle)
    return False


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what the system said into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Unavailable(f"the disk is full, so {what}", "free some space, then repeat the call") from error
        reason = (error.strerror or "an error of the system").lower()
        raise Unavailable(f"{what}: {reason}", "look at the workspace and the state directory: mab doctor") from error


@contextmanager
def _in_part(before: Snapshot) -> Iterator[None]:
    """Whatever goes wrong from here on leaves the workspace half restored; say how to come back."""
    hint = f"what was there before is in {before.id}: mab yolo rollback {before.id}"
    try:
        with _told("not all could be written"):
            yield
    except BridgeError as error:
        failure = type(error) if isinstance(error, Conflict) else Unavailable
        raise failure(f"the workspace was restored in part only: {error.sentence}", hint, before=before.id) from error
