"""Tokens are renewed as they age, and no agent loses its connection or its next call by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Refused, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials, Renewed
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub
from tests.services.renewing import AGE, GRACE, RENEWING, Team, gathered

pytestmark = pytest.mark.anyio


@pytest.fixture
async def team(anyio_backend: str) -> Team:
    return await gathered()


async def test_nothing_is_renewed_unless_it_is_wished(anyio_backend: str) -> None:
    team = await gathered(limits=replace(RENEWING, rotate_seconds=Limits().rotate_seconds))
    holder = team.holder()
    for _ in range(3):
        team.later(7 * 86_400)
        assert await holder.says() == ""
    assert await team.generation() == 1
    assert await team.tokens() == []


async def test_a_young_token_goes_on(team: Team) -> None:
    holder = team.holder()
    team.later(AGE - 1)
    assert await holder.says() == ""
    assert await team.generation() == 1


async def test_a_call_with_an_aged_token_is_answered_with_the_next(team: Team) -> None:
    holder = team.holder()
    team.later()
    assert await holder.says() == team.ever()[1]
    (entry,) = await team.entries("token.renew")
    assert (entry.target, entry.session, entry.outcome) == ("a", "a", "done")
    assert entry.facts == {"generation": 2, "to": "agent holder"}
    assert entry.actor == f"session {team.here}/a"
    assert await team.holder().takes(holder.told).says("and on") == ""


async def test_the_old_token_works_for_the_grace_and_each_answer_brings_the_new_one_again(team: Team) -> None:
    holder = team.holder()
    team.later()
    told = {await holder.says()}
    for _ in range(3):
        team.later(GRACE / 4)
        told.add(await holder.says())
    assert told == {team.ever()[1]}
    assert await team.tokens() == ["token.renew", *["token.offer"] * 3]
    team.later(GRACE / 4)
    with pytest.raises(NotAllowed):
        await holder.says()
    assert await holder.takes(team.ever()[1]).says() == ""


async def test_the_old_token_ends_at_once_when_the_new_one_is_used(team: Team) -> None:
    holder = team.holder()
    team.later()
    new = holder.takes(await holder.says())
    await new.says()
    assert await team.tokens() == ["token.renew", "token.take_up"]
    with pytest.raises(NotAllowed):
        await holder.says()
    assert await new.says() == ""
    assert (await team.tokens()).count("token.take_up") == 1


async def test_a_token_is_renewed_again_and_again(team: Team) -> None:
    holder = team.holder()
    for generation in range(2, 7):
        team.later()
        holder = holder.takes(await holder.says())
        assert holder.given.token == team.ever()[generation - 1]
    assert await team.generation() == 6


async def test_joining_with_an_aged_token_brings_the_next_and_binds_for_good(team: Team) -> None:
    team.later()
    renewed = Renewed()
    given = replace(team.holder("b").given, renewed=renewed)
    await team.world.hub.conversations.join(agent("carol"), given)
    assert renewed.token == team.ever("b")[1]
    team.later(GRACE)
    await team.world.hub.messages.send(agent("carol"), NO_CREDENTIALS, "bound all the same")
    await team.world.hub.messages.send(agent("bob"), NO_CREDENTIALS, "and so is he")


async def test_a_bound_connection_goes_on_and_is_told_no_token(team: Team) -> None:
    alice, renewed = agent("alice"), Renewed()
    for generation in range(2, 6):
        team.later()
        await team.world.hub.messages.send(alice, Credentials(renewed=renewed), "on and on")
        assert await team.generation() == generation
    assert renewed.token == ""
    assert [e.facts["to"] for e in await team.entries("token.renew")] == [""] * 4


async def test_an_agent_with_a_name_finds_its_conversation_after_any_number_of_renewals(team: Team) -> None:
    first = agent("dora", alias=True)
    await team.world.hub.conversations.join(first, team.holder("b").given)
    for _ in range(3):
        team.later()
        await team.world.hub.messages.send(first, NO_CREDENTIALS, "still me")
    again = replace(first, agent="key:" + "7" * 32)
    await team.world.hub.messages.send(again, NO_CREDENTIALS, "started again")
    assert [p.session.id for p in (await team.world.hub.conversations.list(again)).places] == ["b"]


async def test_a_holder_beside_a_bound_connection_is_left_until_it_calls(team: Team) -> None:
    holder = team.holder()
    team.later()
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "renews it, and is told nothing")
    assert await team.generation() == 2
    team.later(AGE - 1)
    assert await holder.says("long after the grace") == team.ever()[1]
    team.later(GRACE - 1)
    assert await holder.says() == team.ever()[1]
    team.later(1)
    with pytest.raises(NotAllowed):
        await holder.says()


async def test_a_bound_connection_leaves_a_holder_the_whole_grace(team: Team) -> None:
    holder = team.holder()
    team.later()
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "renews it")
    team.later(AGE - 1)
    new = await holder.says()
    team.later(GRACE - 1)
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "due, and put off")
    assert await team.generation() == 2
    assert await holder.says() == new
    team.later(1)
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "now")
    assert await team.generation() == 3
    assert await holder.takes(new).says() == team.ever()[2]


async def test_a_token_that_nobody_uses_stays_and_is_renewed_at_its_next_call(team: Team) -> None:
    holder = team.holder("b")
    team.later(20 * AGE)
    assert await team.generation("b") == 1
    assert await holder.says() == team.ever("b")[1]


async def test_heartbeats_and_looks_neither_renew_nor_take_up(team: Team) -> None:
    hub, holder = team.world.hub, team.holder()
    team.later()
    await hub.status.heartbeat(holder.who, holder.given)
    await hub.watches.inbox(holder.who, holder.given, RENEWING.reads)
    await hub.status.heartbeat(agent("alice"), NO_CREDENTIALS)
    assert await team.generation() == 1
    new = holder.takes(await holder.says())
    await hub.status.heartbeat(new.who, new.given)
    assert await holder.says() == new.given.token


async def test_a_call_that_is_refused_renews_nothing_and_is_told_nothing(team: Team) -> None:
    hub, renewed = team.world.hub, Renewed()
    given = replace(team.holder().given, renewed=renewed)
    team.later()
    for words in ({"message": ""}, {"message": "x", "to": ["nobody"]}, {"message": "x", "reply_to": 99}):
        with pytest.raises(Invalid):
            await hub.messages.send(agent("holder"), given, **words)
    assert (renewed.token, await team.generation(), await team.tokens()) == ("", 1, [])


async def test_a_call_over_its_limit_renews_nothing(anyio_backend: str) -> None:
    team = await gathered(limits=replace(RENEWING, writes=(Window(1, 10 * AGE),)))
    holder = team.holder()
    await holder.says()
    team.later()
    with pytest.raises(TooFast):
        await holder.says()
    assert await team.generation() == 1


async def test_an_expired_conversation_renews_nothing(team: Team) -> None:
    team.later(31 * 86_400)
    with pytest.raises(Refused) as refused:
        await team.holder().says()
    assert refused.value.code == "refused"
    assert await team.generation() == 1


async def test_the_owner_who_acts_for_a_session_renews_nothing(team: Team) -> None:
    team.later()
    await team.world.hub.messages.send(OWNER, Credentials(team.here, "a"), "as the owner")
    assert await team.generation() == 1


async def test_a_token_that_a_person_made_is_young(team: Team) -> None:
    team.later(AGE - 1)
    ((_, token),) = await team.world.hub.conversations.rotate(OWNER, team.here, "a")
    team.later(AGE - 1)
    holder = team.holder().takes(token)
    assert await holder.says() == ""
    team.later(1)
    assert await holder.says() == team.ever()[2]


async def test_a_call_that_waits_goes_on_while_its_token_is_followed_and_taken_up(team: Team) -> None:
    """Two calls at once, as agents make them: one waits with the old token, the other is told the new one and uses it."""
    holder = team.holder("b")
    meanwhile: list[str] = []
    bell = team.world.hub.bell

    class Meanwhile:
        def __getattr__(self, name: str) -> object:
            return getattr(bell, name)

        def listen(self, topic: str) -> object:
            return Listening(topic)

    class Listening:
        def __init__(self, topic: str) -> None:
            self._inner = bell.listen(topic)

        async def __aenter__(self) -> object:
            if not meanwhile:
                team.later()
                meanwhile.append(await holder.says("from another call"))
                await holder.takes(meanwhile[0]).says("which goes on")
                await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "the mail that is waited for")
            return await self._inner.__aenter__()

        async def __aexit__(self, *ended: object) -> None:
            await self._inner.__aexit__(*ended)  # type: ignore[arg-type]

    team.world.hub.messages._bell = Meanwhile()  # type: ignore[assignment]
    mail, told = await holder.checks(wait_seconds=5)
    assert [letter.text for letter in mail.letters] == ["the mail that is waited for"]
    assert (meanwhile, told) == ([team.ever("b")[1]], "")
    with pytest.raises(NotAllowed):
        await holder.says("a new call with the old token")


async def test_a_waiting_call_is_told_the_token_with_its_mail(team: Team) -> None:
    holder = team.holder("b")
    team.later()
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "there already")
    mail, told = await holder.checks(wait_seconds=5)
    assert (len(mail.letters), told) == (1, team.ever("b")[1])


async def test_two_hubs_on_one_store_renew_once(anyio_backend: str) -> None:
    """The other hub has its own clock's idea of nothing: it takes the store's word for the generation."""
    team = await gathered()
    other = memory_hub(RENEWING, store=team.world.store, clock=team.world.clock)
    team.later()
    here, there = team.holder(), replace(team.holder(), world=other)
    told = {await here.says(), await there.says(), await here.says()}
    assert told == {team.ever()[1]}
    assert await team.generation() == 2
    assert await team.tokens() == ["token.renew", "token.offer", "token.offer"]


async def test_a_hub_that_renews_nothing_honours_what_another_began(anyio_backend: str) -> None:
    team = await gathered()
    still = memory_hub(replace(RENEWING, rotate_seconds=0), store=team.world.store, clock=team.world.clock)
    holder = team.holder()
    team.later()
    new = await holder.says()
    elsewhere = replace(holder, world=still)
    assert await elsewhere.says() == new
    assert await elsewhere.takes(new).says() == ""


async def test_an_entry_that_cannot_be_written_renews_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, record = team.holder(), type(team.world.hub.journal).record
    team.later()

    async def broken(journal: object, tx: object, request: object, now: int, action: str, *rest: object) -> object:
        if action == "token.renew":
            raise BridgeError("the journal is full")
        return await record(journal, tx, request, now, action, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(team.world.hub.journal), "record", broken)
    with pytest.raises(BridgeError):
        await holder.says()
    monkeypatch.undo()
    assert (await team.generation(), holder.told) == (1, "")
    assert await holder.says() == team.ever()[1]


async def test_calls_at_once_through_two_hubs_on_one_file_renew_once(anyio_backend: str, tmp_path: Path) -> None:
    path, clock = tmp_path / "bridge.db", FakeClock()
    async with SqliteStore(path) as one, SqliteStore(path) as two:
        team = await gathered(memory_hub(RENEWING, store=one, clock=clock))
        other = memory_hub(RENEWING, store=two, clock=clock)
        for generation in (2, 3):
            team.later()
            old = team.holder().takes(team.ever()[generation - 2])
            callers = [replace(old, world=world, who=agent(f"{n}")) for n in range(4) for world in (team.world, other)]
            told = await asyncio.gather(*(caller.says() for caller in callers))
            assert set(told) == {team.ever()[generation - 1]}
            assert await team.generation() == generation
            assert (await team.tokens()).count("token.renew") == generation - 1
            await old.takes(told[0]).says("taken up")
        await team.world.hub.journal.verify()
