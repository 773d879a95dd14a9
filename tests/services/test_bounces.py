"""Mail for a session that was ended comes back to who sent it, as a notice."""

from __future__ import annotations

import pytest

from multiagent_bridge.ports import Tx
from multiagent_bridge.services.bounces import NAMED, Bounces
from multiagent_bridge.services.gate import Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.testing.hubs import OWNER

from .teams import Team, gathered

pytestmark = pytest.mark.anyio


async def bounced(team: Team, session: str) -> list[str]:
    """What the end of that session tells: who is to be rung."""
    world = team.world
    redaction = Redaction(lambda text: world.hub.redaction.text(text))
    bounces = Bounces(Notices(Journal(world.store, world.clock, world.keys, redaction, world.hub.limits), world.keys))

    async def ended(tx: Tx) -> list[str]:
        conversation = await tx.conversations.get(team.id)
        ending = await tx.sessions.get(team.id, session)
        assert conversation is not None
        assert ending is not None
        ticket = Ticket(OWNER, "token.revoke", 0, team.id, session)
        return list(await bounces.of(tx, ticket, world.clock.now(), conversation, ending, "was revoked"))

    return await world.store.write(ended)


async def test_each_sender_hears_which_of_its_messages_were_not_read(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.send("a", "read", to="b")
    await team.mail("b")
    for who in ("a", "c", "a"):
        await team.send(who, "not read", to="b")
    assert sorted(await bounced(team, "b")) == ["a", "c"]
    assert await team.mail("a") == ["session b (backend) was revoked before it read your messages 2, 4"]
    assert await team.mail("c") == ["session b (backend) was revoked before it read your message 3"]


async def test_nothing_bounces_when_all_was_read_and_notices_never_do(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.assign("b")
    assert await bounced(team, "b") == []
    assert await team.mail("a") == []


async def test_a_hundred_messages_bounce_as_one_line(anyio_backend: str) -> None:
    team = await gathered("backend")
    for _ in range(30):
        await team.send("a", "x")
    await bounced(team, "b")
    [line] = await team.mail("a")
    assert f"and {30 - NAMED} more" in line


async def test_revoking_a_session_tells_who_wrote_to_it_at_once(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.send("a", to="b")
    async with team.world.hub.bell.listen(f"inbox:{team.id}/a") as ear:
        await team.world.hub.conversations.revoke(OWNER, team.id, "b")
        assert await ear.wait(60)
    assert await team.mail("a") == ["session b (backend) was revoked before it read your message 1"]
    await team.world.hub.journal.verify()


async def test_revoking_everybody_tells_nobody(anyio_backend: str) -> None:
    team = await gathered("backend")
    await team.send("a")
    await team.world.hub.conversations.revoke(OWNER, team.id, None)
    assert [s.unread for s in await team.world.store.read(lambda tx: tx.sessions.of(team.id))] == [0, 1]
