from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from multiagent_bridge.adapters.oidc.keyset import Times
from multiagent_bridge.errors import Invalid, NotAllowed, NotFound, Unavailable
from multiagent_bridge.guard import identities as guard
from multiagent_bridge.guard.identities import Claiming
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from tests.oidc_issuer import AUDIENCE, CLAIMING, DISCOVERY, KEYS, ROLES, Issuer, issuing, public, trusting

pytestmark = pytest.mark.anyio

PEER = "ip:192.0.2.7"


@pytest.fixture
def world() -> TestHub:
    return memory_hub()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


async def refused(world: TestHub, bearer: str) -> str:
    """Why the journal says that a credential opened nothing."""
    with pytest.raises(NotAllowed):
        await world.hub.identities.authenticate(bearer, PEER)
    (entry,) = await world.hub.journal.newest(1)
    assert (entry.action, entry.outcome, entry.code) == ("identity.authenticate", "refused", "not_allowed")
    return str(entry.facts["reason"])


async def test_a_key_speaks_for_who_it_was_made_for(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["auditor", "agent"], None, 3600)
    found = await world.hub.identities.authenticate(made.secret, PEER)
    ends = world.clock.now() + 3600 * SECOND
    assert found == Identity(made.key.id, "laptop", "key", frozenset({"agent", "auditor"}), None, ends)
    caller = found.caller(PEER, yolo=True)
    assert (caller.roles, caller.conversations, caller.operator, caller.yolo) == (found.roles, None, False, True)
    assert caller.label == f"identity {made.key.id} (laptop)"
    assert await world.hub.identities.still(found)


