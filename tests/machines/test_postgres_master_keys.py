"""Two hubs on one PostgreSQL, each with a ring of its own, while the master key is rotated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import NotAllowed, Unavailable
from multiagent_bridge.services import reseals
from multiagent_bridge.testing.hubs import OWNER, TestHub
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


async def test_two_hubs_replace_the_data_keys_together_while_others_write_and_read(
    server: Server, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseals, "TEXTS", 2)
    url = await server.create()
    async with PostgresStore(Address(url)) as one, PostgresStore(Address(url)) as other:
        here = Site(one)
        there = Site(other, here.clock, (NEW, OLD))
        running = await Site(other, here.clock, (NEW, OLD)).hub()
        mine = (await opened(running)).conversation.id
        said = [f"message {n}" for n in range(7)]
        for text in said:
            await send(running, text)
        hubs = [await here.rotated(), await there.hub()]
        await hubs[0].hub.reseals.begin(OWNER)

        async def drive(world: TestHub) -> None:
            while (await world.hub.reseals.step(OWNER)).more:
                assert await heard(world) == said

        await asyncio.gather(*(drive(world) for world in hubs))
        found = await one.read(lambda tx: tx.reseals.newest())
        assert found is not None
        assert (found.state, found.texts, found.data_keys) == ("finished", 7, 1)
        await send(running, "after")
        for world in (running, *hubs):
            assert await heard(world) == [*said, "after"]
            assert (await world.hub.evidence.verify()).messages == 8
        kept = await other.read(lambda tx: tx.conversations.get(mine))
        assert kept is not None
        assert len(kept.sealed_key) == 68
