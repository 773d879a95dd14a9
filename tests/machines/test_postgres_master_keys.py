"""Two hubs on one PostgreSQL, each with a ring of its own, while the master key is rotated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import NotAllowed, Unavailable
from multiagent_bridge.testing.hubs import OWNER
from tests.postgres_server import Server, served
from tests.services.rotations import NEW, OLD, Site, heard, opened, seat, send

pytestmark = [pytest.mark.anyio, pytest.mark.machines, pytest.mark.servers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


async def test_a_hub_elsewhere_goes_on_once_the_ring_reached_it_first(server: Server, anyio_backend: str) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)) as one, PostgresStore(Address(url)) as other:
        here = Site(one)
        there = Site(other, here.clock)
        running = await there.hub()
        made = await opened(running)
        await send(running, "before")
        there.ring = (NEW, OLD)
        rotating = await here.rotated()
        await send(running, "by an old token", seat(made))
        assert await heard(running) == ["before", "by an old token"]
        assert running.keys.current == rotating.keys.current
        assert (await rotating.hub.evidence.verify()).messages == 2
        await here.retired(rotating)
        with pytest.raises(NotAllowed):
            await send(running, "by an old token", seat(made))
        await send(running, "after")
        assert (await running.hub.evidence.verify()).messages == 3


async def test_a_hub_elsewhere_that_was_forgotten_refuses_until_it_has_the_key(
    server: Server, anyio_backend: str
) -> None:
    url = await server.create()
    async with PostgresStore(Address(url)) as one, PostgresStore(Address(url)) as other:
        here = Site(one)
        there = Site(other, here.clock)
        running = await there.hub()
        await opened(running)
        rotating = await here.rotated()
        for _ in range(2):
            with pytest.raises(Unavailable, match="rotated"):
                await send(running, "late")
        there.ring = (NEW, OLD)
        await send(running, "late")
        assert await heard(running) == ["late"]
        await rotating.hub.master_keys.retire(OWNER)
        assert (await running.hub.evidence.verify()).messages == 1
