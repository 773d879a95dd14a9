"""What a page may tell of a PostgreSQL store: its version and its size, and no word of where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from multiagent_bridge.adapters.postgres import looking
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.errors import Unavailable
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


async def test_a_server_tells_its_version_and_how_large_the_database_is(server: Server) -> None:
    url = await server.create()
    found = await looking.engine(Address(url))
    assert found.name == "PostgreSQL"
    assert re.fullmatch(r"\d+(\.\d+)*(beta\d+|rc\d+|devel)?", found.version)
    assert found.size > 1_000_000
    assert found.log is None
    await server.drop(url)
    with pytest.raises(Unavailable):
        await looking.engine(Address(url))
