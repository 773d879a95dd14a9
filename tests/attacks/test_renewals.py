"""Tokens that are renewed, under attack: what a stolen one is good for, and who finds out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import BridgeError, NotAllowed, Refused, TooFast
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials, Renewed
from multiagent_bridge.model.limits import Window
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub
from tests.services.renewing import AGE, GRACE, RENEWING, Holder, Team, gathered
from tests.services.rotations import NEW, Site, opened, seat

pytestmark = pytest.mark.anyio

PLAIN = access.refusal().sentence
"""What everybody is told whose credentials are wrong, whatever is wrong with them."""


@pytest.fixture
async def team(anyio_backend: str) -> Team:
    return await gathered()


async def refused(holder: Holder) -> NotAllowed:
    with pytest.raises(NotAllowed) as found:
        await holder.says()
    assert found.value.code == "not_allowed"
    return found.value


async def test_a_thief_who_renews_first_is_found_out_at_the_owners_next_call(team: Team) -> None:
    owner, thief = team.holder(name="owner"), team.holder(name="thief")
    team.later()
    await thief.takes(await thief.says("renewed")).says("and used")
    told = await refused(owner)
    assert "in use" in told.sentence
    (entry,) = await team.entries("token.reuse")
    assert (entry.conversation, entry.session, entry.target, entry.actor) == (team.here, "a", "a", "agent owner")
    assert entry.facts == {"generation": 1, "attempted": "message.send"}
    (attempt,) = [e for e in await team.entries("message.send") if e.outcome == "refused"]
    assert (attempt.code, attempt.seq) == ("not_allowed", entry.seq - 1)


async def test_a_thief_who_comes_after_the_owner_has_used_the_new_token_gets_nothing_and_is_found_out(
    team: Team,
) -> None:
    owner, thief = team.holder(name="owner"), team.holder(name="thief")
    team.later()
    await owner.takes(await owner.says()).says()
    await refused(thief)
    assert thief.told == ""
    assert len(await team.entries("token.reuse")) == 1


async def test_what_a_thief_is_offered_within_the_grace_is_an_entry_with_his_name(team: Team) -> None:
    """Not stopped: whoever shows the old token within the grace gets the new one, the first time and again."""
    owner, thief = team.holder(name="owner"), team.holder(name="thief")
    team.later()
    assert await owner.says() == await thief.says() == team.ever()[1]
    given = await team.entries("token.renew", "token.offer")
    assert [(e.action, e.facts["to"]) for e in given] == [
        ("token.renew", "agent owner"),
        ("token.offer", "agent thief"),
    ]


async def test_calling_again_and_again_does_not_stretch_the_grace(team: Team) -> None:
    thief = team.holder(name="thief")
    team.later()
    for _ in range(10):
        await thief.says()
        team.later(GRACE / 10)
    assert "its time is over" in (await refused(thief)).sentence
    # nobody has used the new one: the holder may just have been slow
    assert await team.entries("token.reuse") == []


async def test_a_token_two_and_more_generations_old_is_found_out_too(team: Team) -> None:
    first = holder = team.holder()
    for _ in range(4):
        team.later()
        holder = holder.takes(await holder.says())
    await holder.says()
    await refused(first)
    (entry,) = await team.entries("token.reuse")
    assert entry.facts["generation"] == 1


async def test_a_token_two_generations_old_opens_nothing_while_the_one_between_still_does(team: Team) -> None:
    first, hub = team.holder(name="thief"), team.world.hub
    for _ in range(2):
        team.later()
        await hub.messages.send(agent("alice"), NO_CREDENTIALS, "bound, so that nobody is told a token")
    assert await team.generation() == 3
    await refused(first)
    assert (first.told, len(await team.entries("token.reuse"))) == ("", 1)
    assert await team.holder().takes(team.ever()[1]).says() == team.ever()[2]


async def test_only_who_held_the_token_learns_that_it_was_renewed(team: Team) -> None:
    holder = team.holder()
    team.later()
    await holder.takes(await holder.says()).says()
    old = holder.given.token or ""
    plain = {
        str(await refused(holder.takes(token)))
        for token in ("0" * 64, old[:-1], old + "0", old.upper(), "é" * 64, team.holder("b").given.token or "")
    }
    elsewhere = replace(holder, given=Credentials("conv_000000000000", "a", old))
    foreign = replace(holder, given=Credentials(team.here, "b", old))
    assert plain == {str(await refused(elsewhere)), str(await refused(foreign))}
    assert str(await refused(holder)) not in plain
    assert len(await team.entries("token.reuse")) == 1


async def test_tokens_of_generations_that_never_were_open_nothing(team: Team) -> None:
    keys, holder = team.world.keys, team.holder()
    team.later()
    await holder.says()
    for generation in (-7, -1, 0, 3, 4):
        await refused(holder.takes(keys.token(team.here, "a", generation)))
    assert await team.entries("token.reuse") == []


async def test_a_person_who_rotates_ends_the_old_token_and_the_new_one(team: Team) -> None:
    holder = team.holder()
    team.later()
    new = holder.takes(await holder.says())
    await team.world.hub.conversations.rotate(OWNER, team.here, "a")
    for one in (holder, new):
        assert (await refused(one)).sentence == PLAIN
    assert await team.entries("token.reuse") == []


async def test_a_token_that_a_person_ended_raises_no_alarm_however_often_its_follower_is_renewed(team: Team) -> None:
    stolen = team.holder()
    ((_, fresh),) = await team.world.hub.conversations.rotate(OWNER, team.here, "a")
    made = renewed = stolen.takes(fresh)
    for _ in range(3):
        team.later()
        before, renewed = renewed, renewed.takes(await renewed.says())
        await renewed.says()
        assert (await refused(stolen)).sentence == PLAIN
    assert await team.entries("token.reuse") == []
    # the person's own token and its followers were left behind, and do
    for one in (made, before):
        assert (await refused(one)).sentence != PLAIN
    assert len(await team.entries("token.reuse")) == 2


async def test_a_person_who_revokes_ends_the_old_token_and_the_new_one(team: Team) -> None:
    holder = team.holder()
    team.later()
    new = holder.takes(await holder.says())
    await new.says()
    await team.world.hub.conversations.revoke(OWNER, team.here, "a")
    for one in (holder, new):
        assert (await refused(one)).sentence == PLAIN
    await team.world.hub.conversations.rotate(OWNER, team.here, "a")
    for one in (holder, new):
        assert (await refused(one)).sentence == PLAIN
    assert await team.entries("token.reuse") == []


async def test_a_call_that_waits_with_a_stolen_token_ends_when_a_person_rotates(team: Team) -> None:
    thief, hub = team.holder(), team.world.hub
    team.later()
    await thief.says()
    bell, looked = hub.bell, 0

    class Meanwhile:
        def __getattr__(self, name: str) -> object:
            return getattr(bell, name)

        def listen(self, topic: str) -> object:
            return Listening(topic)

    class Listening:
        def __init__(self, topic: str) -> None:
            self._inner = bell.listen(topic)

        async def __aenter__(self) -> object:
            nonlocal looked
            looked += 1
            await hub.conversations.rotate(OWNER, team.here, "a")
            return await self._inner.__aenter__()

        async def __aexit__(self, *ended: object) -> None:
            await self._inner.__aexit__(*ended)  # type: ignore[arg-type]

    hub.messages._bell = Meanwhile()  # type: ignore[assignment]
    with pytest.raises(NotAllowed):
        await thief.checks(wait_seconds=5)
    assert looked == 1


async def test_no_face_can_say_that_it_was_admitted_before(team: Team) -> None:
    assert not access.credentials(team.here, "a", "0" * 64).admitted
    holder = team.holder()
    never = replace(holder.given, token="0" * 64, admitted=True)
    await refused(replace(holder, given=never))


async def test_a_bound_connection_of_another_session_is_given_nothing_for_a_stolen_token(team: Team) -> None:
    thief = replace(team.holder("a"), who=agent("bob"))
    team.later()
    with pytest.raises(Refused) as found:
        await thief.says()
    assert (found.value.code, thief.told, await team.generation()) == ("refused", "", 1)


async def test_an_identity_confined_to_another_conversation_is_given_nothing(team: Team) -> None:
    confined = Caller("key:1", "thief", "1.2.3.4", conversations=frozenset({"conv_000000000000"}))
    holder = team.holder()
    team.later()
    await refused(replace(holder, who=confined))
    await holder.takes(await holder.says()).says()
    told = await refused(replace(holder, who=confined))
    assert "renewed" not in told.sentence
    assert await team.entries("token.reuse") == []


async def test_guesses_count_against_the_guesser_whatever_is_renewed(anyio_backend: str) -> None:
    team = await gathered(limits=replace(RENEWING, failures=(Window(3, 600),)))
    holder = team.holder()
    team.later()
    await holder.takes(await holder.says()).says()
    codes = []
    for _ in range(6):
        with pytest.raises(BridgeError) as found:
            await holder.says()
        codes.append(found.value.code)
    assert codes == ["not_allowed"] * 3 + ["too_fast"] * 3
    assert len(await team.entries("token.reuse")) == 3


async def test_neither_token_stands_in_the_journal_or_in_anybody_elses_mail(team: Team) -> None:
    holder, hub = team.holder(), team.world.hub
    team.later()
    new = holder.takes(await holder.says())
    await new.says()
    await refused(holder)
    lines = [line async for line in hub.journal.lines()]
    mail = await hub.messages.check(agent("bob"), NO_CREDENTIALS, "claim")
    said = [*lines, *(letter.text for letter in mail.letters), repr(new.given), repr(Renewed(new.given.token or ""))]
    for token in team.ever():
        assert not any(token in one for one in said)
    await hub.journal.verify()


async def test_a_clock_set_back_ends_no_overlap_and_renews_nothing_early(team: Team) -> None:
    holder = team.holder()
    team.later()
    new = await holder.says()
    team.world.clock.jump(-2 * AGE)
    assert await holder.says() == new
    assert await holder.takes(new).says() == ""
    assert await team.generation() == 2


async def test_a_token_under_a_retired_master_key_is_offered_nothing(anyio_backend: str) -> None:
    site = Site(limits=RENEWING)
    first = await site.hub()
    made = await opened(first)
    rotating = await site.rotated(NEW)
    site.later(AGE)
    old, renewed = seat(made), Renewed()
    thief = agent("thief")
    given = replace(old, renewed=renewed)
    await rotating.hub.messages.send(thief, given, "made under the old key, which still counts")
    assert renewed.token == rotating.keys.token(made.conversation.id, "a", 2)
    again = Renewed()
    await rotating.hub.messages.send(thief, replace(old, renewed=again), "and so it does within the grace")
    assert again.token == renewed.token
    await site.retired(rotating)
    with pytest.raises(NotAllowed):
        await rotating.hub.messages.send(thief, given, "not any more")


async def test_limits_are_not_renewed_with_the_token(anyio_backend: str) -> None:
    team = await gathered(limits=replace(RENEWING, writes=(Window(2, 10 * AGE),)))
    holder = team.holder()
    team.later()
    new = holder.takes(await holder.says())
    await new.says()
    with pytest.raises(TooFast):
        await new.says()


async def test_the_old_token_ends_when_the_new_one_is_used_at_a_hub_that_renews_nothing(team: Team) -> None:
    """Two hubs of different settings, or one whose schedule was switched off with an overlap open."""
    still = memory_hub(replace(RENEWING, rotate_seconds=0), store=team.world.store, clock=team.world.clock)
    thief = team.holder(name="thief")
    team.later()
    new = await team.holder(name="owner").says()
    assert await replace(team.holder(name="owner").takes(new), world=still).says() == ""
    for world in (still, team.world):
        assert "in use" in (await refused(replace(thief, world=world))).sentence
    assert [e.action for e in await team.entries("token.take_up", "token.offer", "token.reuse")] == [
        "token.take_up",
        "token.reuse",
        "token.reuse",
    ]


async def test_a_token_that_nobody_was_told_of_ends_the_old_one_though_the_schedule_is_off(team: Team) -> None:
    """A bound connection renewed it, and its holder has the new one from the owner (`mab tokens`): the old one was for ever."""
    thief, still = team.holder(name="thief"), memory_hub(store=team.world.store, clock=team.world.clock)
    team.later()
    await team.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "renews it, and is told nothing")
    await replace(team.holder().takes(team.ever()[1]), world=still).says()
    team.later(100 * AGE)
    await refused(replace(thief, world=still))
    assert (thief.told, len(await team.entries("token.reuse"))) == ("", 1)


async def test_a_flood_of_wrong_tokens_from_the_same_peer_hides_no_reuse(anyio_backend: str) -> None:
    """Programs of one machine are one peer: a thief there spends its limit of failures before the owner calls."""
    team = await gathered(limits=replace(RENEWING, failures=(Window(3, 600),)))
    owner, thief = team.holder(name="owner"), team.holder(name="thief")
    team.later()
    await thief.takes(await thief.says()).says("renewed and used")
    for _ in range(6):
        with pytest.raises(BridgeError):
            await thief.takes("0" * 64).says()
    assert await team.entries("token.reuse") == []
    for _ in range(6):
        with pytest.raises(BridgeError):
            await owner.says()
    # so many as the limit, and no more
    assert [entry.actor for entry in await team.entries("token.reuse")] == ["agent owner"] * 3
