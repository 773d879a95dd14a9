"""Following along: ids and kinds, never a word of what was said, and what a sender learns of it."""

from __future__ import annotations

import json

import pytest

from multiagent_bridge.errors import NotAllowed, NotFound, Refused
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials
from multiagent_bridge.services.watches import PAGE
from multiagent_bridge.testing.hubs import OWNER, agent

from .teams import Team, gathered

pytestmark = pytest.mark.anyio


async def seen(team: Team, session: str | None, after: int = 0, caller: Caller = OWNER) -> list[tuple[str, str, str]]:
    found = await team.world.hub.watches.follow(caller, Credentials(team.id, session), after)
    return [(event.event, event.sender, event.action) for event in found.events]


async def test_a_session_is_told_of_its_own_mail_alone(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.send("a", to="b")
    await team.send("a", to="c")
    await team.send("b", to="a")
    assert await seen(team, "b") == [("mail", "a", "message.send")]
    assert await seen(team, None) == [("mail", "a", "message.send")] * 2 + [("mail", "b", "message.send")]


async def test_an_event_names_ids_and_kinds_and_never_what_was_said(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    number = await team.send("a", "a secret plan", action_type="question", files_involved=["plan.md"])
    [event] = (await team.world.hub.watches.follow(OWNER, Credentials(team.id, "b"), 0)).events
    fields = event.fields()
    assert fields == {
        "seq": event.seq,
        "at": fields["at"],
        "event": "mail",
        "action": "message.send",
        "conversation_id": team.id,
        "from": "a",
        "role": "orchestrator",
        "to": ["b", "c"],
        "message_id": number,
        "action_type": "question",
    }
    assert "plan" not in json.dumps(fields)


async def test_the_steps_of_tasks_reach_whom_they_concern_and_not_who_took_them(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for_b, for_all = await team.assign("b"), await team.assign(None)
    await team.update("b", for_b, "accept")
    events = [one for one in await seen(team, "b") if one[0] == "task"]
    assert events == [("task", "a", "task.assign")] * 2
    assert [one for one in await seen(team, "c") if one[0] == "task"] == [("task", "a", "task.assign")]
    assert for_all != for_b
    await team.watch(300, "a", "c")
    moved = [one for one in await seen(team, "c") if one[2] == "task.reassign"]
    assert moved == [("task", "b", "task.reassign")]
    assert [one for one in await seen(team, "b") if one[2] == "task.reassign"] == moved
    assert ("silence", "b", "silence.warn") in await seen(team, None)


async def test_the_cursor_goes_on_where_it_was_through_any_number_of_entries(anyio_backend: str) -> None:
    team = await gathered("backend")
    for _ in range(PAGE + 20):
        await team.send("a")
    found = await team.world.hub.watches.follow(OWNER, Credentials(team.id, "b"), 0)
    assert (len(found.events), found.unread) == (PAGE + 20, PAGE + 20)
    assert await seen(team, "b", found.cursor) == []
    await team.send("a")
    assert len(await seen(team, "b", found.cursor)) == 1


async def test_following_reads_nothing_marks_nothing_and_is_no_heartbeat(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.send("a", to="b")
    before = await team.world.store.read(lambda tx: tx.sessions.of(team.id))
    size = (await team.world.hub.journal.head()).size
    team.clock.advance(50)
    await seen(team, "b")
    await seen(team, "b", caller=team.workers["b"])
    assert await team.world.store.read(lambda tx: tx.sessions.of(team.id)) == before
    assert (await team.world.hub.journal.head()).size == size


async def test_a_token_follows_its_own_session_and_no_other(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    stranger = agent("stranger")
    token = team.world.keys.token(team.id, "b", 1)
    watches = team.world.hub.watches
    await team.send("a", to="c")
    assert (await watches.follow(stranger, Credentials(team.id, "b", token), 0)).events == []
    for given in (Credentials(team.id, "c", token), Credentials(team.id, "b", "0" * 64), NO_CREDENTIALS):
        with pytest.raises(NotAllowed):
            await watches.follow(stranger, given, 0)
        with pytest.raises(NotAllowed):
            await watches.told(stranger, given, 1)


async def test_a_watch_ends_when_the_session_is_revoked_or_the_conversation_is_over(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    await team.world.hub.conversations.revoke(OWNER, team.id, "b")
    for caller in (OWNER, team.workers["b"]):
        with pytest.raises(Refused):
            await seen(team, "b", caller=caller)
    assert await seen(team, "c") == []
    team.clock.advance(25 * 3600)
    for session in ("c", None):
        with pytest.raises(Refused):
            await seen(team, session)
    await team.world.hub.conversations.cleanup(OWNER, 0)
    with pytest.raises(NotFound):
        await seen(team, "c")


async def test_what_a_client_was_told_of_is_an_entry_and_stays_known(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for _ in range(3):
        await team.send("a", to="b")
    watches = team.world.hub.watches
    for through in (2, 1, 2, 3):
        await watches.told(OWNER, Credentials(team.id, "b"), through)
    assert (await team.world.store.read(lambda tx: tx.sessions.told(team.id)))["b"] == 3
    assert [facts for _, facts in await team.entries("message.notify")] == [{"through": 2}, {"through": 3}]
    unread = (await watches.follow(OWNER, Credentials(team.id, "b"), 0)).unread
    assert unread == 3, "told is not read"


async def test_a_sender_sees_that_its_mail_was_stored_notified_delivered_and_acknowledged(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for _ in range(2):
        await team.send("a", to="b")
    hub = team.world.hub

    async def states() -> list[str]:
        return [stands.state for _, found in await hub.messages.list(OWNER, team.id, 0, 10) for stands in found]

    assert await states() == ["stored", "stored"]
    await hub.watches.told(OWNER, Credentials(team.id, "b"), 1)
    assert await states() == ["notified", "stored"]
    claim = hub.ids.claim()
    await hub.messages.check(team.workers["b"], NO_CREDENTIALS, claim)
    assert await states() == ["delivered", "delivered"]
    await hub.messages.confirm(claim)
    assert await states() == ["acknowledged", "acknowledged"]
