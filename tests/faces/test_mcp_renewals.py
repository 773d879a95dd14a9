"""A renewed token as agents meet it: in the answer to the call that brought the old one, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from multiagent_bridge.testing.hubs import TestHub, memory_hub
from tests.faces.conftest import connected
from tests.services.renewing import AGE, GRACE, RENEWING

pytestmark = pytest.mark.anyio

TOOLS: dict[str, dict[str, Any]] = {
    "join_conversation": {},
    "send_to_partner": {"message": "hello"},
    "check_messages": {},
    "update_my_status": {"status": "working"},
    "check_partner_status": {},
    "assign_task": {"title": "one thing"},
    "list_tasks": {},
}


@pytest.fixture
def world() -> TestHub:
    return memory_hub(RENEWING)


def next_token(world: TestHub, given: dict[str, Any], generation: int = 2) -> str:
    return world.keys.token(given["conversation_id"], given["session_id"], generation)


async def opened(world: TestHub, era: str) -> dict[str, Any]:
    """The credentials of session b."""
    async with connected(world, "alice", era) as alice:
        made = await alice.fields("create_conversation", my_role="backend", partner_role="frontend")
    return {
        "conversation_id": made["conversation_id"],
        "session_id": "b",
        "token": made["session_b_token"],
    }


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_answer_to_an_aged_token_brings_the_next_as_field_and_as_text(
    world: TestHub, era: str, tool: str
) -> None:
    given = await opened(world, era)
    async with connected(world, "stranger", era) as stranger:
        assert "renewed_token" not in await stranger.fields(tool, **TOOLS[tool], **given)
        world.clock.advance(AGE)
        wanted = next_token(world, given)
        result = await stranger.call(tool, **TOOLS[tool], **given)
        assert result.structured_content["renewed_token"] == wanted
        assert f"\nrenewed_token: {wanted} (" in result.content[0].text
        assert "renewed_token" not in await stranger.fields(tool, **TOOLS[tool], **given | {"token": wanted})
        assert (await stranger.error(tool, **TOOLS[tool], **given)).startswith("not_allowed: ")


async def test_a_bound_connection_goes_on_without_a_word_of_tokens(world: TestHub, era: str) -> None:
    async with connected(world, "alice", era) as alice:
        made = await alice.fields("create_conversation", my_role="backend", partner_role="frontend")
        for generation in range(2, 5):
            world.clock.advance(AGE)
            for tool, words in TOOLS.items():
                if tool != "join_conversation":
                    assert "renewed_token" not in await alice.text(tool, **words)
            found = await world.store.read(lambda tx: tx.sessions.get(made["conversation_id"], "a"))
            assert found is not None
            assert found.generation == generation


async def test_a_bound_connection_that_shows_its_token_each_time_is_told_the_next(world: TestHub, era: str) -> None:
    async with connected(world, "alice", era) as alice:
        made = await alice.fields("create_conversation", my_role="backend", partner_role="frontend")
        given = {"conversation_id": made["conversation_id"], "session_id": "a", "token": made["session_a_token"]}
        world.clock.advance(AGE)
        told = await alice.fields("send_to_partner", message="x", **given)
        assert told["renewed_token"] == next_token(world, given)
        world.clock.advance(GRACE)
        assert (await alice.error("send_to_partner", message="x", **given)).startswith("not_allowed: ")
        assert "renewed_token" not in await alice.fields("send_to_partner", message="without credentials")


async def test_an_answer_that_is_lost_comes_again_with_the_same_token(world: TestHub, era: str) -> None:
    given = await opened(world, era)
    async with connected(world, "stranger", era) as stranger:
        world.clock.advance(AGE)
        told = [(await stranger.fields("list_tasks", **given))["renewed_token"] for _ in range(3)]
        assert told == [next_token(world, given)] * 3


async def test_looking_at_ones_conversations_renews_nothing(world: TestHub, era: str) -> None:
    given = await opened(world, era)
    async with connected(world, "stranger", era) as stranger:
        world.clock.advance(AGE)
        shown = await stranger.fields("list_conversations", **given)
        assert set(shown) == {"agent", "conversations"}
        assert "renewed_token" in await stranger.fields("list_tasks", **given)
