"""Attacks on a hub through its database: secrets in what it says, forged rings, planted functions, a journal changed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import ANYTHING, CHANNEL, NotifyBell
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import BridgeError, Invalid, Tampered, Unavailable
from multiagent_bridge.testing.laws import draft, seat, unread
from tests.postgres_server import PASSWORD, Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

SECRET = "s3cr3t-w0rd"
MAB = str(Path(sys.executable).with_name("mab"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


async def nothing() -> bool:
    return False


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://owner:{SECRET}@127.0.0.1:1/bridge",
        f"postgresql://owner:{SECRET}@no-such-host.invalid/bridge",
        f"postgresql://owner:{SECRET}/x@127.0.0.1/bridge",
        f"postgresql://owner:{SECRET}#x@127.0.0.1/bridge",
        f"postgresql://owner:{SECRET}@127.0.0.1:port/bridge",
        f"postgresql://owner@127.0.0.1/bridge?password={SECRET}",
        f"postgresql://owner@127.0.0.1/bridge?PASSWORD={SECRET}",
        f"postgresql://owner:{SECRET}@127.0.0.1/bridge?sslmode={SECRET}",
        f"postgresql://owner:{SECRET}@[127.0.0.1/bridge",
        f"postgresql://owner:{SECRET}@/bridge?host=/nowhere&port={SECRET}",
        f"{SECRET}://owner@127.0.0.1/bridge",
    ],
)
async def test_no_error_repeats_the_password_of_a_url(url: str) -> None:
    with pytest.raises(BridgeError) as refused:
        await PostgresStore(Address(url, connect_seconds=2)).open()
    assert isinstance(refused.value, (Invalid, Unavailable))
    assert SECRET not in str(refused.value)
    # nor does a log that is shown the driver's error as its cause
    assert not [said for said in shown(refused.value) if SECRET in said]


def shown(error: BaseException | None) -> list[str]:
    """What a traceback says of an error and of all that it shows as its causes."""
    if error is None:
        return []
    before = error.__cause__ if error.__cause__ or error.__suppress_context__ else error.__context__
    return [*traceback.format_exception_only(error), *shown(before)]


async def test_a_wrong_password_is_refused_without_showing_either(server: Server) -> None:
    url = server.url().replace(quote(PASSWORD, safe=""), SECRET)
    with pytest.raises(Unavailable, match="does not let this user in") as refused:
        await PostgresStore(Address(url)).open()
    for hidden in (SECRET, PASSWORD, quote(PASSWORD, safe="")):
        assert hidden not in str(refused.value)
        assert hidden not in repr(Address(url, password=PASSWORD))


def test_no_command_shows_the_password(server: Server, tmp_path: Path) -> None:
    url = server.create_now()
    env = {"MAB_HOME": str(tmp_path), "MAB_STORE": url, "MAB_POSTGRES__PASSWORD": SECRET, "HOME": str(tmp_path)}
    env["PATH"] = os.environ["PATH"]
    for words in (
        ["config", "show"],
        ["config", "show", "--json"],
        ["list"],
        ["status"],
        ["create", "backend", "frontend"],
    ):
        done = subprocess.run([MAB, *words], env=env, capture_output=True, text=True, timeout=120, check=False)
        for hidden in (SECRET, PASSWORD, quote(PASSWORD, safe="")):
            assert hidden not in done.stdout + done.stderr, words


async def test_forged_rings_wake_at_most(server: Server) -> None:
    url = await server.create()
    forger = await asyncpg.connect(url)
    async with NotifyBell(Address(url), nothing) as ours, NotifyBell(Address(url), nothing) as theirs:
        async with theirs.listen("t") as there:
            for forged in ("", "x", "zz" * 8, "é" * 100, "ab" * 3900, "\n", "'; --", "0" * 15):
                await forger.execute("SELECT pg_notify($1, $2)", CHANNEL, forged)
            ours.ring("t")
            assert await there.wait(60)
            await forger.execute("SELECT pg_notify($1, $2)", CHANNEL, ANYTHING)
            assert await there.wait(60)
    await forger.close()


async def test_what_was_planted_in_the_public_schema_is_never_called(server: Server) -> None:
    url = await server.create()
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        CREATE TABLE public.witness (n BIGINT);
        CREATE FUNCTION public.starts_with(text, text) RETURNS boolean LANGUAGE sql AS
          $$ INSERT INTO public.witness VALUES (1); SELECT true $$;
        CREATE TABLE public.sessions (n BIGINT);
        CREATE TABLE public.journal_head (head TEXT);
        """
    )
    async with PostgresStore(Address(url)) as store:
        await seat(store)
        await store.write(lambda tx: tx.bindings.sweep(2**62, "x"))
        await store.write(lambda tx: tx.journal.append(draft(1)))
        assert await unread(store) == 0
    assert await connection.fetchval("SELECT count(*) FROM public.witness") == 0
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM bridge.journal_head",
        "UPDATE bridge.journal_head SET head = ''",
        "UPDATE bridge.journal_head SET head = 'x'",
        "UPDATE bridge.journal_head SET head = (SELECT h FROM old)",
    ],
)
async def test_a_head_that_was_changed_stops_the_journal_instead_of_forking_it(server: Server, change: str) -> None:
    url = await server.create()
    connection = await asyncpg.connect(url)
    async with PostgresStore(Address(url)) as store:
        await store.write(lambda tx: tx.journal.append(draft(1)))
        await connection.execute("CREATE TEMPORARY TABLE old AS SELECT head AS h FROM bridge.journal_head")
        await store.write(lambda tx: tx.journal.append(draft(2)))
        await connection.execute(change)
        with pytest.raises(Tampered):
            await store.write(lambda tx: tx.journal.append(draft(3)))
        assert len(await store.read(lambda tx: tx.journal.lines(0, 9))) == 2
    await connection.close()


async def test_many_who_are_refused_leave_no_connection_behind(server: Server) -> None:
    url = await server.create()
    connection = await asyncpg.connect(url)
    async with PostgresStore(Address(url, pool_size=3)) as store:
        await seat(store)

        async def failing(number: int) -> None:
            work = (
                (lambda tx: tx.conversations.count_message("conv_1", 1))
                if number % 2
                else (lambda tx: asyncio.sleep(0))
            )
            with pytest.raises(RuntimeError):
                await store.read(work)

        await asyncio.gather(*(failing(n) for n in range(60)))
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
        assert await connection.fetchval(idle) == 0
        assert await store.read(lambda tx: tx.conversations.get("conv_1"))
    await connection.close()


def test_a_workspace_cannot_say_how_the_database_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.toml").write_text('[postgres]\npassword = "file:/etc/passwd"\n')
    with pytest.raises(Invalid, match="sets postgres"):
        config.load(home=tmp_path)


def test_a_copied_state_directory_with_a_link_for_a_name_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = config.Settings(home=home, store="postgresql://owner@localhost/bridge")
    assert wiring.owner_of(settings, "hub")
    (home / "hub.name").unlink()
    (home / "hub.name").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        wiring.owner_of(settings, "hub")
    assert not (tmp_path / "elsewhere").exists()
