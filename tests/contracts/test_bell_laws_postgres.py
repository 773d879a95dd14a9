"""Every law of `ports.Bell`, held against LISTEN and NOTIFY on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import NotifyBell
from multiagent_bridge.ports import Bell
from multiagent_bridge.testing.bells import BELL_LAWS, BellLaw
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


async def nothing() -> bool:
    return False


@asynccontextmanager
async def rung(server: Server) -> AsyncIterator[tuple[Bell, Bell]]:
    url = await server.create()
    async with NotifyBell(Address(url), nothing) as ours, NotifyBell(Address(url), nothing) as theirs:
        yield ours, theirs
    await server.drop(url)


@pytest.mark.parametrize("law", BELL_LAWS, ids=lambda law: law.__name__)
async def test_the_bell_keeps_the_law(server: Server, law: BellLaw) -> None:
    async with rung(server) as (ours, theirs):
        await law(ours, theirs)
