"""Every tool against every role: the tools are an agent's."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from multiagent_bridge.mcp.connection import Connection, current
from multiagent_bridge.mcp.server import build, reachable
from multiagent_bridge.model.callers import ROLES
from multiagent_bridge.model.callers import Caller as Who
from multiagent_bridge.testing.hubs import TestHub

from .conftest import Caller

pytestmark = pytest.mark.anyio

SEEN_BY_OPERATORS = {"list_conversations"}
WORDS: dict[str, Any] = {
    "my_role": "backend",
    "partner_role": "frontend",
    "invite": "abcde-12345",
    "message": "hello",
    "status": "working",
    "title": "look",
    "task_id": "task_000000000000",
    "action": "accept",
    "mode": "safe",
    "command": "git status",
}


async def text(world: TestHub, role: str, tool: str, **words: Any) -> str:
    """What the tool says to an identity of that role alone."""
    who = Who(f"bearer:{role}", role, "ip:192.0.2.7", yolo=True, roles=frozenset({role}), identity=f"key_{role}")
    connection = Connection(world.hub, who)
    current.set(connection)
    try:
        async with Client(build(world.hub, True), mode="auto") as client:
            found = await Caller(client, connection).call(tool, **words)
    finally:
        await connection.close()
    return str(found.content[0].text)


@pytest.mark.parametrize("tool", [tool.name for tool in reachable(True)])
@pytest.mark.parametrize("role", ROLES)
async def test_a_tool_answers_its_roles_and_no_other(world: TestHub, role: str, tool: str) -> None:
    [found] = [one for one in reachable(True) if one.name == tool]
    words = {name: WORDS[name] for name in found.schema.get("required", ())}
    if tool == "join_conversation":
        words = {"invite": WORDS["invite"]}
    said = await text(world, role, tool, **words)
    opens = role in ("agent", "admin") or (role == "operator" and tool in SEEN_BY_OPERATORS)
    assert said.startswith("not_allowed: no role of this identity allows this") is not opens, said
    if not opens:
        (entry,) = await world.hub.journal.newest(1)
        assert (entry.outcome, entry.actor) == ("refused", f"identity key_{role} ({role})")
