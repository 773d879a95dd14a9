"""The dashboard as a browser gets it: signing in and out, pages, parts of pages, and the stream that says what moved."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import pytest

from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from multiagent_bridge.web import feed, sharing
from multiagent_bridge.web.feed import NOUNS
from multiagent_bridge.web.pages import TOPICS, address
from multiagent_bridge.web.wording import ago, said
from tests.faces.browsing import Site, events, site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

SECOND = 1_000_000
AUDITOR = Caller("bearer:oidc_1", "zoe", "ip:192.0.2.7", roles=frozenset({"auditor"}), identity="oidc_1")


async def talk(world: TestHub, times: int = 1) -> str:
    """Alice writes to Bob; the conversation."""
    alice, bob = agent("alice"), agent("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend")
    await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    for number in range(times):
        await world.hub.messages.send(alice, Credentials(made.conversation.id), f"message {number}")
    return made.conversation.id


async def head(here: Site) -> int:
    return (await here.world.hub.journal.head()).size


@pytest.mark.parametrize("path", ["/", "/live/timeline", "/events", "/live/nothing"])
async def test_who_is_not_signed_in_is_told_how_and_nothing_else(path: str) -> None:
    async with site() as here, here.stranger() as browser:
        await talk(here.world)
        answer = await browser.get(path)
        assert answer.status_code == 401
        assert "mab dashboard" in text(answer.text)
        assert "conv_" not in answer.text
        assert "Live</a>" not in answer.text


async def test_a_part_of_a_page_sends_who_is_not_signed_in_to_the_sign_in() -> None:
    async with site() as here, here.stranger() as browser:
        answer = await browser.get("/live/timeline", headers={"hx-request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"], answer.content) == (401, "/sign-in", b"")


async def test_a_code_signs_in_and_the_cookie_is_kept_from_scripts_and_other_sites() -> None:
    async with site() as here, here.stranger() as browser:
        made = await here.world.hub.browsers.link(OWNER)
        answer = await here.post(browser, "/sign-in", code=f"  {made.code}\n")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        line = answer.headers["set-cookie"]
        assert re.fullmatch(
            rf"mab_browser_{here.port}=[0-9A-Za-z]{{43}}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800", line
        )
        assert (await browser.get("/")).status_code == 200


async def test_under_tls_the_cookie_is_secure_and_of_this_host_alone(tmp_path: Path) -> None:
    async with site(tls=tmp_path) as here, here.stranger() as browser:
        made = await here.world.hub.browsers.link(OWNER)
        line = (await here.post(browser, "/sign-in", code=made.code)).headers["set-cookie"]
        assert line.startswith(f"__Host-mab_browser_{here.port}=")
        assert line.endswith("; Secure")
        assert "; Path=/;" in line
        assert "omain" not in line
        assert (await browser.get("/")).status_code == 200


async def test_signing_out_ends_the_cookie_and_takes_it_away() -> None:
    async with site() as here, here.browser() as browser:
        held = dict(browser.cookies)
        answer = await here.post(browser, "/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "Max-Age=0" in answer.headers["set-cookie"]
        browser.cookies.update(held)
        assert (await browser.get("/")).status_code == 401


async def test_who_is_signed_in_is_sent_on_from_the_sign_in_page() -> None:
    async with site() as here, here.browser() as browser:
        answer = await browser.get("/sign-in")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_wrong_code_is_told_on_the_page_with_what_to_do() -> None:
    async with site() as here, here.stranger() as browser:
        answer = await here.post(browser, "/sign-in", code="x" * 43)
        assert answer.status_code == 403
        assert "mab dashboard, at a terminal" in text(answer.text)
        assert "set-cookie" not in answer.headers


async def test_a_key_gets_a_code_for_a_browser_of_its_own_roles() -> None:
    async with site() as here, here.stranger() as browser:
        key = await here.world.hub.identities.create(OWNER, "laptop", ["operator"])
        bearer = {"authorization": f"Bearer {key.secret}"}
        made = (await browser.post("/sign-in-links", headers=bearer)).json()
        assert (await here.post(browser, "/sign-in", code=made["code"])).status_code == 303
        assert "laptop" in text((await browser.get("/")).text)


async def test_the_live_page_shows_conversations_agents_and_what_happened() -> None:
    async with site() as here, here.browser() as browser:
        conversation = await talk(here.world, 2)
        await here.world.hub.journal.refused(agent("mallory"), "message.send", NotAllowed("no", "ask"))
        words = text((await browser.get("/")).text)
        assert "Nothing waits for you" in words
        assert conversation in words
        assert "a backend alive" in words
        assert "b frontend alive" in words
        assert "2 unread" in words
        assert "last message a → to b" in words
        assert "refused: not_allowed" in words
        assert "2 of 1000000 in 60 s" in words


async def test_the_strip_says_in_words_what_it_draws() -> None:
    async with site() as here, here.browser() as browser:
        await talk(here.world, 3)
        page = (await browser.get("/")).text
        assert 'aria-label="In the last 15 minutes: 3 messages, 0 commands, 0 silences, 0 refusals"' in page


async def test_the_list_is_narrowed_by_the_address_and_so_is_its_live_part() -> None:
    async with site() as here, here.browser() as browser:
        await talk(here.world)
        page = (await browser.get("/?kind=refusals")).text
        assert "Nothing of that kind yet" in page
        assert 'hx-get="/live/timeline?kind=refusals"' in page
        part = (await browser.get("/live/timeline?kind=messages")).text
        assert set(re.findall(r"<code>(.*?)</code>", part)) == {"message.send"}


async def test_who_reads_the_journal_alone_sees_no_conversations_and_no_approvals() -> None:
    async with site() as here, here.browser(AUDITOR) as browser:
        conversation = await talk(here.world)
        page = (await browser.get("/")).text
        assert conversation not in re.sub(r'id="rate[^>]*>|of conv_\w+', "", page).split("What just happened")[0]
        assert "Waiting for you" not in page
        assert "What just happened" in page
        assert (await browser.get("/live/conversations")).status_code == 403


async def test_who_is_confined_sees_its_own_conversations_alone() -> None:
    async with site() as here:
        mine, other = await talk(here.world), await talk(here.world)
        confined = Caller(
            "bearer:x", "x", "ip:::1", roles=frozenset({"operator"}), conversations=frozenset({mine}), identity="oidc_x"
        )
        async with here.browser(confined) as browser:
            for path in ("/", "/?view=all", "/live/conversations", "/live/timeline"):
                page = (await browser.get(path)).text
                assert mine in page
                assert other not in page
            assert mine not in (await browser.get(f"/live/conversations?view=all&before={other}")).text


async def test_all_conversations_are_paged_newest_first() -> None:
    async with site() as here, here.browser() as browser:
        made = [
            (await here.world.hub.conversations.create(agent(f"a{n}"), "one", "two")).conversation.id for n in range(45)
        ]
        seen: list[str] = []
        path: str | None = "/?view=all"
        while path:
            page = (await browser.get(path)).text
            seen += re.findall(r'id="scene-(conv_\w+)"', page)
            found = re.search(r'href="(/\?view=all&amp;before=\w+)"', page)
            path = found[1].replace("&amp;", "&") if found else None
        assert seen == made[::-1]


async def test_a_page_that_is_not_there_is_said_to_be_so() -> None:
    async with site() as here, here.browser() as browser:
        answer = await browser.get("/live/nothing")
        assert answer.status_code == 404
        assert "there is no such page" in answer.text


async def test_a_page_of_one_moment_is_made_once_for_all_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    # a busy machine lets more than that pass between two requests
    monkeypatch.setattr(sharing, "SECONDS", 600.0)
    async with site() as here, here.browser() as one, here.browser() as two:
        asked: list[Caller] = []
        overview = type(here.world.hub.overview)
        real = overview.happened

        async def counted(self: object, caller: Caller) -> object:
            asked.append(caller)
            return await real(here.world.hub.overview, caller)

        monkeypatch.setattr(overview, "happened", counted)
        async with events(one, await head(here)) as stream:
            conversation = await talk(here.world)
            await stream.next()
            first, second = await one.get("/live/timeline"), await two.get("/live/timeline")
            assert first.text == second.text
            assert conversation in first.text
            assert len(asked) == 1
            await here.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "again")
            while (await stream.next())[1] != str(await head(here)):
                pass
            assert "message 2" in (await one.get("/live/timeline")).text
            assert len(asked) == 2


async def test_the_stream_says_what_moved_and_where_the_journal_stands() -> None:
    async with site() as here, here.browser() as browser:
        async with events(browser, await head(here)) as stream:
            await here.world.hub.conversations.create(agent("alice"), "backend", "frontend")
            assert await stream.next() == ("mab-conversations", str(await head(here)))
            assert await stream.next() == ("mab-journal", str(await head(here)))
            assert stream.last == str(await head(here))


async def test_what_happened_before_the_stream_was_opened_is_told_and_told_once() -> None:
    async with site() as here, here.browser() as browser:
        before = await head(here)
        await talk(here.world)
        async with events(browser, before) as stream:
            told = [await stream.next() for _ in range(3)]
            assert told == [
                (f"mab-{topic}", str(await head(here))) for topic in ("conversations", "journal", "messages")
            ]
        async with events(browser, headers={"last-event-id": stream.last}) as again:
            await here.world.hub.identities.create(OWNER, "laptop", ["agent"])
            assert (await again.next())[0] == "mab-access"


async def test_a_page_listens_to_its_topics_and_its_conversation_alone() -> None:
    async with site() as here, here.browser() as browser:
        mine = await talk(here.world)
        after = await head(here)
        async with events(browser, after, topics="messages,access", conversation=mine) as stream:
            await talk(here.world)
            await here.world.hub.messages.send(agent("alice"), Credentials(mine), "hello")
            event, seq = await stream.next()
            assert event == "mab-messages"
            assert int(seq) > after + 3


async def test_a_stream_of_who_is_confined_is_silent_about_everybody_else() -> None:
    async with site() as here:
        mine = await talk(here.world)
        confined = Caller(
            "bearer:x", "x", "ip:::1", roles=frozenset({"operator"}), conversations=frozenset({mine}), identity="oidc_x"
        )
        async with here.browser(confined) as browser, events(browser, await head(here)) as stream:
            await talk(here.world)
            await here.world.hub.identities.create(OWNER, "laptop", ["agent"])
            await here.world.hub.conversations.extend(OWNER, mine, 60)
            assert await stream.next() == ("mab-conversations", str(await head(here)))


@pytest.mark.parametrize("after", [10**14, 0])
async def test_who_comes_from_another_journal_or_from_long_ago_is_told_that_everything_moved(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BEHIND", 1)
    async with site() as here, here.browser() as browser:
        async with events(browser, after) as stream:
            told = {(await stream.next())[0] for _ in TOPICS}
            assert told == {f"mab-{topic}" for topic in TOPICS}


@pytest.mark.parametrize("words", ["-1", "x", "1e3", "٣", "9" * 16])
async def test_a_place_in_the_journal_that_is_none_is_refused(words: str) -> None:
    async with site() as here, here.browser() as browser:
        assert (await browser.get("/events", params={"after": words})).status_code == 422


async def test_what_moves_between_two_tellings_is_told_before_the_hub_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "GAP_SECONDS", 1.0)
    async with site() as here, here.browser() as browser:
        async with events(browser, await head(here)) as stream:
            await here.world.hub.identities.create(OWNER, "laptop", ["agent"])
            assert [(await stream.next())[0] for _ in range(2)] == ["mab-access", "mab-journal"]
            await talk(here.world)
            with anyio.fail_after(60):
                while (here.dashboard.feed.seq or 0) < await head(here):
                    await anyio.sleep(0.01)
            await here.dashboard.leave()
            told = [(await stream.next())[0] for _ in range(4)]
            assert told == ["mab-conversations", "mab-journal", "mab-messages", "mab-leaving"]
            assert stream.last == str(await head(here))


async def test_streams_end_when_the_hub_leaves() -> None:
    async with site() as here, here.browser() as browser:
        async with events(browser, await head(here)) as stream:
            await here.dashboard.leave()
            assert (await stream.next())[0] == "mab-leaving"
            with pytest.raises(StopAsyncIteration):
                await stream.next()
        assert here.dashboard.feed.open == 0


async def test_every_topic_comes_from_a_noun() -> None:
    assert {"journal", *NOUNS.values()} == set(TOPICS)


def test_agent_written_text_shows_what_is_hidden_in_it() -> None:
    assert said("a\u202eb\u200bc") == 'a<span class="unseen">\\u202e</span>b<span class="unseen">\\u200b</span>c'
    assert said("key AWS_KEY_REDACTED.") == 'key <mark class="redacted">AWS_KEY_REDACTED</mark>.'
    assert said("<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"
    assert said("日本語 Привет 🙂\n") == "日本語 Привет 🙂\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (5, "5 s ago"),
        (-5, "in 5 s"),
        (61, "1 min ago"),
        (7_199, "119 min ago"),
        (7_200, "2 h ago"),
        (172_800, "2 d ago"),
        (-7_260, "in 2 h"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(seconds: int, words: str) -> None:
    assert ago(0, seconds * SECOND) == words


def test_an_address_leaves_out_what_says_nothing_and_leads_nowhere_else() -> None:
    assert address("/tasks", state="open", mine="", who=None, other=False) == "/tasks?state=open"
    assert address("/tasks", q="a b&c\r\nx") == "/tasks?q=a+b%26c%0D%0Ax"
    for path in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example"):
        with pytest.raises(ValueError, match="this hub"):
            address(path)


def test_nothing_in_the_templates_goes_around_the_escaping() -> None:
    folder = Path(__file__).parents[2] / "src/multiagent_bridge/web/templates"
    for template in folder.glob("*.html"):
        found = template.read_text(encoding="utf-8")
        assert not re.search(
            r"\|\s*safe|autoescape|hx-on|hx-vals|\sstyle=|\son\w+=|<script(?![^>]* src=)|<style", found
        )


async def test_a_busy_conversation_stands_before_newer_ones_and_an_expired_one_does_not() -> None:
    world = memory_hub(UNLIMITED)
    busy = await talk(world)
    for number in range(25):
        await world.hub.conversations.create(agent(f"a{number}"), "one", "two")
    await world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "still here")
    found = await world.hub.overview.scenes(OWNER)
    assert found.scenes[0].conversation.id == busy
    assert len(found.scenes) == 20
    world.clock.advance(10 * 3_600)
    assert all(scene.conversation.id != busy for scene in (await world.hub.overview.scenes(OWNER)).scenes)
