from __future__ import annotations

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import agent, memory_hub

from .conftest import Pair, paired

pytestmark = pytest.mark.anyio


async def test_a_partner_that_was_never_seen_is_unknown_and_not_alive(anyio_backend: str) -> None:
    world = memory_hub()
    alice = agent("alice")
    await world.hub.conversations.create(alice, "backend", "frontend")
    fields = (await world.hub.status.partners(alice, NO_CREDENTIALS)).fields()
    assert (fields["status"], fields["alive"], fields["last_heartbeat"], fields["age_seconds"]) == (
        "unknown", False, None, None,
    )  # fmt: skip


async def test_status_and_note_reach_the_partner_and_the_note_is_redacted(pair: Pair) -> None:
    done = await pair.hub.status.update(pair.alice, NO_CREDENTIALS, "blocked", "waiting for AKIA" + "IOSFODNN7EXAMPLQ")
    assert done.fields() == {"status": "blocked", "unread": 0}
    fields = (await pair.hub.status.partners(pair.bob, NO_CREDENTIALS)).fields()
    assert (fields["session_id"], fields["status"]) == ("a", "blocked")
    assert fields["note"] == "waiting for AWS_KEY_REDACTED"
    assert set(fields) == {
        "partners", "session_id", "role", "status", "note", "last_heartbeat", "age_seconds", "alive", "unread", "sent",
    }  # fmt: skip


async def test_alive_means_a_heartbeat_within_two_minutes_and_every_call_is_one(pair: Pair) -> None:
    async def alive() -> object:
        return (await pair.hub.status.partners(pair.bob, NO_CREDENTIALS)).fields()["alive"]

    pair.clock.advance(120)
    assert await alive() is True
    pair.clock.advance(1)
    assert await alive() is False
    with pytest.raises(Invalid):
        await pair.send(pair.alice, "")
    assert await alive() is True


async def test_a_clock_set_back_buries_nobody_and_revives_nobody_for_long(pair: Pair) -> None:
    pair.clock.jump(-3600)
    fields = (await pair.hub.status.partners(pair.bob, NO_CREDENTIALS)).fields()
    assert (fields["alive"], fields["age_seconds"]) == (True, 0.0)
    await pair.check(pair.alice)
    pair.clock.advance(121)
    assert (await pair.hub.status.partners(pair.bob, NO_CREDENTIALS)).fields()["alive"] is False


async def test_one_partner_of_many_can_be_asked_for_by_session_or_role(anyio_backend: str) -> None:
    pair = await paired(memory_hub(), "reviewer")
    everyone = (await pair.hub.status.partners(pair.alice, NO_CREDENTIALS)).fields()
    assert "session_id" not in everyone
    assert len(everyone["partners"]) == 2  # type: ignore[arg-type]
    for name in ("c", "Reviewer"):
        assert (await pair.hub.status.partners(pair.alice, NO_CREDENTIALS, name)).fields()["session_id"] == "c"
    with pytest.raises(Invalid):
        await pair.hub.status.partners(pair.alice, NO_CREDENTIALS, "a")


@pytest.mark.parametrize(
    ("status", "note"), [("sleeping", None), (None, None), (1, None), ("working", "x" * 1001), ("working", 7)]
)
async def test_a_status_that_is_none_is_refused(pair: Pair, status: object, note: object) -> None:
    with pytest.raises(Invalid):
        await pair.hub.status.update(pair.alice, NO_CREDENTIALS, status, note)


async def test_what_a_partner_has_not_read_is_shown(pair: Pair) -> None:
    await pair.send(pair.alice, "one")
    await pair.send(pair.alice, "two")
    assert (await pair.hub.status.partners(pair.alice, NO_CREDENTIALS)).fields()["unread"] == 2


async def test_a_sender_sees_where_its_messages_stand_until_they_are_acknowledged(pair: Pair) -> None:
    async def stands() -> object:
        return (await pair.hub.status.partners(pair.alice, NO_CREDENTIALS)).fields()["sent"]

    for words in ("one", "two"):
        await pair.hub.messages.send(pair.alice, NO_CREDENTIALS, words)
    assert await stands() == [{"message_id": 1, "state": "stored"}, {"message_id": 2, "state": "stored"}]
    await pair.hub.messages.check(pair.bob, NO_CREDENTIALS, "t:1", limit=1, auto_ack=False)
    assert await stands() == [{"message_id": 1, "state": "delivered"}, {"message_id": 2, "state": "stored"}]
    await pair.hub.messages.check(pair.bob, NO_CREDENTIALS, "t:2", ack_through=2, auto_ack=False)
    assert await stands() == []
    partners = (await pair.hub.status.partners(pair.bob, NO_CREDENTIALS)).fields()
    assert partners["sent"] == []
