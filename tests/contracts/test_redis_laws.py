"""Every law of `ports.Bell` and `ports.Meter`, held against a real Valkey, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from multiagent_bridge.adapters.postgres.address import Address as PostgresAddress
from multiagent_bridge.adapters.postgres.metering import BesideMeter
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.adapters.redis.address import Address, checked
from multiagent_bridge.adapters.redis.bell import RedisBell
from multiagent_bridge.adapters.redis.meter import RedisMeter
from multiagent_bridge.errors import Invalid, Unavailable
from multiagent_bridge.model.limits import Window
from multiagent_bridge.ports import Bell, Store, Tx
from multiagent_bridge.testing.bells import BELL_LAWS, BellLaw
from multiagent_bridge.testing.laws import NOW, seat
from multiagent_bridge.testing.meters import BESIDE_LAWS, TEN, THREE, MeterLaw, charge, spend
from tests import postgres_server
from tests.valkey_server import PASSWORD, Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]
SOON = 60.0


class Beside:
    """A store whose transactions may wait for others, as PostgreSQL's may; this meter looks into none."""

    async def write(self, work: Callable[[Tx], Awaitable[Any]], *, brief: bool = False) -> Any:
        return await work(cast(Tx, None))


STORE = cast(Store, Beside())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def mortal() -> Iterator[Server]:
    """One that a test may kill."""
    with served() as found:
        yield found


def address(server: Server) -> Address:
    return Address(server.url, password=PASSWORD, prefix=f"t{secrets.token_hex(4)}")


async def nothing() -> bool:
    return False


@asynccontextmanager
async def rung(server: Server) -> AsyncIterator[tuple[Bell, Bell]]:
    place = address(server)
    async with RedisBell(place, nothing) as ours, RedisBell(place, nothing) as theirs:
        yield ours, theirs


@pytest.mark.parametrize("law", BELL_LAWS, ids=lambda law: law.__name__)
async def test_the_bell_keeps_the_law(server: Server, law: BellLaw) -> None:
    async with rung(server) as (ours, theirs):
        await law(ours, theirs)


@pytest.mark.parametrize("law", BESIDE_LAWS, ids=lambda law: law.__name__)
async def test_the_meter_keeps_the_law(server: Server, law: MeterLaw) -> None:
    async with RedisMeter(address(server)) as meter:
        await law(STORE, meter)


@pytest.fixture(scope="module")
def database() -> Iterator[postgres_server.Server]:
    with postgres_server.served() as found:
        yield found


@pytest.mark.parametrize("law", BESIDE_LAWS, ids=lambda law: law.__name__)
async def test_the_meter_keeps_the_law_within_transactions_of_postgresql(
    server: Server, database: postgres_server.Server, law: MeterLaw
) -> None:
    url = await database.create()
    store = PostgresStore(PostgresAddress(url))
    await store.open()
    try:
        async with RedisMeter(address(server)) as meter:
            await law(store, BesideMeter(meter))
    finally:
        await store.close()
        await database.drop(url)


async def test_two_hubs_share_one_budget(server: Server) -> None:
    place = address(server)
    async with RedisMeter(place) as ours, RedisMeter(place) as theirs:
        admitted = await asyncio.gather(*(spend(STORE, meter, THREE, NOW, 40) for meter in (ours, theirs)))
    assert sum(admitted) == 10


async def test_a_bucket_goes_when_it_says_nothing_any_more(server: Server) -> None:
    place, began = address(server), time.monotonic()
    async with RedisMeter(place) as meter:
        await charge(STORE, meter, TEN, NOW)
    with server.client() as client:
        (key,) = client.keys(f"{place.prefix}:rate:*")
        left = client.pttl(key)
        # one of ten a minute is back after six seconds, and a minute is allowed for clocks that differ
        assert 65_900 - 1000 * (time.monotonic() - began) < left <= 66_000


async def test_listeners_look_when_a_lost_server_is_back(mortal: Server) -> None:
    async with rung(mortal) as (ours, theirs), theirs.listen("t") as there:
        mortal.stop()
        ours.ring("t")
        mortal.start()
        assert await there.wait(SOON)
        async with theirs.listen("u") as other:
            ours.ring("u")
            assert await other.wait(SOON)


async def test_who_cannot_be_counted_is_told_when_to_come_back_and_then_is_counted(mortal: Server) -> None:
    async with RedisMeter(address(mortal)) as meter:
        assert await charge(STORE, meter, TEN, NOW) == 0
        mortal.stop()
        with pytest.raises(Unavailable) as refused:
            await charge(STORE, meter, TEN, NOW)
        assert refused.value.facts["retry_after"] == 1.0
        mortal.start()
        assert await charge(STORE, meter, TEN, NOW) == 0


