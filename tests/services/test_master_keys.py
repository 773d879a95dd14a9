"""Rotation of the master key: nothing that is in use breaks, and every hub hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent
from tests.services.rotations import NEW, NEWER, OLD, Site, heard, opened, seat, send

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(anyio_backend: str) -> Site:
    return Site()


async def tokens(world: TestHub, conversation_id: str) -> Sequence[str]:
    return [token for _, token in await world.hub.conversations.tokens(OWNER, conversation_id)]


async def states(world: TestHub) -> list[tuple[str, str]]:
    return [(key, state) for key, state, _ in (await world.hub.master_keys.status(OWNER)).keys]


async def test_what_was_said_before_a_rotation_is_read_after_it_by_every_hub(site: Site) -> None:
    running = await site.hub()
    made = await opened(running)
    await send(running, "before")
    rotating = await site.rotated()
    for world in (running, rotating, await site.hub(NEW)):
        assert await heard(world) == ["before"]
    await send(running, "after")
    assert await heard(await site.hub(NEW)) == ["before", "after"]
    assert running.keys.current == rotating.keys.current == (await site.hub(NEW)).keys.current
    sealed = (await running.store.read(lambda tx: tx.conversations.list()))[0].sealed_key
    assert sealed[:4].hex() == running.keys.current
    assert made.conversation.sealed_key[:4] != sealed[:4]


async def test_a_token_of_before_opens_until_the_old_key_is_retired_and_one_of_after_goes_on(site: Site) -> None:
    running = await site.hub()
    made = await opened(running)
    rotating = await site.rotated()
    fresh = await tokens(rotating, made.conversation.id)
    assert fresh != made.tokens
    new = replace(seat(made), token=fresh[0])
    for world in (running, rotating):
        await send(world, "old token", seat(made))
        await send(world, "new token", new)
    await site.retired(rotating)
    for world in (running, rotating, await site.hub(NEW)):
        with pytest.raises(NotAllowed):
            await send(world, "old token", seat(made))
        await send(world, "new token", new)


async def test_a_new_token_opens_at_a_hub_that_has_not_heard_of_the_rotation(site: Site) -> None:
    running = await site.hub()
    made = await opened(running)
    site.ring = (NEW, OLD)
    rotating = await site.hub()
    await rotating.hub.master_keys.rotate(OWNER)
    assert running.keys.current != rotating.keys.current
    new = replace(seat(made), token=(await tokens(rotating, made.conversation.id))[0])
    # no time has passed: the hub looks because the token is not one it knows
    await send(running, "hello", new)
    assert running.keys.current == rotating.keys.current


async def test_connections_stay_bound_and_names_and_invites_and_keys_and_repeats_go_on(site: Site) -> None:
    running = await site.hub()
    named = agent("carol", alias=True)
    made = await running.hub.conversations.create(named, "backend", "frontend")
    key = await running.hub.identities.create(OWNER, "laptop", ["agent"], None, None)
    first = (await running.hub.messages.send(named, NO_CREDENTIALS, "once", idempotency_key="k")).message_id
    rotating = await site.rotated()
    for world in (running, rotating, await site.hub()):
        again = await world.hub.messages.send(named, NO_CREDENTIALS, "once", idempotency_key="k")
        assert again.message_id == first
        back = replace(named, agent="key:" + "5" * 32)
        assert [p.conversation.id for p in (await world.hub.conversations.list(back)).places] == [made.conversation.id]
        assert (await world.hub.identities.authenticate(key.secret, "ip:192.0.2.7")).id == key.key.id
    await rotating.hub.conversations.join(agent("bob"), NO_CREDENTIALS, made.invites[1])
    later = await running.hub.conversations.invite(OWNER, made.conversation.id, "b")
    await rotating.hub.conversations.join(agent("bill"), NO_CREDENTIALS, later)
    await site.retired(rotating)
    for world in (running, await site.hub(NEW)):
        assert (await world.hub.identities.authenticate(key.secret, "ip:192.0.2.7")).id == key.key.id
        again = await world.hub.messages.send(named, NO_CREDENTIALS, "once", idempotency_key="k")
        assert again.message_id == first


async def test_the_journal_verifies_through_two_rotations_with_every_checkpoint_ever_signed(anyio_backend: str) -> None:
    site = Site(limits=Limits(checkpoint_entries=1))
    running = await site.hub()
    await opened(running)
    kept = [await running.hub.journal.checkpoint()]
    for to in (NEW, NEWER):
        await send(running, "more")
        rotating = await site.rotated(to)
        kept.append(await running.hub.journal.checkpoint())
        await site.retired(rotating)
        await send(running, "and more")
    for world in (running, await site.hub()):
        found = await world.hub.evidence.verify(kept)
        assert found.checkpoints >= 12
        assert found.messages == 4
    assert len({note.split("\n")[0] for note in kept}) == 3


async def test_a_hub_that_has_not_heard_of_it_signs_no_checkpoint_under_the_old_key(anyio_backend: str) -> None:
    site = Site(limits=Limits(checkpoint_entries=1))
    running = await site.hub()
    await opened(running)
    site.ring = (NEW, OLD)
    rotating = await site.hub()
    await rotating.hub.master_keys.rotate(OWNER)
    # within the same instant, so that only the signing itself can tell
    await send(running, "stale")
    assert running.keys.signer == rotating.keys.signer
    await rotating.hub.journal.verify()


async def test_a_hub_without_the_new_key_does_nothing_until_it_has_it(site: Site) -> None:
    elsewhere = await site.hub(reread=False)
    told = Site(site.store, site.clock, (OLD,))
    late = await told.hub()
    await opened(elsewhere)
    await site.rotated()
    for _ in range(2):
        with pytest.raises(Unavailable, match="rotated"):
            await send(elsewhere, "late")
        with pytest.raises(Unavailable, match="rotated"):
            await heard(elsewhere)
    with pytest.raises(Unavailable, match="rotated"):
        await send(late, "late")
    with pytest.raises(Unavailable, match="rotated"):
        await told.hub()
    told.ring = (NEW, OLD)
    await send(late, "now")
    assert await heard(late) == ["now"]


async def test_a_key_that_waits_changes_nothing(site: Site) -> None:
    running = await site.hub()
    made = await opened(running)
    site.ring = (NEW, OLD)
    staged = await site.hub()
    assert staged.keys.current == running.keys.current
    assert await tokens(staged, made.conversation.id) == made.tokens
    assert [state for _, state in await states(staged)] == ["waiting", "current"]


async def test_of_two_rotations_at_once_one_hands_over(site: Site) -> None:
    site.ring = (NEW, OLD)
    one, other = await site.hub(), await site.hub()
    await one.hub.master_keys.rotate(OWNER)
    with pytest.raises(Conflict, match="has not ended"):
        await other.hub.master_keys.rotate(OWNER)
    entries = await one.hub.journal.entries()
    assert [e.outcome for e in entries if e.action == "master_key.rotate"] == ["done", "refused"]
    assert [state for _, state in await states(other)] == ["current", "accepted"]


async def test_without_a_key_that_waits_or_with_several_nothing_is_handed_over(site: Site) -> None:
    for ring in ((OLD,), (NEWER, NEW, OLD)):
        site.ring = ring
        with pytest.raises(Conflict, match="must wait"):
            await (await site.hub()).hub.master_keys.rotate(OWNER)


async def test_a_rotation_cut_short_leaves_everything_readable_and_goes_on(site: Site) -> None:
    running = await site.hub()
    made = [await running.hub.conversations.create(agent(f"agent {n}"), "backend", "frontend") for n in range(7)]
    await running.hub.messages.send(agent("agent 6"), NO_CREDENTIALS, "hello")
    before = running.keys.current
    rotating = await site.rotated(rewrapped=False)
    assert await rotating.hub.master_keys.rewrap(OWNER, 3) == 3
    bob = agent("bob")
    await running.hub.conversations.join(bob, NO_CREDENTIALS, made[6].invites[1])
    for world in (running, rotating, await site.hub()):
        mail = await world.hub.messages.check(bob, NO_CREDENTIALS, world.hub.ids.claim(), auto_ack=False)
        assert [letter.text for letter in mail.letters] == ["hello"]
    with pytest.raises(Conflict, match="data keys"):
        await rotating.hub.master_keys.retire(OWNER)
    assert (await rotating.hub.master_keys.status(OWNER)).left == 4
    again = await site.hub()
    assert await site.rewrap(again) == 4
    assert await site.retired(again) == [before]
    assert [state for _, state in await states(again)] == ["current", "retired"]


async def test_a_conversation_that_a_hub_opened_before_it_heard_keeps_the_old_key_alive(site: Site) -> None:
    running = await site.hub()
    await running.hub.conversations.list(OWNER)
    site.ring = (NEW, OLD)
    rotating = await site.hub()
    await rotating.hub.master_keys.rotate(OWNER)
    await opened(running)
    with pytest.raises(Conflict, match="data keys"):
        await rotating.hub.master_keys.retire(OWNER)
    assert await site.rewrap(rotating) == 1
    await rotating.hub.master_keys.retire(OWNER)
    # still the same instant: the store itself refuses what this hub would bring back
    assert running.keys.current != rotating.keys.current
    with pytest.raises(Invalid):
        await running.hub.conversations.create(agent("dave"), "backend", "frontend")
    site.later()
    await running.hub.conversations.create(agent("dave"), "backend", "frontend")


async def test_a_data_key_under_a_key_that_is_gone_is_named_and_nothing_of_its_batch_is_done(site: Site) -> None:
    running = await site.hub()
    await opened(running)
    (row,) = await site.store.read(lambda tx: tx.conversations.list())
    lost = replace(row, id="conv_000000000000", sealed_key=b"gone" + row.sealed_key[4:])
    await site.store.write(lambda tx: tx.conversations.add(lost))
    rotating = await site.rotated(rewrapped=False)
    with pytest.raises(Unavailable, match="conv_000000000000"):
        await rotating.hub.master_keys.rewrap(OWNER)
    assert (await rotating.hub.master_keys.status(OWNER)).left == 2
    with pytest.raises(Conflict, match="data keys"):
        await rotating.hub.master_keys.retire(OWNER)
    await site.store.write(lambda tx: tx.conversations.remove(lost.id))
    assert await site.rewrap(rotating) == 1


async def test_workers_elsewhere_are_signed_for_by_the_old_key_until_it_is_retired(site: Site) -> None:
    running = await site.hub()
    before = running.keys.publisher_key
    rotating = await site.rotated()
    await running.hub.conversations.list(OWNER)
    assert running.keys.publisher_key == rotating.keys.publisher_key == before
    assert rotating.keys.check(before, rotating.keys.publish(b"parcel"), b"parcel")
    await site.retired(rotating)
    assert not rotating.keys.check(before, rotating.keys.publish(b"parcel"), b"parcel")
    assert rotating.keys.publisher_key != before
    assert (await site.hub(NEW)).keys.publisher_key == rotating.keys.publisher_key


@pytest.mark.parametrize("verb", ["status", "rotate", "rewrap", "retire"])
async def test_nobody_but_the_owner_touches_the_master_key(site: Site, verb: str) -> None:
    world = await site.hub()
    caller = replace(agent("mallory"), operator=False)
    with pytest.raises(NotAllowed):
        await getattr(world.hub.master_keys, verb)(caller)
    assert (await world.hub.journal.newest(1))[0].outcome == "refused"


async def test_credentials_of_another_session_open_nothing_during_the_overlap(site: Site) -> None:
    made = await opened(await site.hub())
    rotating = await site.rotated()
    swapped = Credentials(made.conversation.id, "a", made.tokens[1])
    with pytest.raises(NotAllowed):
        await send(rotating, "as alice", swapped)
