"""What an open page must not go on telling, and what agents must not make it show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.testing.hubs import OWNER, agent
from multiagent_bridge.web import feed
from multiagent_bridge.web.wording import said, shortened
from tests.faces.browsing import Site, events, site

pytestmark = pytest.mark.anyio

PLANTED = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`${7331*7}{{7331*7}}"
BOUND = 20.0


async def head(here: Site) -> int:
    return (await here.world.hub.journal.head()).size


@pytest.mark.parametrize("how", ["revoked", "signed out", "expired", "of a key that ended"])
async def test_a_stream_ends_with_the_sign_in(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "TICK_SECONDS", 0.05)
    async with site() as here:
        hub, clock = here.world.hub, here.world.clock
        key = await hub.identities.create(OWNER, "laptop", ["operator"])
        identity = await hub.identities.authenticate(key.secret, "ip:192.0.2.7")
        who = identity.caller("ip:192.0.2.7") if how.startswith("of a key") else OWNER
        async with here.browser(who) as browser, events(browser, await head(here), topics="tasks") as stream:
            (row,) = await hub.browsers.list(OWNER)
            if how == "revoked":
                # by another hub: this one has not heard of it
                await here.world.store.write(lambda tx: tx.browsers.end(row.id, clock.now()))
            elif how == "signed out":
                await here.post(browser, "/sign-out")
            elif how == "expired":
                clock.advance(13 * 3_600)
            else:
                await hub.identities.revoke(OWNER, key.key.id)
            if how != "expired":
                clock.advance(1)
            assert (await stream.next())[0] == "mab-signed-out"
            with pytest.raises(StopAsyncIteration):
                await stream.next()
        assert here.dashboard.feed.open == 0


async def test_a_page_does_not_look_live_while_the_store_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "TICK_SECONDS", 0.05)
    async with site() as here, here.browser() as browser:
        async with events(browser, await head(here)) as stream:
            await here.world.hub.journal.note(OWNER, "task.assign")
            assert (await stream.next())[0] == "mab-journal"
            assert (await stream.next())[0] == "mab-tasks"
            await here.world.store.close()
            assert (await stream.next())[0] == "mab-leaving"
        assert here.dashboard.feed.open == 0


async def test_one_sign_in_opens_so_many_streams_and_keeps_nobody_elses_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST", 2)
    async with site() as here, here.browser() as greedy, here.browser() as other:
        async with events(greedy, 0) as one, events(greedy, 0) as two:
            await one.next()
            await two.next()
            assert (await greedy.get("/events")).status_code == 429
            async with events(other, 0) as third:
                assert (await third.next())[1]


async def test_a_browser_that_goes_away_leaves_no_stream_and_no_listener_behind() -> None:
    async with site() as here, here.browser() as browser:
        for _ in range(5):
            async with events(browser, 0) as stream:
                await stream.next()
        async with asyncio.timeout(BOUND):
            while here.dashboard.feed.open:
                await here.world.hub.journal.note(OWNER, "message.send")
                await asyncio.sleep(0)
        assert here.dashboard.feed.seq is None


async def test_what_is_written_while_a_page_catches_up_hides_nothing_that_came_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with site() as here, here.browser() as one, here.browser() as two:
        hub, before = here.world.hub, await head(here)
        await hub.identities.create(OWNER, "laptop", ["agent"])
        # the listener stands behind this key when the second page comes
        async with events(one, await head(here)) as other:
            await hub.journal.note(OWNER, "store.backup")
            await other.next()
            real, planted = hub.journal.entries, []

            async def entries(after: int, limit: int) -> Sequence[Entry]:
                found = await real(after, limit)
                if after == before and not planted:
                    planted.append(await hub.journal.note(OWNER, "task.assign"))
                    async with asyncio.timeout(BOUND):
                        while (here.dashboard.feed.seq or 0) < planted[0].seq:
                            await asyncio.sleep(0)
                return found

            monkeypatch.setattr(here.world.hub.journal, "entries", entries)
            async with events(two, before) as stream:
                told: set[str] = set()
                while not {"mab-access", "mab-health", "mab-tasks"} <= told:
                    told.add((await stream.next())[0])
                assert planted


async def test_a_refused_read_of_a_browser_does_not_make_every_page_ask_again() -> None:
    async with site() as here, here.browser() as browser:
        async with events(browser, await head(here)) as stream:
            refused = await browser.get("/live/approvals", headers={"x": "y"})
            assert refused.status_code == 200
            found = (await here.world.hub.browsers.list(OWNER))[0]
            caller = (await here.world.hub.browsers.authenticate(next(iter(browser.cookies.values())))).caller("ip:::1")  # type: ignore[union-attr]
            assert found.id == caller.identity
            for _ in range(3):
                with pytest.raises(NotAllowed):
                    await here.world.hub.identities.list(caller)
            await here.world.hub.identities.create(OWNER, "laptop", ["agent"])
            assert await stream.next() == ("mab-access", str(await head(here)))


async def test_what_agents_call_themselves_is_text() -> None:
    async with site() as here, here.browser() as browser:
        mallory = agent(PLANTED)
        made = await here.world.hub.conversations.create(mallory, PLANTED[:80], "partner " + PLANTED[:80])
        with pytest.raises(NotAllowed):
            await here.world.hub.messages.send(agent(PLANTED + "2"), NO_CREDENTIALS, PLANTED)
        page = (await browser.get("/")).text
        assert made.conversation.id in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        for live in ("<script>", "<img", "51317"):
            assert live not in page.replace("<script src=", "").replace(f"{here.port}", "")


async def test_text_that_turns_the_line_around_stands_spelled_out() -> None:
    shown = said("gnp.exe\u202egpj \u2066a\u2069 zero\u200bwidth \x1b[31mred \ud800")
    for letter in ("\u202e", "\u2066", "\u2069", "\u200b", "\x1b", "\ud800"):
        assert letter not in shown
    assert "\\u202e" in shown
    assert "\\x1b" in shown
    shown.encode("utf-8")


async def test_fifty_thousand_characters_are_shown_short_and_cost_little() -> None:
    for letter in ("a", "\u202e", "<", "A_REDACTED "):
        shown = said(shortened(letter * 50_000, 2_000))
        assert len(shown) < 100_000
        assert "more characters" in shown


async def test_the_page_stays_small_whatever_agents_write() -> None:
    async with site() as here, here.browser() as browser:
        for number in range(25):
            await here.world.hub.conversations.create(
                agent(f"a{number}"), "\U0001f600<&" * 25, "partner", ["&\"'<>" * 20] * 20
            )
        page = await browser.get("/")
        assert page.status_code == 200
        assert len(page.content) < 200_000


async def test_a_clock_that_was_set_back_keeps_nobody_signed_in_for_longer() -> None:
    async with site() as here, here.browser() as browser:
        here.world.clock.advance(600)
        assert (await browser.get("/")).status_code == 200
        here.world.clock.jump(-2 * 3_600)
        here.world.clock.advance(1)
        assert (await browser.get("/")).status_code == 401
        assert here.world.clock.now() > SECOND
