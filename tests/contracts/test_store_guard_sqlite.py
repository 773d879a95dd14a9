"""What SQLite's schema itself holds of the guard, and what its queries cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.ports import Tx
from multiagent_bridge.testing.laws import NOW, seat
from multiagent_bridge.testing.store_commands import BOOT, UP, approval, command, moved, put, start
from multiagent_bridge.testing.store_yolo import put as put_enabling

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "bridge.db") as opened:
        await seat(opened)
        yield opened


@pytest.mark.parametrize("state", ["approved", "running", "done", "lost"])
async def test_no_row_is_approved_without_an_approval_whoever_writes_it(store: SqliteStore, state: str) -> None:
    await put(store, "pending")
    foreign = apsw.Connection(str(store.path))
    with pytest.raises(apsw.ConstraintError):
        foreign.execute("UPDATE commands SET state = ?", (state,))
    foreign.close()
    assert not await start(store)


async def test_no_second_mode_is_enabled_whoever_writes_it(store: SqliteStore) -> None:
    await put_enabling(store, "enabled", 1)
    await put_enabling(store, "offered", 2)
    foreign = apsw.Connection(str(store.path))
    with pytest.raises(apsw.ConstraintError):
        foreign.execute("UPDATE enablings SET state = 'enabled'")
    foreign.close()


async def test_looking_for_what_is_open_costs_the_same_behind_a_long_history(store: SqliteStore) -> None:
    """Counted in steps of SQLite's machine, which no busy neighbour on the processor can change."""

    async def ended(tx: Tx, first: int, count: int) -> None:
        for number in range(first, first + count):
            one = command(number, "conv_2")
            await tx.commands.add(one)
            await tx.commands.change(moved(one, "denied"), "pending")

    async def looked(tx: Tx) -> None:
        assert [len(await tx.commands.open(name, 99)) for name in (None, "conv_1")] == [4, 4]
        assert len(await tx.commands.overdue(NOW, BOOT, UP, 99)) == 0
        assert len(await tx.commands.running("hub")) == 1
        assert [len(await tx.commands.list(name, 3)) for name in (None, "conv_1", "conv_2")] == [3, 3, 3]
        granted = replace(command(9), state="approved", approval=approval("grant_1"))
        await tx.commands.add(granted)
        assert await tx.commands.start(granted.id, granted.digest, b"wrong", BOOT, UP, NOW, "hub", NOW) is False
        assert await tx.commands.change(moved(granted, "expired"), "approved")

    await seat(store, "conv_2")
    for number, state in enumerate(("pending", "approved", "running", "pending")):
        await put(store, state, number)
    steps = []
    for first, count in ((100, 100), (1_000, 20_000)):
        await store.write(lambda tx, f=first, c=count: ended(tx, f, c))  # type: ignore[misc]
        counted = [0]

        def progress(counted: list[int] = counted) -> bool:
            counted[0] += 1
            return False

        await store._writer.call(lambda p=progress: store._writer._connection.set_progress_handler(p, 1))
        await store.write(looked)
        await store._writer.call(lambda: store._writer._connection.set_progress_handler(None))
        steps.append(counted[0])
        # the next look adds it anew
        foreign = apsw.Connection(str(store.path))
        foreign.execute("DELETE FROM commands WHERE id = 'cmd_9'")
        foreign.close()
    assert steps[0] > 100
    assert steps[1] <= 1.05 * steps[0]
