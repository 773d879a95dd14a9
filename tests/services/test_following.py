"""Following one resource: where a look begins, what is news in it, and that a look leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import NotAllowed, NotFound, Refused
from multiagent_bridge.guard.resources import KINDS, Resource, named
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.services.watches import COUNTED, PAGE, Mark
from multiagent_bridge.testing.hubs import OWNER

from .teams import PLENTY, Team, gathered

pytestmark = pytest.mark.anyio


async def begun(team: Team, kind: str = "inbox", session: str = "b") -> tuple[Resource, Mark]:
    resource = Resource(kind, team.id, session)
    return resource, await team.world.hub.watches.begin(team.workers[session], resource, PLENTY.reads)


async def looked(team: Team, resource: Resource, mark: Mark) -> tuple[bool, Mark]:
    seen = await team.world.hub.watches.moved(team.workers[resource.session_id], resource, mark)
    return seen.news, seen.mark


def test_a_uri_names_the_resource_it_was_made_from() -> None:
    for kind in KINDS:
        resource = Resource(kind, "conv_0123456789ab", "zz")
        assert named(resource.uri) == resource
        assert resource.seat == Credentials("conv_0123456789ab", "zz")
    with pytest.raises(NotFound):
        named("mab://inbox/conv_0123456789ab/zz/more")


async def test_each_message_is_news_once(anyio_backend: str) -> None:
    team = await gathered("backend")
    inbox, mark = await begun(team)
    assert await looked(team, inbox, mark) == (False, mark)
    for number in (1, 2):
        await team.send("a")
        news, after = await looked(team, inbox, mark)
        assert (news, after.message) == (True, number)
        assert await looked(team, inbox, after) == (False, after)
        mark = after


async def test_mail_that_another_reader_holds_is_news_only_when_it_comes_back(anyio_backend: str) -> None:
    team, claim = await gathered("backend"), "test:1"
    inbox, mark = await begun(team)
    await team.send("a")
    await team.world.hub.messages.check(team.workers["b"], NO_CREDENTIALS, claim)
    assert await looked(team, inbox, mark) == (False, mark)
    await team.world.hub.messages.release(team.workers["b"], claim)
    assert (await looked(team, inbox, mark))[0]


async def test_a_follower_begins_where_its_client_was_last_told(anyio_backend: str) -> None:
    team = await gathered("backend")
    await team.send("a")
    inbox, mark = await begun(team)
    assert (await looked(team, inbox, mark))[0]
    await team.world.hub.watches.told(team.workers["b"], inbox.seat, 1)
    inbox, mark = await begun(team)
    assert (mark.message, await looked(team, inbox, mark)) == (1, (False, mark))


async def test_news_is_found_behind_any_number_of_entries(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    tasks, mark = await begun(team, "tasks")
    for _ in range(PAGE + 20):
        await team.send("a", to="c")
    assert not (await looked(team, tasks, mark))[0]
    await team.assign("b")
    news, after = await looked(team, tasks, mark)
    assert news
    assert await looked(team, tasks, after) == (False, after)


async def test_a_look_is_no_heartbeat_and_no_entry_and_says_how_long_it_holds(anyio_backend: str) -> None:
    team = await gathered("backend")
    inbox, mark = await begun(team)
    before = await team.world.store.read(lambda tx: tx.sessions.of(team.id))
    size = (await team.world.hub.journal.head()).size
    team.clock.advance(50)
    seen = await team.world.hub.watches.moved(team.workers["b"], inbox, mark)
    assert seen.left == pytest.approx(PLENTY.conversation_seconds - 50, abs=1)
    assert await team.world.store.read(lambda tx: tx.sessions.of(team.id)) == before
    assert (await team.world.hub.journal.head()).size == size


async def test_who_may_no_longer_look_is_told_so_at_the_next_look(anyio_backend: str) -> None:
    team = await gathered("backend")
    inbox, mark = await begun(team)
    foreign = replace(inbox, session_id="a")
    with pytest.raises(NotAllowed):
        await team.world.hub.watches.moved(team.workers["b"], foreign, mark)
    await team.world.hub.conversations.rotate(OWNER, team.id, "b")
    with pytest.raises(NotAllowed):
        await looked(team, inbox, mark)
    other, mark = await begun(team, session="a")
    team.clock.advance(25 * 3600)
    with pytest.raises(Refused):
        await looked(team, other, mark)


async def test_what_waits_is_counted_by_sender_up_to_a_bound(anyio_backend: str) -> None:
    team = await gathered("backend", "tests")
    for _ in range(COUNTED + 5):
        await team.send("a", to="b")
    await team.send("c", to="b")
    waiting = await team.world.hub.watches.inbox(team.workers["b"], Credentials(team.id, "b"), PLENTY.reads)
    assert (waiting.unread, dict(waiting.senders)) == (COUNTED + 6, {"a": COUNTED})