async def test_a_server_that_says_nothing_keeps_no_other_hub_from_writing(
    database: postgres_server.Server, tmp_path: Path
) -> None:
    url = await database.create()

    async def nothing_said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = RedisMeter(Address(f"unix://{tmp_path / 'silent'}", answer_seconds=0.5))
    meter, begun = BesideMeter(silent), asyncio.Event()

    async def counted(tx: Tx) -> int:
        await tx.conversations.get("conv_1")
        begun.set()
        return await meter.charge(tx, "k", TEN, NOW)

    async with (
        await asyncio.start_unix_server(nothing_said, tmp_path / "silent"),
        PostgresStore(PostgresAddress(url)) as ours,
        PostgresStore(PostgresAddress(url, lock_seconds=5.0)) as theirs,
    ):
        await seat(ours)
        # one that is not counted is committed with those that are
        kept = asyncio.create_task(ours.write(lambda tx: tx.conversations.count_message("conv_1", 1)))
        charging = [asyncio.create_task(ours.write(counted)) for _ in range(32)]
        await asyncio.wait_for(begun.wait(), SOON)
        # one after the other they would hold the journal for 16 seconds
        assert await theirs.write(lambda tx: tx.conversations.count_message("conv_1", 1)) == 2
        assert await kept == 1
        refused = await asyncio.gather(*charging, return_exceptions=True)
        assert {getattr(error, "facts", {}).get("retry_after") for error in refused} == {1.0}
        await silent.close()
    await database.drop(url)


async def test_a_meter_whose_server_became_a_replica_follows_the_address_to_the_next(
    server: Server, mortal: Server, tmp_path: Path
) -> None:
    named = tmp_path / "primary"
    named.symlink_to(mortal.socket)
    async with RedisMeter(Address(f"unix://{named}", password=PASSWORD, prefix=f"t{secrets.token_hex(4)}")) as meter:
        assert await charge(STORE, meter, TEN, NOW) == 0
        with mortal.client() as client:
            # as it is told in a failover, its connections as they were
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
        named.unlink()
        named.symlink_to(server.socket)
        with pytest.raises(Unavailable, match="takes no writes"):
            await charge(STORE, meter, TEN, NOW)
        assert await charge(STORE, meter, TEN, NOW) == 0


async def test_a_flush_forgets_what_was_spent_and_nothing_else(server: Server) -> None:
    async with RedisMeter(address(server)) as meter:
        assert await spend(STORE, meter, TEN, NOW, 12) == 10
        with server.client() as client:
            client.flushall()
            client.script_flush()
        assert await spend(STORE, meter, TEN, NOW, 12) == 10


async def test_a_bucket_that_somebody_else_wrote_is_unavailable_not_a_crash(server: Server) -> None:
    place = address(server)
    async with RedisMeter(place) as meter:
        with server.client() as client:
            client.set(f"{place.prefix}:rate:k", "mine")
        with pytest.raises(Unavailable):
            await charge(STORE, meter, (Window(1, 1),), NOW, "k")


async def test_a_wrong_password_is_named_and_never_shown(server: Server) -> None:
    wrong = Address(server.url, password="wrong horse")
    with pytest.raises(Unavailable, match=r"redis\.password") as refused:
        async with RedisMeter(wrong):
            pass
    assert "wrong horse" not in str(refused.value)
    assert "wrong horse" not in repr(wrong)
    with pytest.raises(Unavailable):
        async with RedisBell(wrong, nothing):
            pass


@pytest.mark.parametrize(
    "url", ["http://h", "redis://", "redis://h:port", "rediss://h?ssl_cert_reqs=none", "redis://[", "", "h:6379"]
)
def test_a_url_that_is_none_of_redis_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(url)
    assert "ssl_cert_reqs" not in str(refused.value)


async def test_planted_messages_are_at_most_a_reason_to_look(server: Server) -> None:
    place = address(server)
    async with RedisBell(place, nothing) as bell, bell.listen("t") as ear:
        with server.client() as client:
            for content in (b"", b"x", b"\0" * 7, b"n" * 8 + b"short", b"n" * 100_000):
                client.publish(f"{place.prefix}:bell", content)
            client.publish(f"{place.prefix}:bell", b"n" * 8 + bytes(8))
        assert await ear.wait(SOON)
