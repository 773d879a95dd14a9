"""The pages Conversations and Conversation as a browser gets them, and what a person writes there."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.services.threads import LISTED, LOOKED, OPENED_SECONDS, PAGE, SEARCHED
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from multiagent_bridge.web.conversations import FOLD, folded
from tests.faces.browsing import events, site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

ALICE, BOB = agent("alice"), agent("bob")


async def talk(world: TestHub, *more: str) -> str:
    """Alice (session a) and Bob (session b) in one conversation, and its id."""
    made = await world.hub.conversations.create(ALICE, "backend", "frontend", list(more) or None)
    await world.hub.conversations.join(BOB, NO_CREDENTIALS, made.invites[1])
    return made.conversation.id


def person(*roles: str, conversations: frozenset[str] | None = None) -> Caller:
    """Somebody whom an issuer vouches for."""
    return Caller(
        "bearer:oidc_1", "zoe", "ip:192.0.2.7", roles=frozenset(roles), conversations=conversations, identity="oidc_1"
    )


async def read(world: TestHub) -> None:
    claim = world.hub.ids.claim()
    await world.hub.messages.check(BOB, NO_CREDENTIALS, claim)
    await world.hub.messages.confirm(claim)


async def entries(world: TestHub, action: str) -> int:
    return sum(one.action == action for one in await world.hub.journal.entries(0, 10_000))


async def test_a_thread_shows_who_is_there_what_was_said_and_where_it_stands() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "the key is AKIAIOSFODNN7EXAMPLE", "question", ["src/app.py"])
    await read(world)
    await world.hub.messages.send(BOB, NO_CREDENTIALS, "an answer", reply_to=1)
    await world.hub.status.update(BOB, NO_CREDENTIALS, "blocked", "waiting for the schema")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}")
    assert page.status_code == 200
    words = text(page.text)
    assert "session a backend alive" in words
    assert "session b frontend alive blocked" in words
    assert "waiting for the schema" in words
    assert '<mark class="redacted">AWS_KEY_REDACTED</mark>' in page.text
    assert "src/app.py" in words
    assert "to b acknowledged" in words
    assert "to a stored" in words
    assert "reply to 1" in words
    assert page.text.index("an answer") < page.text.index("the key is"), "newest first"


async def test_deliveries_are_shown_in_each_of_their_states() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    for words in ("one", "two", "three"):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, words)
    await world.hub.messages.check(BOB, NO_CREDENTIALS, world.hub.ids.claim(), ack_through=1, auto_ack=False, limit=1)
    await world.store.write(lambda tx: tx.sessions.tell(mine, "b", 2))
    found = await world.hub.threads.read(OWNER, mine)
    states = {line.letter.message.id: [one.state for one in line.deliveries] for line in found.lines}
    assert states == {1: ["acknowledged"], 2: ["delivered"], 3: ["stored"]}
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "four")
    await world.store.write(lambda tx: tx.sessions.tell(mine, "b", 4))
    found = await world.hub.threads.read(OWNER, mine)
    assert [one.state for one in found.lines[0].deliveries] == ["notified"]


async def test_older_messages_are_pages_of_their_own_and_none_is_left_out() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    total = 2 * PAGE + 3
    for number in range(total):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, f"message number {number}.")
    seen: list[int] = []
    async with site(world) as s, s.browser() as browser:
        path: str | None = f"/conversations/{mine}"
        while path:
            page = await browser.get(path)
            seen += [int(one) for one in re.findall(r"message number (\d+)\.", page.text)]
            older = re.search(r'href="(/conversations/[^"]+\?before=\d+)">Older', page.text)
            path = older[1] if older else None
            assert len(seen) <= total
    assert seen == list(range(total))[::-1]


async def test_a_page_holds_at_most_so_many_characters_and_always_one_message() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    for letter in "abc":
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, letter * 50_000)
    first = await world.hub.threads.read(OWNER, mine)
    assert [line.letter.message.id for line in first.lines] == [3]
    assert first.older == 3
    last = await world.hub.threads.read(OWNER, mine, 2)
    assert [line.letter.message.id for line in last.lines] == [1]
    assert last.older is None


async def test_a_long_message_is_folded_and_whole() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    long = "word " * 9_999 + "end.."
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, long)
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}")
    found = re.search(
        r'<div class="said" dir="auto">([^<]*)</div>\s*<details[^>]*><summary>([0-9,]+) more characters</summary>'
        r'<div class="said" dir="auto">([^<]*)</div>',
        page.text,
    )
    assert found
    assert found[1] + found[3] == long
    assert len(found[1]) <= FOLD
    assert found[2] == f"{50_000 - len(found[1]):,}"


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ("short", "short"),
        ("x" * 30, "x" * 10),
        ("one two three four", "one two "),
        ("one AWS_KEY_REDACTED", "one AWS_KE"),
        ("sixsix AWS_KEY_REDACTED", "sixsix "),
    ],
)
def test_a_fold_is_between_two_words_where_there_is_a_gap(words: str, head: str) -> None:
    assert folded(words, 10) == (head, words[len(head) :])


async def test_a_search_finds_every_word_in_texts_and_file_names_and_says_how_far_it_looked() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "The Schema of orders")
    await world.hub.messages.send(BOB, NO_CREDENTIALS, "nothing", files_involved=["schema/orders.sql"])
    await world.hub.messages.send(BOB, NO_CREDENTIALS, "schema alone", "question")
    async with site(world) as s, s.browser() as browser:
        both = text((await browser.get(f"/conversations/{mine}?q=orders+SCHEMA")).text)
        bobs = text((await browser.get(f"/conversations/{mine}?q=schema&from=b")).text)
        asked = text((await browser.get(f"/conversations/{mine}?type=question")).text)
        none = text((await browser.get(f"/conversations/{mine}?q=nowhere")).text)
    assert "2 found among 3 messages" in both
    assert "2 found among 3 messages" in bobs
    assert "The Schema of orders" not in bobs
    assert "1 found among 3 messages" in asked
    assert "0 found among 3 messages" in none
    assert await entries(world, "message.search") == 4


async def test_a_search_for_a_secret_looks_for_its_placeholder_and_writes_no_word_down() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "key AKIAIOSFODNN7EXAMPLE")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}?q=AKIAIOSFODNN7EXAMPLE")
    assert "AKIAIOSFODNN7EXAMPLE" not in page.text
    assert "1 found among 1 messages" in text(page.text)
    assert not [one for one in await world.hub.journal.entries(0, 100) if "AKIA" in one.line]


async def test_a_search_is_bounded_and_goes_on_where_it_stopped() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "the needle")
    for _ in range(SEARCHED):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, "hay")
    first = await world.hub.threads.search(OWNER, mine, "needle")
    assert (first.looked, [*first.letters]) == (SEARCHED, [])
    assert first.older is not None
    second = await world.hub.threads.search(OWNER, mine, "needle", before=first.older)
    assert [letter.message.id for letter in second.letters] == [1]
    assert second.older is None
    many = await world.hub.threads.search(OWNER, mine, "hay")
    assert len(many.letters) == PAGE
    more = await world.hub.threads.search(OWNER, mine, "hay", before=many.older)
    assert more.letters[0].message.id == many.letters[-1].message.id - 1


async def test_the_search_box_refuses_what_is_no_line_and_no_type() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    for words in ({"query": "x" * 201}, {"query": "a\nb"}, {"action_type": "order"}):
        with pytest.raises(Invalid):
            await world.hub.threads.search(OWNER, mine, **words)  # type: ignore[arg-type]
    async with site(world) as s, s.browser() as browser:
        for bad in ("?before=x", "?before=-1", f"?before={'9' * 17}", f"?before={quote('٣')}", "?reply_to=x"):
            assert (await browser.get(f"/conversations/{mine}{bad}")).status_code == 422, bad
        assert (await browser.get("/conversations/conv_000000000000")).status_code == 404
        assert (await browser.get("/conversations/conv_000000000000/thread")).status_code == 404
        assert (await browser.get("/conversations/conv_000000000000/members")).status_code == 404


async def test_reading_a_conversation_is_one_entry_however_often_the_page_looks_again() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "hello")
    async with site(world) as s, s.browser() as browser:
        for part in ("", "/thread", "/members", "/thread", "?before=9"):
            assert (await browser.get(f"/conversations/{mine}{part}")).status_code == 200
        assert await entries(world, "message.show") == 1
        async with s.browser() as other:
            assert "hello" in (await other.get(f"/conversations/{mine}/thread")).text
        assert await entries(world, "message.show") == 2
        world.clock.advance(OPENED_SECONDS + 1)
        await browser.get(f"/conversations/{mine}/thread")
        assert await entries(world, "message.show") == 3


async def test_a_page_is_told_when_its_conversation_moves_and_not_of_others() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    other = await world.hub.conversations.create(agent("carol"), "one role", "other role")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}")
        found = re.search(r'hx-sse:connect="([^"]+)"', page.text)
        assert found
        assert f"conversation={mine}" in found[1]
        head = (await world.hub.journal.head()).size
        async with events(browser, after=head, topics="messages", conversation=mine) as stream:
            await world.hub.messages.speak(OWNER, other.conversation.id, "elsewhere")
            await world.hub.messages.speak(OWNER, mine, "here")
            event, _ = await stream.next()
            assert (event, stream.last) == ("mab-messages", str(head + 2))


async def test_conversations_are_listed_newest_first_and_filtered_by_the_address() -> None:
    world = memory_hub(UNLIMITED)
    first = await talk(world)
    world.clock.advance(2 * 3_600)
    second = (await world.hub.conversations.create(agent("dora"), "reviewer", "author")).conversation.id
    async with site(world) as s, s.browser() as browser:
        page = (await browser.get("/conversations")).text
        assert page.index(second) < page.index(first)
        found = (await browser.get("/conversations?q=Reviewer")).text
        assert (first in found, second in found) == (False, True)
        assert (second in (await browser.get("/conversations?state=expired")).text) is False
    world.clock.advance(2 * 3_600)
    async with site(world) as s, s.browser() as browser:
        live, expired = [(await browser.get(f"/conversations?state={one}")).text for one in ("live", "expired")]
        assert [(first in one, second in one) for one in (live, expired)] == [(False, True), (True, False)]
        odd = await browser.get('/conversations?state="><script>&q="><script>')
        assert odd.status_code == 200
        assert 'name="q" value="&#34;&gt;&lt;script&gt;"' in odd.text


async def test_every_conversation_is_reached_in_pages_and_a_page_looks_at_so_many() -> None:
    world = memory_hub(UNLIMITED)
    made = [
        (
            await world.hub.conversations.create(agent(f"n{n}"), "needle" if n == 0 else "backend", "frontend")
        ).conversation.id
        for n in range(LOOKED + 5)
    ]
    seen: list[str] = []
    before: str | None = None
    while before != "":
        found = await world.hub.threads.list(OWNER, before=before)
        assert len(found.scenes) <= LISTED
        seen += [one.conversation.id for one in found.scenes]
        before = found.older
    assert seen == made[::-1]
    first = await world.hub.threads.list(OWNER, words="needle")
    assert not first.scenes
    assert first.older == made[5]
    second = await world.hub.threads.list(OWNER, words="needle", before=first.older)
    assert [one.conversation.id for one in second.scenes] == [made[0]]
    async with site(world) as s, s.browser() as browser:
        assert "Look further back" in (await browser.get("/conversations?q=needle")).text


async def test_an_auditor_sees_no_conversation_and_no_task() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser(person("auditor")) as browser:
        for path in ("/conversations", f"/conversations/{mine}", f"/conversations/{mine}/thread", "/tasks"):
            assert (await browser.get(path)).status_code == 403, path
        refused = await s.post(browser, f"/conversations/{mine}/speak", message="typed")
        assert refused.status_code == 403
        assert "typed</textarea>" in refused.text
