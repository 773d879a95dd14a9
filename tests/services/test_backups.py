from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from multiagent_bridge.adapters.backups.container import summed
from multiagent_bridge.adapters.backups.copies import sqlite_copy
from multiagent_bridge.adapters.backups.store import FolderBackups
from multiagent_bridge.adapters.keys import MasterKeys, key_id
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.transfer import moving
from multiagent_bridge.adapters.transfer.places import CHUNK
from multiagent_bridge.errors import BridgeError, Conflict, NotAllowed, Unavailable
from multiagent_bridge.model.backups import Backup
from multiagent_bridge.model.journal import Draft, Entry, Verifier
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.master_keys import ACCEPTED
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.backups import Backups
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.hubs import MASTER, OWNER, TestHub, agent, memory_hub

pytestmark = pytest.mark.anyio
DAY = 86_400


def backups(world: TestHub, home: Path, source: Path, keys: MasterKeys | None = None) -> Backups:
    keys = keys or MasterKeys(MASTER)
    folder = FolderBackups(home, lambda target: sqlite_copy(source, target), keys, keys.signer, "0")
    gate: Gate = world.hub.tasks._gate
    return Backups(gate, world.hub.journal, folder, world.clock)


async def actions(hub: Hub) -> list[tuple[str, str]]:
    return [(entry.action, entry.outcome) for entry in await hub.journal.newest(50)]


