from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import pytest

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.snapshots import Snapshots
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces

pytestmark = pytest.mark.anyio

T = TypeVar("T")
SHOP = "/work/shop"


class Watched(MemoryStore):
    """Knows whether a transaction is open, and can be made to refuse writing an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.refused = ""

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        async def watched(tx: Tx) -> T:
            self.open = True
            try:
                before = (await tx.journal.head()).size
                result = await work(tx)
                if self.refused and (await tx.journal.head()).size > before:
                    raise Unavailable(self.refused)
                return result
            finally:
                self.open = False

        return await super().write(watched)


class Outside(MemorySnapshots):
    """Snapshots that may never be touched inside a transaction."""

    store: Watched

    async def take(self, workspace: Workspace, label: str) -> Snapshot:
        assert not self.store.open
        return await super().take(workspace, label)

    async def list(self, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        assert not self.store.open
        return await super().list(workspace)

    async def difference(self, snapshot_id: str) -> Sequence[Change]:
        assert not self.store.open
        return await super().difference(snapshot_id)

    async def remove(self, before: int) -> int:
        assert not self.store.open
        return await super().remove(before)


@dataclass
class Yard:
    world: TestHub
    store: Watched
    workspaces: MemoryWorkspaces
    taken: Outside
    snapshots: Snapshots
    shop: Workspace
    first: list[Snapshot] = field(default_factory=list)

    async def entries(self) -> Sequence[Entry]:
        return await self.world.hub.journal.entries(0, 100)

    async def take(self, label: str = "cmd_000000000001") -> Snapshot:
        return await self.taken.take(self.shop, label)

    def files(self) -> dict[str, bytes]:
        return {name: content for name, (_, content) in self.workspaces.tree(SHOP).items()}


@pytest.fixture
async def yard(anyio_backend: str) -> Yard:
    store, workspaces = Watched(), MemoryWorkspaces()
    world = memory_hub(store=store)
    journal, limits = world.hub.journal, Limits()
    gate = Gate(store, world.clock, world.keys, StoreMeter(), journal, world.hub.presence, limits)
    taken = Outside(workspaces, world.clock)
    taken.store = store
    workspaces.plant(SHOP, "kept.py", b"1")
    shop = await workspaces.identify(SHOP)
    return Yard(world, store, workspaces, taken, Snapshots(gate, journal, taken, workspaces, world.clock), shop)


async def test_the_owner_lists_snapshots_newest_first_and_leaves_an_entry(yard: Yard) -> None:
    one = await yard.take()
    yard.world.clock.advance(1)
    two = await yard.take()
    assert [snapshot.id for snapshot in await yard.snapshots.list(OWNER)] == [two.id, one.id]
    assert [(entry.action, dict(entry.facts)) for entry in await yard.entries()] == [
        ("snapshot.list", {"snapshots": 2})
    ]


async def test_a_secret_in_a_label_is_not_shown(yard: Yard) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLQ"
    made = await yard.take(f"deploy --key {secret}")
    assert [snapshot.label for snapshot in await yard.snapshots.list(OWNER)] == ["deploy --key AWS_KEY_REDACTED"]
    before = await yard.snapshots.rollback(OWNER, made.id)
    assert secret not in before.label
    assert secret not in "".join(entry.line for entry in await yard.entries())


async def test_a_rollback_restores_and_names_what_was_there_before(yard: Yard) -> None:
    made = await yard.take()
    yard.workspaces.plant(SHOP, "kept.py", b"2")
    yard.workspaces.plant(SHOP, "new.py", b"3")
    changes = await yard.snapshots.difference(OWNER, made.id)
    assert {(change.path, change.how) for change in changes} == {("kept.py", "changed"), ("new.py", "removed")}
    before = await yard.snapshots.rollback(OWNER, made.id)
    assert yard.files() == {"kept.py": b"1"}
    entries = await yard.entries()
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("snapshot.compare", made.id, "done"),
        ("snapshot.restore", made.id, "done"),
    ]
    assert dict(entries[-1].facts) == {"before": before.id, "files_before": 2}
    await yard.snapshots.rollback(OWNER, before.id)
    assert yard.files() == {"kept.py": b"2", "new.py": b"3"}


@pytest.mark.parametrize("verb", ["list", "difference", "rollback", "cleanup"])
async def test_an_agent_is_refused_before_anything_is_looked_at(yard: Yard, verb: str) -> None:
    made = await yard.take()
    yard.workspaces.plant(SHOP, "kept.py", b"2")
    yard.taken.full = True
    words = {"list": (), "difference": (made.id,), "rollback": (made.id,), "cleanup": (0,)}[verb]
    with pytest.raises(Refused):
        await getattr(yard.snapshots, verb)(agent("mallory"), *words)
    assert yard.files() == {"kept.py": b"2"}
    assert [(entry.outcome, entry.actor) for entry in await yard.entries()] == [("refused", "agent mallory")]


@pytest.mark.parametrize("verb", ["difference", "rollback"])
async def test_an_unknown_snapshot_is_not_found_and_the_asking_is_an_entry(yard: Yard, verb: str) -> None:
    with pytest.raises(NotFound):
        await getattr(yard.snapshots, verb)(OWNER, "snap_nowhere")
    assert [(entry.outcome, entry.code) for entry in await yard.entries()] == [("refused", "not_found")]


async def test_a_full_disk_changes_nothing_and_is_an_entry(yard: Yard) -> None:
    made = await yard.take()
    yard.workspaces.plant(SHOP, "kept.py", b"2")
    yard.taken.full = True
    with pytest.raises(Unavailable):
        await yard.snapshots.rollback(OWNER, made.id)
    assert yard.files() == {"kept.py": b"2"}
    assert [(entry.action, entry.code) for entry in await yard.entries()] == [("snapshot.restore", "unavailable")]


async def test_a_swapped_workspace_is_not_rolled_back(yard: Yard) -> None:
    made = await yard.take()
    yard.workspaces.swap(SHOP)
    yard.workspaces.plant(SHOP, "theirs.py", b"1")
    with pytest.raises(Conflict):
        await yard.snapshots.rollback(OWNER, made.id)
    assert yard.files() == {"theirs.py": b"1"}


async def test_a_rollback_that_cannot_be_written_down_says_that_it_was_done(yard: Yard) -> None:
    made = await yard.take()
    yard.workspaces.plant(SHOP, "kept.py", b"2")
    yard.store.refused = "the disk is full"
    with pytest.raises(Unavailable) as caught:
        await yard.snapshots.rollback(OWNER, made.id)
    assert "was rolled back" in caught.value.sentence
    assert str(caught.value.facts["before"]) in caught.value.hint
    assert yard.files() == {"kept.py": b"1"}


async def test_a_removal_that_cannot_be_written_down_says_that_it_was_done(yard: Yard) -> None:
    await yard.take()
    yard.world.clock.advance(1)
    yard.store.refused = "the disk is full"
    with pytest.raises(Unavailable, match="1 snapshots were removed"):
        await yard.snapshots.cleanup(OWNER, 0)


async def test_a_rollback_waits_for_the_run_that_is_going_on(yard: Yard) -> None:
    made = await yard.take()
    yard.workspaces.plant(SHOP, "kept.py", b"2")
    running, waiting = anyio.Event(), anyio.Event()

    async def run() -> None:
        async with yard.workspaces.lock(yard.shop):
            running.set()
            await waiting.wait()
            assert yard.files() == {"kept.py": b"2"}

    async def roll() -> None:
        await running.wait()
        await yard.snapshots.rollback(OWNER, made.id)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            group.start_soon(roll)
            await anyio.wait_all_tasks_blocked()
            waiting.set()
    assert yard.files() == {"kept.py": b"1"}


async def test_a_cleanup_forgets_what_is_older_than_so_many_days(yard: Yard) -> None:
    await yard.take()
    yard.world.clock.advance(31 * 86_400)
    young = await yard.take()
    assert await yard.snapshots.cleanup(OWNER, 30) == 1
    assert [snapshot.id for snapshot in await yard.snapshots.list(OWNER)] == [young.id]
    entry = (await yard.entries())[0]
    assert (entry.action, dict(entry.facts)) == ("snapshot.remove", {"removed": 1, "older_than_days": 30})


@pytest.mark.parametrize("days", [-1, 1.5, "30", None, True, 10**9])
async def test_days_that_make_no_sense_are_invalid_and_forget_nothing(yard: Yard, days: object) -> None:
    await yard.take()
    yard.world.clock.advance(31 * 86_400)
    with pytest.raises(Invalid):
        await yard.snapshots.cleanup(OWNER, days)  # type: ignore[arg-type]
    assert len(await yard.taken.list()) == 1
