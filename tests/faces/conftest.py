from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from multiagent_bridge.mcp.connection import Connection, current
from multiagent_bridge.mcp.server import build
from multiagent_bridge.testing.hubs import TestHub, agent, memory_hub
from tests.faces.terminal import Terminal


@dataclass
class Caller:
    """An MCP client in memory that stands for one connection."""

    client: Client
    connection: Connection

    async def call(self, tool: str, **arguments: Any) -> Any:
        # in memory a request is served in the context of whoever calls
        current.set(self.connection)
        return await self.client.call_tool(tool, arguments)

    async def fields(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content  # type: ignore[no-any-return]

    async def text(self, tool: str, **arguments: Any) -> str:
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content[0].text
        return result.content[0].text  # type: ignore[no-any-return]

    async def error(self, tool: str, **arguments: Any) -> str:
        result = await self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content is None
        return result.content[0].text  # type: ignore[no-any-return]


@pytest.fixture
def world() -> TestHub:
    return memory_hub()


@pytest.fixture(params=["legacy", "auto"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def connected(world: TestHub, name: str, era: str) -> AsyncIterator[Caller]:
    connection = Connection(world.hub, agent(name))
    current.set(connection)
    try:
        async with Client(build(world.hub), mode=era) as client:  # type: ignore[arg-type]
            yield Caller(client, connection)
    finally:
        await connection.close()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)