async def test_a_key_is_stored_as_a_digest_and_appears_nowhere_else(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    await world.hub.identities.authenticate(made.secret, PEER)
    body = made.secret.removeprefix(guard.PREFIX)
    stored = await world.store.read(lambda tx: tx.api_keys.list())
    entries = await world.hub.journal.newest(100)
    assert body not in f"{stored}{made}{[entry.line for entry in entries]}"
    assert stored[0].digest == world.keys.api_key_digest(made.secret)


async def test_making_and_ending_a_key_are_entries(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["operator", "agent"], None, 60)
    await world.hub.identities.revoke(OWNER, made.key.id)
    first, last = await world.hub.journal.newest(2)
    assert (first.action, first.target) == ("key.create", made.key.id)
    assert dict(first.facts) == {"roles": "agent operator", "conversations": None, "seconds": 60}
    assert (last.action, last.target) == ("key.revoke", made.key.id)


async def test_a_key_ends_when_its_time_is_over(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"], None, 60)
    found = await world.hub.identities.authenticate(made.secret, PEER)
    world.clock.advance(59)
    assert await world.hub.identities.still(found)
    world.clock.advance(1)
    assert not await world.hub.identities.still(found)
    assert await refused(world, made.secret) == f"{made.key.id} was revoked or has expired"


async def test_a_revoked_key_opens_nothing_and_stands_no_longer(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    found = await world.hub.identities.authenticate(made.secret, PEER)
    ended = await world.hub.identities.revoke(OWNER, made.key.id)
    assert ended.revoked_at == world.clock.now()
    assert not await world.hub.identities.still(found)
    await refused(world, made.secret)
    with pytest.raises(NotFound):
        await world.hub.identities.revoke(OWNER, made.key.id)


async def test_a_key_that_another_process_revoked_stands_for_a_second_at_most(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    found = await world.hub.identities.authenticate(made.secret, PEER)
    assert await world.hub.identities.still(found)
    await world.store.write(lambda tx: tx.api_keys.revoke(found.id, world.clock.now()))
    world.clock.advance(1)
    assert not await world.hub.identities.still(found)
    # and opens nothing at once
    await refused(world, made.secret)


async def test_of_many_who_ask_whether_they_still_stand_one_looks(world: TestHub) -> None:
    made = [await world.hub.identities.create(OWNER, f"laptop {number}", ["agent"]) for number in range(9)]
    found = [await world.hub.identities.authenticate(one.secret, PEER) for one in made]
    looks = 0
    read = world.store.read

    async def counted(work: Any) -> Any:
        nonlocal looks
        looks += 1
        return await read(work)

    world.store.read = counted  # type: ignore[method-assign]
    for _ in range(20):
        assert all([await world.hub.identities.still(one) for one in found])
    assert looks == 1


async def test_the_last_use_of_a_key_is_written_once_a_minute(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])

    async def used() -> int | None:
        await world.hub.identities.authenticate(made.secret, PEER)
        [key] = await world.hub.identities.list(OWNER)
        return key.used_at

    first = await used()
    assert first == world.clock.now()
    world.clock.advance(59)
    assert await used() == first
    world.clock.advance(1)
    assert await used() == world.clock.now()


@pytest.mark.parametrize(
    ("name", "roles", "seconds"),
    [
        ("", ["agent"], None),
        ("two\nlines", ["agent"], None),
        ("x" * 101, ["agent"], None),
        ("laptop", [], None),
        ("laptop", ["owner"], None),
        ("laptop", ["agent operator"], None),
        ("laptop", ["agent"], 59),
        ("laptop", ["agent"], -1),
    ],
)
async def test_a_key_without_sense_is_not_made(
    world: TestHub, name: str, roles: list[str], seconds: int | None
) -> None:
    with pytest.raises(Invalid):
        await world.hub.identities.create(OWNER, name, roles, None, seconds)
    assert await world.hub.identities.list(OWNER) == []


async def test_a_key_is_confined_only_to_conversations_that_are_there(world: TestHub) -> None:
    with pytest.raises(NotFound):
        await world.hub.identities.create(OWNER, "laptop", ["agent"], ["conv_000000000000"])


async def test_the_name_of_a_key_is_redacted_and_harmless(world: TestHub) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    made = await world.hub.identities.create(OWNER, f"{secret} (operator uid:0)", ["agent"])
    assert secret not in made.key.name
    assert not set(made.key.name) & set("()")


async def test_a_confined_key_sees_its_conversations_and_no_other(world: TestHub) -> None:
    alice = agent("alice")
    mine = await world.hub.conversations.create(alice, "backend", "frontend")
    other = await world.hub.conversations.create(alice, "database", "frontend")
    made = await world.hub.identities.create(OWNER, "worker", ["agent", "operator"], [mine.conversation.id])
    caller = (await world.hub.identities.authenticate(made.secret, PEER)).caller(PEER)
    assert mine.invites[1] is not None
    assert other.invites[1] is not None
    await world.hub.conversations.join(caller, NO_CREDENTIALS, mine.invites[1])
    with pytest.raises(NotAllowed):
        await world.hub.conversations.join(caller, NO_CREDENTIALS, other.invites[1])
    with pytest.raises(NotAllowed):
        await world.hub.conversations.create(caller, "backend", "frontend")
    with pytest.raises(NotFound):
        await world.hub.conversations.show(caller, other.conversation.id)
    seen = await world.hub.conversations.list(caller)
    assert [place.conversation.id for place in seen.places] == [mine.conversation.id]
    entries = await world.hub.audit.entries(caller)
    assert {entry.conversation for entry in entries} == {mine.conversation.id}
    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)
    assert list(await world.hub.audit.newest(caller, 1)) == list(entries[-1:])
    assert await world.hub.audit.entries(caller, conversation_id=other.conversation.id) == []
    # the invite that was refused to it is there for whom it was made
    await world.hub.conversations.join(agent("bob"), NO_CREDENTIALS, other.invites[1])


async def test_an_auditor_reads_verifies_and_exports_the_journal(world: TestHub) -> None:
    made = await world.hub.identities.create(OWNER, "auditor", ["auditor"])
    caller = (await world.hub.identities.authenticate(made.secret, PEER)).caller(PEER)
    assert (await world.hub.audit.verify(caller)).entries == 1
    checkpoint, lines = await world.hub.audit.export(caller)
    written = [line async for line in lines]
    assert len(written) == 2
    assert checkpoint.startswith(world.keys.signer)
    (entry,) = await world.hub.audit.newest(caller, 1)
    assert (entry.action, entry.actor) == ("journal.export", f"identity {made.key.id} (auditor)")
    assert (await world.hub.audit.report(caller))["subject"] == "all conversations"


async def test_a_token_of_the_issuer_speaks_for_its_subject(issuer: Issuer) -> None:
    world = trusting(issuer)
    found = await world.hub.identities.authenticate(issuer.token(world.clock, roles=["mab-operator", "else"]), PEER)
    assert (found.kind, found.name, found.roles) == ("oidc", "zoe", frozenset({"operator"}))
    assert found.expires_at == world.clock.now() + 600 * SECOND
    again = await world.hub.identities.authenticate(issuer.token(world.clock, exp=2_000_000_000), PEER)
    other = await world.hub.identities.authenticate(issuer.token(world.clock, sub="user-8"), PEER)
    assert again.id == found.id != other.id
    assert await world.hub.identities.still(found)
    world.clock.advance(629)
    assert await world.hub.identities.still(found)
    world.clock.advance(1)
    assert not await world.hub.identities.still(found)
    assert "user-7" not in found.id


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_each_allowed_algorithm_verifies(issuer: Issuer, algorithm: str) -> None:
    issuer.keys = [public(algorithm, "mine"), public("RS256", "another")]
    world = trusting(issuer)
    found = await world.hub.identities.authenticate(issuer.token(world.clock, "mine", algorithm), PEER)
    assert found.roles == {"agent"}
    narrow = trusting(issuer, algorithms=[one for one in ("RS256", "ES256") if one != algorithm])
    reason = await refused(narrow, issuer.token(narrow.clock, "mine", algorithm))
    assert reason == "the token is signed by an algorithm that is not allowed"


async def test_a_token_that_names_no_key_means_the_only_one_of_its_algorithm(issuer: Issuer) -> None:
    issuer.keys = [public("RS256", "first"), public("ES256", "curve")]
    world = trusting(issuer)
    for algorithm in ("RS256", "ES256"):
        token = issuer.token(world.clock, algorithm=algorithm, header={"kid": None})
        assert (await world.hub.identities.authenticate(token, PEER)).roles == {"agent"}
    issuer.keys.append(public("RS256", "second", 1))
    world.clock.advance(3600)
    await refused(world, issuer.token(world.clock, header={"kid": None}))


async def test_the_keys_are_fetched_once_for_many_tokens(issuer: Issuer) -> None:
    world = trusting(issuer)
    for number in range(20):
        await world.hub.identities.authenticate(issuer.token(world.clock, sub=f"user-{number}"), PEER)
    assert issuer.asked == {KEYS: 1, DISCOVERY: 1}


async def test_a_key_that_is_newer_than_ours_is_found(issuer: Issuer) -> None:
    world = trusting(issuer, times=Times(fresh=300, stale=3600, again=10))
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    issuer.keys = [public("RS256", "second", 1)]
    world.clock.advance(10)
    await world.hub.identities.authenticate(issuer.token(world.clock, "second", number=1), PEER)
    assert issuer.asked[KEYS] == 2
    assert "names no key" in await refused(world, issuer.token(world.clock))


async def test_a_withdrawn_key_ends_with_the_next_fetch(issuer: Issuer) -> None:
    world = trusting(issuer, times=Times(fresh=300, stale=3600, again=10))
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    issuer.keys = [public("RS256", "second", 1)]
    world.clock.advance(300)
    # who needs the new one waits for the fetch that this token began
    await world.hub.identities.authenticate(issuer.token(world.clock, "second", number=1), PEER)
    assert "names no key" in await refused(world, issuer.token(world.clock))


async def test_the_keys_go_on_for_a_while_when_the_issuer_vanishes_and_then_do_not(issuer: Issuer) -> None:
    world = trusting(issuer, times=Times(fresh=300, stale=3600, again=10))
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    issuer.vanish()
    world.clock.advance(3599)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    world.clock.advance(11)
    with pytest.raises(Unavailable) as away:
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    assert away.value.facts["retry_after"] == 10
    issuer.come_back()
    world.clock.advance(10)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


async def test_keys_that_may_not_grow_old_are_fetched_before_they_do(issuer: Issuer) -> None:
    world = trusting(issuer, times=Times(fresh=300, stale=60, again=10))
    for asked in (1, 2, 3):
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
        assert issuer.asked[KEYS] == asked
        world.clock.advance(60)


async def test_an_issuer_that_is_away_from_the_start_is_said_and_not_counted_as_a_failure(issuer: Issuer) -> None:
    world = trusting(issuer)
    issuer.vanish()
    for _ in range(50):
        with pytest.raises(Unavailable):
            await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    assert issuer.asked == {DISCOVERY: 1}
    assert await world.hub.journal.newest(10) == []
    issuer.come_back()
    world.clock.advance(10)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


async def test_the_address_of_the_keys_can_be_set(issuer: Issuer) -> None:
    world = trusting(issuer, jwks_url=issuer.url + KEYS)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    assert issuer.asked == {KEYS: 1}


async def test_roles_come_from_the_claim_that_is_set(issuer: Issuer) -> None:
    nested = trusting(issuer, replace(CLAIMING, roles_claim="realm_access.roles"))
    token = issuer.token(nested.clock, realm_access={"roles": ["mab-auditor", "mab-admin"]})
    assert (await nested.hub.identities.authenticate(token, PEER)).roles == {"auditor", "admin"}
    spoken = trusting(issuer, replace(CLAIMING, roles_claim="scope"))
    token = issuer.token(spoken.clock, scope="openid mab-operator mab-agentx")
    assert (await spoken.hub.identities.authenticate(token, PEER)).roles == {"operator"}
    assert await refused(spoken, issuer.token(spoken.clock)) == "the token's scope is no list of texts"


async def test_the_issuer_may_confine_somebody_to_conversations(issuer: Issuer) -> None:
    world = trusting(issuer, replace(CLAIMING, conversations_claim="mab_conversations"))
    token = issuer.token(world.clock, mab_conversations=["conv_000000000000"])
    assert (await world.hub.identities.authenticate(token, PEER)).conversations == {"conv_000000000000"}
    token = issuer.token(world.clock, mab_conversations=[])
    assert (await world.hub.identities.authenticate(token, PEER)).conversations == frozenset()
    await refused(world, issuer.token(world.clock))
    await refused(world, issuer.token(world.clock, mab_conversations=["*"]))


async def test_clocks_may_differ_by_the_leeway_and_no_more(issuer: Issuer) -> None:
    world = trusting(issuer, replace(CLAIMING, leeway=30))
    now = world.clock.now() // SECOND
    for good in ({"exp": now - 29}, {"nbf": now + 30}, {"iat": now + 30}, {"nbf": None, "iat": None}):
        await world.hub.identities.authenticate(issuer.token(world.clock, **good), PEER)
    for bad in ({"exp": now - 30}, {"nbf": now + 31}, {"iat": now + 31}):
        await refused(world, issuer.token(world.clock, **bad))


async def test_clients_are_told_where_the_issuer_is(issuer: Issuer) -> None:
    found = trusting(issuer, Claiming(roles=ROLES, roles_claim="scope")).hub.identities.resource_metadata(AUDIENCE)
    assert found == {
        "resource": AUDIENCE,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "resource_name": "Multiagent Bridge",
        "scopes_supported": ["mab-admin", "mab-agent", "mab-auditor", "mab-operator"],
    }
    assert "scopes_supported" not in (trusting(issuer).hub.identities.resource_metadata(AUDIENCE) or {})
    assert memory_hub().hub.identities.resource_metadata(AUDIENCE) is None
