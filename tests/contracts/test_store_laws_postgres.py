"""Every law of `ports.Store` and `ports.Meter`, held against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import message, seat
from multiagent_bridge.testing.meters import METER_LAWS, MeterLaw
from multiagent_bridge.testing.stores import STORE_LAWS, StoreLaw
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

Opened = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def opened(server: Server) -> Opened:
    @asynccontextmanager
    async def postgres() -> AsyncIterator[Store]:
        url = await server.create()
        async with PostgresStore(Address(url)) as store:
            yield store
        await server.drop(url)

    return postgres


@pytest.mark.parametrize("law", STORE_LAWS, ids=lambda law: law.__name__)
async def test_the_store_keeps_the_law(opened: Opened, law: StoreLaw) -> None:
    async with opened() as store:
        await law(store)


@pytest.mark.parametrize("law", METER_LAWS, ids=lambda law: law.__name__)
async def test_the_meter_in_the_store_keeps_the_law(opened: Opened, law: MeterLaw) -> None:
    async with opened() as store:
        await law(store, StoreMeter())


async def test_many_recipients_are_counted_once_each(opened: Opened) -> None:
    names = [f"s{n}" for n in range(63)]
    async with opened() as store:
        await seat(store, sessions=["a", *names])
        await store.write(lambda tx: tx.messages.add(message(1), [*names, "s0", "s5"]))
        found = await store.read(lambda tx: tx.sessions.of("conv_1"))
        assert [s.unread for s in found] == [0] + [1] * 63
