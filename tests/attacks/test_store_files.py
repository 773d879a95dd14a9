"""The database's files as an attacker, a clumsy owner or a bad disk leaves them."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite.opening import APPLICATION_ID, MIGRATIONS
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError, Tampered, Unavailable
from multiagent_bridge.model.messages import Message
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, draft, seat, send

pytestmark = pytest.mark.anyio

NOBODY = 65_534
SUFFIXES = ("", "-wal", "-shm", "-journal", "-lock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home / "bridge.db"


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


async def size(store: Store) -> int:
    async def entries(tx: Tx) -> int:
        return (await tx.journal.head()).size

    return await store.read(entries)


async def append(store: Store, number: int = 1) -> None:
    await store.write(lambda tx: tx.journal.append(draft(number)))


async def refusal(path: Path) -> BridgeError:
    """The error of an attempt to open the database."""
    store = SqliteStore(path)
    with pytest.raises(BridgeError) as caught:
        await store.open()
    assert caught.value.hint
    assert "\n" not in caught.value.sentence
    return caught.value


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dangling", [False, True], ids=["to a file", "dangling"])
async def test_a_planted_link_is_refused_and_its_target_untouched(path: Path, suffix: str, dangling: bool) -> None:
    target = path.parent.parent / "victim"
    if not dangling:
        target.write_bytes(b"precious")
        target.chmod(0o644)
    beside(path, suffix).symlink_to(target)
    assert (await refusal(path)).code == "unavailable"
    assert beside(path, suffix).is_symlink()
    if dangling:
        assert not target.exists()
    else:
        assert target.read_bytes() == b"precious"
        assert stat.S_IMODE(target.stat().st_mode) == 0o644


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_planted_pipe_or_directory_is_refused_at_once(path: Path, suffix: str) -> None:
    for plant in (os.mkfifo, os.mkdir):
        plant(beside(path, suffix))
        assert (await asyncio.wait_for(refusal(path), 60)).code == "unavailable"
        (os.unlink if plant is os.mkfifo else os.rmdir)(beside(path, suffix))


async def test_a_link_planted_while_the_store_is_closed_is_refused(path: Path) -> None:
    async with SqliteStore(path) as store:
        await append(store)
    path.rename(path.parent.parent / "moved.db")
    path.symlink_to(path.parent.parent / "moved.db")
    assert "not a plain file" in str(await refusal(path))


@pytest.mark.parametrize("mask", [0o000, 0o277, 0o777], ids=oct)
async def test_files_are_private_whatever_the_umask(tmp_path: Path, umask: None, mask: int) -> None:
    os.umask(mask)
    path = tmp_path / "new" / "bridge.db"
    async with SqliteStore(path) as store:
        await append(store)
        found = {suffix: beside(path, suffix) for suffix in SUFFIXES if beside(path, suffix).exists()}
        assert set(found) == {"", "-wal", "-shm", "-lock"}
        assert {suffix: oct(stat.S_IMODE(p.stat().st_mode)) for suffix, p in found.items()} == dict.fromkeys(
            found, "0o600"
        )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_files_that_others_can_read_are_closed_to_them(path: Path) -> None:
    async with SqliteStore(path):
        pass
    path.chmod(0o644)
    async with SqliteStore(path) as store:
        await append(store)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(beside(path, "-wal").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777, 0o1777], ids=oct)
async def test_a_directory_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    assert "chmod 700" in (await refusal(path)).hint
    assert not path.exists()


async def test_a_directory_of_another_user_is_refused(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path.parent, NOBODY, NOBODY)
    else:
        path = Path("/bridge.db")
    assert "another user" in str(await refusal(path))


async def test_a_database_of_a_newer_program_is_refused_and_untouched(path: Path) -> None:
    async with SqliteStore(path) as store:
        await append(store)
    newer = apsw.Connection(str(path))
    newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    before = path.read_bytes()
    refused = await refusal(path)
    assert f"newer version ({len(MIGRATIONS) + 1}) than this program knows ({len(MIGRATIONS)})" in refused.sentence
    assert refused.hint == "upgrade the program"
    assert path.read_bytes() == before


async def test_a_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    assert "another program" in str(await refusal(path))
    with apsw.Connection(str(path)) as other:
        assert [name for (name,) in other.execute("SELECT name FROM sqlite_schema")] == ["bookmarks"]
    other.close()


async def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    async with SqliteStore(path) as store:
        await append(store)
    database = apsw.Connection(str(path))
    assert database.pragma("application_id") == APPLICATION_ID
    database.close()


@pytest.mark.parametrize("content", [b"not a database, just text\n" * 100, os.urandom(8192)], ids=["text", "noise"])
async def test_a_file_that_is_no_database_is_tampered(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    refused = await refusal(path)
    assert isinstance(refused, Tampered)
    assert "mab doctor" in refused.hint
    assert path.read_bytes() == content


async def test_damaged_pages_are_tampered_and_the_rest_is_served(path: Path) -> None:
    async with SqliteStore(path) as store:
        await seat(store)
        await send(store, 200)
    database = apsw.Connection(str(path))
    ((root,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'")
    page = database.pragma("page_size")
    database.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page)
        file.write(b"\xde" * page)
    async with SqliteStore(path) as store:
        with pytest.raises(Tampered, match="damaged"):
            await store.read(lambda tx: tx.messages.list("conv_1", 0, 500))
        with pytest.raises(Tampered, match="damaged"):
            await send(store, 1)
        assert len(await store.read(lambda tx: tx.sessions.of("conv_1"))) == 3
        await append(store)
        assert await size(store) == 1


async def test_a_full_disk_refuses_keeps_what_was_there_and_serves_again(path: Path) -> None:
    async with SqliteStore(path, max_pages=120) as store:
        await seat(store)
        await seat(store, "conv_2")

        async def big(tx: Tx, name: str) -> int:
            number = await tx.conversations.count_message(name, 20_000)
            body = bytes(20_000)
            await tx.messages.add(Message(name, number, "a", "info", body, len(body), NOW), ["b"])
            return number

        stored = 0
        refused: BridgeError | None = None
        while refused is None:
            try:
                stored = await store.write(lambda tx: big(tx, "conv_1"))
            except Unavailable as error:
                refused = error
        assert "full" in refused.sentence
        assert isinstance(refused.__cause__, apsw.FullError)
        assert 3 < stored < 100
        assert len(await store.read(lambda tx: tx.messages.list("conv_1", 0, 100))) == stored
        found = await store.read(lambda tx: tx.sessions.get("conv_1", "b"))
        assert found is not None
        assert found.unread == stored
        await store.write(lambda tx: tx.conversations.remove("conv_1"))
        assert await store.write(lambda tx: big(tx, "conv_2")) == 1


async def test_a_full_disk_within_a_batch_answers_every_caller_truly(path: Path) -> None:
    async with SqliteStore(path, max_pages=120) as store:
        await seat(store)

        async def sized(tx: Tx, length: int) -> int:
            number = await tx.conversations.count_message("conv_1", length)
            await tx.messages.add(Message("conv_1", number, "a", "info", bytes(length), length, NOW), ["b"])
            return number

        lengths = [100, 500_000, 100, 30_000, 500_000, 100] * 8
        results = await asyncio.gather(
            *(store.write(lambda tx, n=n: sized(tx, n)) for n in lengths), return_exceptions=True
        )
        refused = [r for r in results if isinstance(r, BaseException)]
        assert {type(r) for r in refused} == {Unavailable}
        acknowledged = sorted(r for r in results if isinstance(r, int))
        held = await store.read(lambda tx: tx.messages.list("conv_1", 0, 100))
        assert [m.id for m in held] == acknowledged
        last = await store.write(lambda tx: sized(tx, 100))
        assert last == (acknowledged or [0])[-1] + 1


async def test_a_removed_database_is_refused_and_served_again_once_it_is_back(path: Path) -> None:
    async with SqliteStore(path) as store:
        await append(store, 1)
        aside = path.with_name("aside.db")
        path.rename(aside)
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"removed|gone"):
                await append(store, 2)
            with pytest.raises(Unavailable, match=r"removed|gone"):
                await size(store)
        # an empty one must not be made in its place
        assert not path.exists()
        aside.rename(path)
        await append(store, 2)
        assert await size(store) == 2


async def test_reads_alone_notice_a_removed_and_a_returned_database(path: Path) -> None:
    async with SqliteStore(path) as store:
        await append(store, 1)
        assert await size(store) == 1
        path.rename(path.with_name("aside.db"))
        with pytest.raises(Unavailable, match=r"removed|gone"):
            await size(store)
        path.with_name("aside.db").rename(path)
        assert await size(store) == 1


async def test_a_replaced_database_is_said_once_and_then_used(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    async with SqliteStore(path) as store:
        await append(store, 1)
        copy, source = apsw.Connection(str(backup)), apsw.Connection(str(path))
        with copy.backup("main", source, "main") as copying:
            copying.step(-1)
        copy.close()
        source.close()
        await append(store, 2)
        backup.chmod(0o600)
        shutil.copyfile(backup, path.with_name("new.db"))
        path.with_name("new.db").chmod(0o600)
        os.replace(path.with_name("new.db"), path)
        with pytest.raises(Unavailable, match="replaced"):
            await append(store, 3)
        # the old log was not replayed into the restored file
        assert await size(store) == 1
        await append(store, 2)
        assert await size(store) == 2
    database = apsw.Connection(str(path))
    assert database.pragma("integrity_check") == "ok"
    database.close()
    # nothing of the old one is thrown away
    assert beside(path, "-wal.replaced").stat().st_size > 0


async def test_a_removed_log_loses_nothing_that_was_acknowledged(path: Path) -> None:
    async with SqliteStore(path) as store:
        for number in range(20):
            await append(store, number)
        beside(path, "-wal").unlink()
        await append(store, 20)
        assert await size(store) == 21
    async with SqliteStore(path) as store:
        assert await size(store) == 21


async def test_a_removed_lock_file_is_made_again_and_still_excludes(path: Path) -> None:
    async with SqliteStore(path) as one, SqliteStore(path) as two:
        await append(one)
        beside(path, "-lock").unlink()
        await asyncio.gather(*(append(store, n) for n in range(30) for store in (one, two)))
        assert await size(one) == 61
        assert one._writer._lock._opened == two._writer._lock._opened


UNPRIVILEGED = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
async def main():
    try:
        async with SqliteStore(Path(sys.argv[1])):
            print("opened")
    except BridgeError as error:
        print(error)
asyncio.run(main())
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A database whose directory an unprivileged user of the machine can reach."""
    home = Path(tempfile.mkdtemp(prefix="mab-"))
    yield home / "bridge.db"
    home.chmod(0o700)
    shutil.rmtree(home)


@pytest.mark.parametrize(("place", "mode"), [("database", 0o400), ("directory", 0o500)])
async def test_what_cannot_be_written_to_is_one_clear_sentence(reachable: Path, place: str, mode: int) -> None:
    path = reachable
    async with SqliteStore(path) as store:
        await append(store)
    if place == "directory":
        beside(path, "-lock").unlink()
    for entry in [path.parent, *path.parent.iterdir()]:
        if os.geteuid() == 0:
            os.chown(entry, NOBODY, NOBODY)
    target = path if place == "database" else path.parent
    allowed = stat.S_IMODE(target.stat().st_mode)
    target.chmod(mode)

    def attempt() -> str:
        words = [sys.executable, "-c", UNPRIVILEGED, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    said = await asyncio.to_thread(attempt)
    assert said.startswith("unavailable: ")
    assert "write" in said
    target.chmod(allowed)
    assert await asyncio.to_thread(attempt) == "opened"
