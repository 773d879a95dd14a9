"""Links that sign a browser in, and how long the sign-in stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import NotAllowed, NotFound, TooFast
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.services.browsers import IDLE_SECONDS, LINK_SECONDS, SIGNED_IN_SECONDS
from multiagent_bridge.testing.hubs import OWNER, TestHub, memory_hub

pytestmark = pytest.mark.anyio

PEER = "ip:192.0.2.7"


@pytest.fixture
def world() -> TestHub:
    return memory_hub()


async def cookie(world: TestHub, caller: Caller = OWNER) -> str:
    made = await world.hub.browsers.link(caller)
    return (await world.hub.browsers.sign_in(made.code, PEER)).cookie


async def last(world: TestHub) -> tuple[str, str, str]:
    (entry,) = await world.hub.journal.newest(1)
    return entry.action, entry.outcome, entry.actor


async def test_the_terminals_link_gives_a_browser_the_operators_and_auditors_roles_and_no_more(world: TestHub) -> None:
    found = await world.hub.browsers.authenticate(await cookie(world))
    assert found is not None
    assert found.roles == {"operator", "auditor"}
    caller = found.caller(PEER)
    assert not caller.operator
    assert caller.conversations is None
    with pytest.raises(NotAllowed):
        await world.hub.identities.create(caller, "another", ["agent"])
    with pytest.raises(NotAllowed):
        await world.hub.yolo.offer(caller, "conv_000000000000", "safe", "/work")


async def test_a_link_opens_once(world: TestHub) -> None:
    made = await world.hub.browsers.link(OWNER)
    await world.hub.browsers.sign_in(made.code, PEER)
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(made.code, PEER)


async def test_a_link_opens_for_a_minute(world: TestHub) -> None:
    early, late = await world.hub.browsers.link(OWNER), await world.hub.browsers.link(OWNER)
    world.clock.advance(LINK_SECONDS - 1)
    await world.hub.browsers.sign_in(early.code, PEER)
    world.clock.advance(1)
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(late.code, PEER)


async def test_a_clock_that_was_set_back_does_not_prolong_a_link(world: TestHub) -> None:
    made = await world.hub.browsers.link(OWNER)
    world.clock.jump(-LINK_SECONDS * 3)
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(made.code, PEER)


async def test_a_sign_in_ends_after_twelve_hours_however_busy(world: TestHub) -> None:
    held = await cookie(world)
    for _ in range(SIGNED_IN_SECONDS // 1800 - 1):
        world.clock.advance(1800)
        assert await world.hub.browsers.authenticate(held)
    world.clock.advance(1800)
    assert await world.hub.browsers.authenticate(held) is None


async def test_a_sign_in_ends_after_an_hour_without_a_request(world: TestHub) -> None:
    held = await cookie(world)
    world.clock.advance(IDLE_SECONDS - 1)
    assert await world.hub.browsers.authenticate(held)
    world.clock.advance(IDLE_SECONDS - 1)
    assert await world.hub.browsers.authenticate(held)
    world.clock.advance(IDLE_SECONDS)
    assert await world.hub.browsers.authenticate(held) is None


async def test_an_open_page_is_no_silence(world: TestHub) -> None:
    held = await cookie(world)
    found = await world.hub.browsers.authenticate(held)
    assert found is not None
    for _ in range(4):
        world.clock.advance(IDLE_SECONDS / 2)
        assert await world.hub.browsers.still(found)
        await world.hub.browsers.seen(found)
    assert await world.hub.browsers.authenticate(held) == found


async def test_who_signs_out_is_signed_out_at_once_and_everybody_else_is_not(world: TestHub) -> None:
    mine, other = await cookie(world), await cookie(world)
    found = await world.hub.browsers.authenticate(mine)
    assert found is not None
    await world.hub.browsers.sign_out(found.caller(PEER))
    assert await last(world) == ("browser.sign_out", "done", found.caller(PEER).label)
    assert await world.hub.browsers.authenticate(mine) is None
    assert not await world.hub.browsers.still(found)
    assert await world.hub.browsers.authenticate(other)


async def test_the_owner_sees_who_is_signed_in_and_ends_it(world: TestHub) -> None:
    held = await cookie(world)
    (listed,) = await world.hub.browsers.list(OWNER)
    assert (listed.name, listed.roles) == ("operator", ("operator", "auditor"))
    await world.hub.browsers.revoke(OWNER, listed.id)
    assert await last(world) == ("browser.revoke", "done", OWNER.label)
    assert await world.hub.browsers.authenticate(held) is None
    assert await world.hub.browsers.list(OWNER) == []
    with pytest.raises(NotFound):
        await world.hub.browsers.revoke(OWNER, listed.id)


async def test_an_end_by_another_hub_of_the_same_store_shows_within_a_second(world: TestHub) -> None:
    other = memory_hub(store=world.store, clock=world.clock)
    held = await cookie(world)
    found = await world.hub.browsers.authenticate(held)
    assert found is not None
    await other.hub.browsers.revoke(OWNER, found.id)
    world.clock.advance(1)
    assert not await world.hub.browsers.still(found)
    assert await world.hub.browsers.authenticate(held) is None


async def test_a_link_made_at_one_hub_is_used_up_for_all_of_the_same_store(world: TestHub) -> None:
    other = memory_hub(store=world.store, clock=world.clock)
    made = await world.hub.browsers.link(OWNER)
    signed = await other.hub.browsers.sign_in(made.code, PEER)
    assert await world.hub.browsers.authenticate(signed.cookie)
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(made.code, PEER)


async def test_a_browser_that_came_by_a_key_ends_with_the_key(world: TestHub) -> None:
    key = await world.hub.identities.create(OWNER, "laptop", ["operator"])
    identity = await world.hub.identities.authenticate(key.secret, PEER)
    held = await cookie(world, identity.caller(PEER))
    found = await world.hub.browsers.authenticate(held)
    assert found is not None
    assert (found.roles, found.name) == ({"operator"}, "laptop")
    await world.hub.identities.revoke(OWNER, key.key.id)
    world.clock.advance(1)
    assert await world.hub.browsers.authenticate(held) is None
    assert not await world.hub.browsers.still(found)


async def test_a_link_of_a_key_that_was_revoked_opens_nothing(world: TestHub) -> None:
    key = await world.hub.identities.create(OWNER, "laptop", ["operator"])
    identity = await world.hub.identities.authenticate(key.secret, PEER)
    made = await world.hub.browsers.link(identity.caller(PEER))
    await world.hub.identities.revoke(OWNER, key.key.id)
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(made.code, PEER)


async def test_a_sign_in_lasts_no_longer_than_the_token_behind_it(world: TestHub) -> None:
    person = Caller("bearer:oidc_1", "zoe", PEER, roles=frozenset({"auditor"}), identity="oidc_1")
    made = await world.hub.browsers.link(person, until=world.clock.now() + 300 * SECOND)
    signed = await world.hub.browsers.sign_in(made.code, PEER)
    world.clock.advance(299)
    assert await world.hub.browsers.authenticate(signed.cookie)
    world.clock.advance(1)
    assert await world.hub.browsers.authenticate(signed.cookie) is None


async def test_a_browser_makes_no_link(world: TestHub) -> None:
    found = await world.hub.browsers.authenticate(await cookie(world))
    assert found is not None
    with pytest.raises(NotAllowed):
        await world.hub.browsers.link(found.caller(PEER))
    assert await last(world) == ("browser.link", "refused", found.caller(PEER).label)


async def test_who_is_confined_stays_confined_in_a_browser(world: TestHub) -> None:
    only = frozenset({"conv_000000000001"})
    person = Caller(
        "bearer:x", "x", PEER, roles=frozenset({"operator", "agent"}), conversations=only, identity="oidc_x"
    )
    found = await world.hub.browsers.authenticate(await cookie(world, person))
    assert found is not None
    assert found.conversations == only
    assert found.roles == {"operator", "agent"}


async def test_link_sign_in_and_refusal_are_entries_without_code_or_cookie(world: TestHub) -> None:
    made = await world.hub.browsers.link(OWNER)
    assert await last(world) == ("browser.link", "done", OWNER.label)
    signed = await world.hub.browsers.sign_in(made.code, PEER)
    assert await last(world) == ("browser.sign_in", "done", f"identity {signed.browser.id} (operator)")
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(made.code, PEER)
    assert (await last(world))[:2] == ("browser.sign_in", "refused")
    written = "\n".join([line async for line in world.hub.journal.lines()])
    assert made.code not in written
    assert signed.cookie not in written
    assert made.code not in repr(made)
    assert signed.cookie not in repr(signed)


async def test_wrong_codes_are_limited_by_peer_and_the_right_one_still_opens() -> None:
    world = memory_hub(Limits(failures=(Window(3, 600),)))
    made = await world.hub.browsers.link(OWNER)
    failed: list[type[Exception]] = []
    for _ in range(6):
        try:
            await world.hub.browsers.sign_in("wrong" * 9, PEER)
        except (NotAllowed, TooFast) as error:
            failed.append(type(error))
    assert failed == [NotAllowed] * 3 + [TooFast] * 3
    size = (await world.hub.journal.head()).size
    with pytest.raises(TooFast):
        await world.hub.browsers.sign_in("wrong" * 9, PEER)
    assert (await world.hub.journal.head()).size == size, "who is over the limit writes nothing more"
    assert await world.hub.browsers.sign_in(made.code, PEER)


@pytest.mark.parametrize("code", [None, "", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + "\n", 7, "a" * 100_000])
async def test_what_has_not_the_form_of_a_code_is_refused_like_any_other(world: TestHub, code: object) -> None:
    with pytest.raises(NotAllowed):
        await world.hub.browsers.sign_in(code, PEER)
    assert await world.hub.browsers.authenticate(str(code)) is None


async def test_a_row_that_was_altered_opens_nothing(world: TestHub) -> None:
    held = await cookie(world)
    (row,) = await world.hub.browsers.list(OWNER)
    await world.store.write(lambda tx: tx.browsers.end(row.id, 0))
    await world.store.write(lambda tx: tx.browsers.sweep(0))
    await world.store.write(lambda tx: tx.browsers.add(replace(row, roles=("admin",))))
    world.clock.advance(1)
    assert await world.hub.browsers.authenticate(held) is None


async def test_old_links_and_browsers_are_swept_when_a_link_is_made(world: TestHub) -> None:
    await world.hub.browsers.link(OWNER)
    await cookie(world)
    world.clock.advance(SIGNED_IN_SECONDS)
    await world.hub.browsers.link(OWNER)
    assert await world.store.read(lambda tx: tx.browsers.list()) == []
    assert await world.store.write(lambda tx: tx.browsers.sweep(world.clock.now() + LINK_SECONDS * SECOND)) == 1