async def test_one_is_made_when_the_newest_is_too_old_and_the_oldest_go(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "kept"
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        verbs = backups(world, home, home / "bridge.db")
        made = []
        for _ in range(5):
            made.append(await verbs.due(OWNER, str(folder), DAY, 2, ()))
            assert await verbs.due(OWNER, str(folder), DAY, 2, ()) is None
            world.clock.advance(DAY - 60)
            assert await verbs.due(OWNER, str(folder), DAY, 2, ()) is None
            world.clock.advance(61)
    assert None not in made
    assert len(list(folder.iterdir())) == 2
    assert {str(path) for path in folder.iterdir()} == {backup.path for backup in made[-2:] if backup}


async def test_what_is_not_ours_in_the_folder_is_never_removed(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "kept"
    home.mkdir(mode=0o700)
    folder.mkdir()
    for name in ("bridge-old.age", "bridge-20200101T000000Z.age.bak", "thesis.txt"):
        (folder / name).write_text("mine")
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        verbs = backups(world, home, home / "bridge.db")
        for _ in range(3):
            await verbs.due(OWNER, str(folder), DAY, 1, ())
            world.clock.advance(2 * DAY)
    assert sorted(path.name for path in folder.iterdir() if path.read_bytes() == b"mine") == [
        "bridge-20200101T000000Z.age.bak", "bridge-old.age", "thesis.txt"
    ]  # fmt: skip
    assert len(list(folder.iterdir())) == 4


async def test_two_bridges_with_one_folder_each_keep_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with AsyncExitStack() as stack:
        made: dict[str, list[str]] = {"one": [], "two": []}
        verbs = {}
        world = memory_hub()
        for number, name in enumerate(made):
            home = tmp_path / name
            home.mkdir(mode=0o700)
            store = await stack.enter_async_context(SqliteStore(home / "bridge.db"))
            world = memory_hub(store=store, clock=world.clock)
            verbs[name] = backups(world, home, home / "bridge.db", MasterKeys(bytes([number]) * 32))
        for _ in range(3):
            for name, one in verbs.items():
                done = await one.due(OWNER, str(folder), DAY, 2, ())
                assert done is not None, name
                made[name].append(done.path)
                world.clock.advance(60)
                assert await one.due(OWNER, str(folder), DAY, 2, ()) is None
            world.clock.advance(DAY)
    assert {str(path) for path in folder.iterdir()} == {*made["one"][-2:], *made["two"][-2:]}


async def test_the_backups_of_before_a_rotation_go_as_they_did(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "kept"
    home.mkdir(mode=0o700)
    before, after = bytes([1]) * 32, bytes([2]) * 32
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        keys = MasterKeys(after, before)
        await backups(world, home, home / "bridge.db", keys).due(OWNER, str(folder), DAY, 1, ())
        row, *_ = keys.hand_over(key_id(after), 1, "0" * 64)
        keys.follow([replace(keys.first(), state=ACCEPTED), row])
        world.clock.advance(2 * DAY)
        done = await backups(world, home, home / "bridge.db", keys).due(OWNER, str(folder), DAY, 1, ())
    assert done is not None
    assert [str(path) for path in folder.iterdir()] == [done.path]


async def test_writers_go_on_while_a_backup_is_made_and_it_is_of_one_instant(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(Limits(creations=(Window(10_000, 60),)), store)
        verbs = backups(world, home, home / "bridge.db")

        async def write() -> None:
            for _ in range(40):
                await world.hub.conversations.create(agent("one"), "backend", "frontend")

        made, *_ = await asyncio.gather(verbs.make(OWNER, str(tmp_path / "b.age"), ""), write(), write())
    assert 0 <= made.manifest.entries <= 81


async def test_agents_have_their_turns_while_the_chain_of_a_copy_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, turns, done = tmp_path / "home", 0, asyncio.Event()
    read: Counter[int] = Counter()

    class Counted(Verifier):
        def feed(self, line: str) -> Entry:
            read[turns] += 1
            return super().feed(line)

    async def agents() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    async def written(tx: Tx) -> None:
        for number in range(3 * CHUNK):
            await tx.journal.append(Draft(number, "", "", "an actor", "task.claim"))

    monkeypatch.setattr(moving, "Verifier", Counted)
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        await store.write(written)
        serving = asyncio.create_task(agents())
        await backups(memory_hub(store=store), home, home / "bridge.db").make(OWNER, str(tmp_path / "b.age"), "")
        done.set()
        await serving
    assert sum(read.values()) >= 3 * CHUNK
    assert max(read.values()) <= CHUNK


async def test_a_backup_that_fails_is_a_refusal_in_the_journal(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        verbs = backups(world, home, tmp_path / "nowhere.db")
        with pytest.raises(BridgeError):
            await verbs.make(OWNER, str(tmp_path / "b.age"), "")
        assert ("store.backup", "refused") in await actions(world.hub)
    assert list(tmp_path.iterdir()) == [home]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
async def test_a_folder_without_hard_links_gets_its_backup_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    home, stick = tmp_path / "home", tmp_path / "stick"
    home.mkdir(mode=0o700)
    there: list[Path] = []

    def refused(source: Path, target: Path) -> None:
        for path in there:
            path.write_text("mine")
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    async with SqliteStore(home / "bridge.db") as store:
        verbs = backups(memory_hub(store=store), home, home / "bridge.db")
        made = await verbs.make(OWNER, str(stick / "b.age"), "")
        assert summed(stick / "b.age") == (made.size, made.digest)
        there.append(stick / "c.age")
        with pytest.raises(Conflict):
            await verbs.make(OWNER, str(stick / "c.age"), "")
    assert {path.name: path.stat().st_nlink for path in stick.iterdir()} == {"b.age": 1, "c.age": 1}
    assert (stick / "c.age").read_text() == "mine"


async def test_a_backup_that_gets_no_name_is_a_refusal_after_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: Path, target: Path) -> None:
        raise OSError(errno.EIO, "broken")

    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(os, "link", broken)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        with pytest.raises(Unavailable):
            await backups(world, home, home / "bridge.db").make(OWNER, str(tmp_path / "b.age"), "")
        assert await actions(world.hub) == [("store.backup", "done"), ("store.backup", "refused")]
    assert list(tmp_path.iterdir()) == [home]


async def test_agents_make_no_backups(tmp_path: Path) -> None:
    world = memory_hub()
    with pytest.raises(NotAllowed):
        await world.hub.backups.make(agent("one"), str(tmp_path / "b.age"), "")
    with pytest.raises(Unavailable):
        await world.hub.backups.make(OWNER, str(tmp_path / "b.age"), "")


async def test_a_backup_from_the_future_stops_no_other_and_costs_none(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "kept"
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        verbs = backups(world, home, home / "bridge.db")
        world.clock.advance(30 * DAY)
        ahead = await verbs.due(OWNER, str(folder), DAY, 1, ())
        world.clock.jump(-30 * DAY)
        now = await verbs.due(OWNER, str(folder), DAY, 1, ())
    assert ahead is not None
    assert now is not None
    assert {str(path) for path in folder.iterdir()} == {ahead.path, now.path}


async def test_of_two_at_once_one_is_made_and_the_other_told(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "b.age"
    home.mkdir(mode=0o700)
    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        verbs = [backups(world, home, home / "bridge.db") for _ in range(2)]
        done = await asyncio.gather(*(one.make(OWNER, str(file), "") for one in verbs), return_exceptions=True)
        (made,) = [one for one in done if isinstance(one, Backup)]
        (told,) = [one for one in done if isinstance(one, Conflict)]
        again = await verbs[1].make(OWNER, str(tmp_path / "c.age"), "")
    assert summed(file) == (made.size, made.digest)
    assert told.code == "conflict"
    assert again.path == str(tmp_path / "c.age")


async def test_a_backup_that_is_cancelled_while_its_pages_are_looked_at_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a hub ends that is told to: nothing is refused, and nothing failed."""
    home, begun = tmp_path / "home", threading.Event()
    home.mkdir(mode=0o700)

    class Slow(apsw.Connection):
        def execute(self, statement: str, *given: Any, **named: Any) -> Any:
            if "integrity_check" not in statement:
                return super().execute(statement, *given, **named)
            begun.set()
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
            return super().execute(f"{many} SELECT count(*) FROM n")

    async with SqliteStore(home / "bridge.db") as store:
        world = memory_hub(store=store)
        monkeypatch.setattr(apsw, "Connection", Slow)
        making = asyncio.create_task(backups(world, home, home / "bridge.db").make(OWNER, str(tmp_path / "b.age"), ""))
        assert await asyncio.to_thread(begun.wait, 60)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(making, 60)
        assert await actions(world.hub) == []
    assert list(tmp_path.iterdir()) == [home]
    assert not list(home.glob("backup-*"))


async def test_what_a_killed_one_left_is_gone_with_the_next(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "kept"
    home.mkdir(mode=0o700)
    script = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from multiagent_bridge.adapters.backups.store import FolderBackups\n"
        "from multiagent_bridge.adapters.backups.copies import sqlite_copy\n"
        "from multiagent_bridge.adapters.keys import MasterKeys\n"
        "home, folder, keys = Path(sys.argv[1]), sys.argv[2], MasterKeys(bytes(range(32)))\n"
        "made = FolderBackups(home, lambda target: sqlite_copy(home / 'bridge.db', target), keys, keys.signer, '0')\n"
        "FolderBackups._end_turn = lambda self: None\n"
        "asyncio.run(made.prepare(made.name(folder, 1), (), 1))\n"
        "(home / 'backup-left').mkdir()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    async with SqliteStore(home / "bridge.db") as store:
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(home), str(folder))
        assert await asyncio.wait_for(killed.wait(), 120) == -9
        assert [path.suffix for path in folder.iterdir()] == [".part"]
        world = memory_hub(store=store)
        await backups(world, home, home / "bridge.db").make(OWNER, None, str(folder))
    assert [path.suffix for path in folder.iterdir()] == [".age"]
    assert not (home / "backup-left").exists()
