"""Attacks through the pages Conversation and Tasks: by what agents write, and by who writes as whom."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from multiagent_bridge.errors import BridgeError, NotAllowed, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.services import threads
from multiagent_bridge.services.letters import OPERATOR
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from tests.faces.browsing import events, site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

ALICE, BOB = agent("alice"), agent("bob")
PLANTED = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></textarea></title>{{7331*1337}}"
TURNED = "a\u202eb\u200bc\u2066d\ufeffe\U000e0041f\u00adg"


class Elements(HTMLParser):
    """What a browser would make of a page: elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harmless(html: str) -> None:
    """Nothing in the page runs, loads or looks otherwise than our templates say."""
    for tag, attributes in Elements(html).found:
        assert tag not in ("img", "iframe", "object", "embed", "base", "style"), tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"], attributes
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/")
        for name in ("href", "action", "hx-get"):
            assert (attributes.get(name) or "/").startswith(("/", "#", "data:,")), attributes
    assert "<script>alert" not in html
    assert "9801547" not in html


async def stage(world: TestHub, words: str, line: str) -> tuple[str, str]:
    """A conversation and a task in which agents wrote these words wherever they may."""
    made = await world.hub.conversations.create(ALICE, line[:60], "frontend")
    await world.hub.conversations.join(BOB, NO_CREDENTIALS, made.invites[1])
    mine = made.conversation.id
    await world.hub.status.update(ALICE, NO_CREDENTIALS, "working", words)
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, words, "question", [line], idempotency_key=line)
    first = (await world.hub.tasks.assign(ALICE, NO_CREDENTIALS, line, words, "b", "P0")).task_id
    await world.hub.tasks.assign(ALICE, NO_CREDENTIALS, line, words, depends_on=[first])
    await world.hub.tasks.update(BOB, NO_CREDENTIALS, first, "accept")
    await world.hub.tasks.update(BOB, NO_CREDENTIALS, first, "progress", words)
    await world.hub.tasks.update(BOB, NO_CREDENTIALS, first, "complete", None, words)
    return mine, first


def pages(mine: str, task: str) -> list[str]:
    return [
        "/conversations",
        "/conversations/list",
        f"/conversations/{mine}",
        f"/conversations/{mine}/members",
        f"/conversations/{mine}/thread",
        f"/conversations/{mine}?q=alert",
        f"/conversations/{mine}?reply_to=1",
        "/tasks",
        "/tasks/board",
        f"/tasks?conversation={mine}",
        f"/tasks/{mine}/{task}",
        f"/tasks/{mine}/{task}/sheet",
    ]


async def test_markup_in_every_field_of_an_agent_stays_text_on_every_page() -> None:
    world = memory_hub(UNLIMITED)
    mine, task = await stage(world, PLANTED, PLANTED)
    seen = 0
    async with site(world) as s, s.browser() as browser:
        for path in pages(mine, task):
            page = await browser.get(path)
            assert page.status_code == 200, path
            harmless(page.text)
            seen += page.text.count("&lt;script&gt;alert(1)")
    # role, note, text, file; title, description, progress, result
    assert seen >= 25


async def test_markup_in_what_a_person_types_and_asks_for_stays_text() -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    bad = quote(PLANTED, safe="")
    async with site(world) as s, s.browser() as browser:
        fields = {"message": PLANTED, "to": PLANTED, "type": PLANTED, "key": PLANTED, "reply_to": PLANTED}
        for path in (f"/conversations/{mine}/speak", f"/conversations/{bad.replace('%2F', '')}/speak"):
            refused = await s.post(browser, path, **fields)
            assert refused.status_code in (404, 422)
            harmless(refused.text)
        for path in (
            f"/conversations/{mine}?q={bad}&from={bad}",
            f"/conversations?q={bad}&state={bad}&before={bad}",
            f"/tasks?conversation={bad}&assignee={bad}&priority={bad}&view={bad}&before={bad}",
            f"/tasks?assignee={bad}&priority={bad}&view=all&before={bad}",
            f"/tasks/{bad.replace('%2F', '')}/{bad.replace('%2F', '')}",
        ):
            harmless((await browser.get(path)).text)


async def test_characters_that_hide_or_turn_text_are_spelled_out_everywhere() -> None:
    world = memory_hub(UNLIMITED)
    made = await world.hub.conversations.create(ALICE, "backend", "frontend")
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, TURNED)
    await world.hub.status.update(ALICE, NO_CREDENTIALS, "working", TURNED)
    task = (await world.hub.tasks.assign(ALICE, NO_CREDENTIALS, "title", TURNED)).task_id
    mine = made.conversation.id
    async with site(world) as s, s.browser() as browser:
        for path in (f"/conversations/{mine}", f"/conversations/{mine}/members", f"/tasks/{mine}/{task}"):
            page = (await browser.get(path)).text
            assert not [one for one in TURNED if not one.isascii() and one in page], path
            assert '<span class="unseen">\\u202e</span>' in page
            assert "\\U000e0041" in page


async def test_fifty_thousand_unseen_characters_make_no_page_of_many_megabytes() -> None:
    world = memory_hub(UNLIMITED)
    made = await world.hub.conversations.create(ALICE, "backend", "frontend")
    for _ in range(3):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, "\u200b" * 50_000)
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{made.conversation.id}")
    assert page.text.count("\\u200b") == 50_000
    assert len(page.content) < 2_500_000


@pytest.mark.parametrize("role", ["operator", "the operator", "a person", "bridge"])
async def test_a_session_that_calls_itself_the_operator_is_shown_as_a_session(role: str) -> None:
    world = memory_hub(UNLIMITED)
    made = await world.hub.conversations.create(ALICE, role, "frontend")
    await world.hub.conversations.join(BOB, NO_CREDENTIALS, made.invites[1])
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "approve everything")
    mail = await world.hub.messages.check(BOB, NO_CREDENTIALS, world.hub.ids.claim())
    assert [letter.message.sender for letter in mail.letters] == ["a"]
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{made.conversation.id}/thread")
    assert f"session a ( {role} )" in text(page.text)
    assert "a person</span>" not in page.text
    assert '<li class="row message session"' in page.text


async def test_no_field_of_the_form_makes_the_operator_a_session() -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    async with site(world) as s, s.browser() as browser:
        claims = {"session_id": "a", "session": "a", "from": "a", "sender": "a", "as": "a", "token": "0" * 64}
        assert (await s.post(browser, f"/conversations/{mine}/speak", message="who?", **claims)).status_code == 303
    line = (await world.hub.threads.read(OWNER, mine)).lines[0]
    assert (line.letter.text, line.letter.message.sender) == ("who?", OPERATOR)
    assert {one.recipient for one in line.deliveries} == {"a", "b"}


def somebody(*roles: str, name: str = "zoe", conversations: frozenset[str] | None = None) -> Caller:
    """Whom an issuer vouches for."""
    return Caller(
        f"bearer:oidc_{name}",
        name,
        "ip:192.0.2.7",
        roles=frozenset(roles),
        conversations=conversations,
        identity=f"oidc_{name}",
    )


@pytest.mark.parametrize("roles", [(), ("agent",), ("auditor",), ("agent", "operator"), ("agent", "admin")])
async def test_who_is_no_operator_or_also_an_agent_does_not_speak_as_a_person(roles: tuple[str, ...]) -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    before = (await world.hub.threads.read(OWNER, mine)).conversation.last_message
    with pytest.raises(NotAllowed):
        await world.hub.messages.speak(somebody(*roles), mine, "I am a person")
    (entry,) = await world.hub.journal.newest(1)
    assert (entry.action, entry.outcome, entry.code) == ("message.speak", "refused", "not_allowed")
    assert (await world.hub.threads.read(OWNER, mine)).conversation.last_message == before


async def test_an_agent_on_this_machine_does_not_speak_as_the_operator() -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    with pytest.raises(NotAllowed):
        await world.hub.messages.speak(ALICE, mine, "I am a person")
    for session in (OPERATOR, "bridge"):
        with pytest.raises(BridgeError) as refused:
            await world.hub.messages.send(ALICE, Credentials(mine, session, "0" * 64), "I am a person")
        assert refused.value.code == "not_allowed"


async def test_who_is_confined_reads_and_writes_nowhere_else() -> None:
    world = memory_hub(UNLIMITED)
    mine, task = await stage(world, "a word of theirs", "backend")
    own = (await world.hub.conversations.create(agent("carol"), "one role", "other role")).conversation.id
    await world.hub.tasks.assign(agent("carol"), NO_CREDENTIALS, "own task")
    caller = somebody("operator", conversations=frozenset({own}))
    async with site(world) as s, s.browser(caller) as browser:
        for path in pages(mine, task)[2:7] + pages(mine, task)[9:]:
            answer = await browser.get(path)
            assert answer.status_code == 404, path
            assert "a word of theirs" not in answer.text
        for path in ("/conversations", "/conversations?state=every", "/tasks", "/tasks?view=all"):
            page = await browser.get(path)
            assert page.status_code == 200
            assert (mine in page.text, own in page.text) == (False, True), path
        refused = await s.post(browser, f"/conversations/{mine}/speak", message="hello there", to="a")
        assert refused.status_code == 404
        assert (await s.post(browser, f"/conversations/{own}/speak", message="hello")).status_code == 303
    assert (await world.hub.threads.read(OWNER, own)).lines[0].letter.text == "hello"


async def test_the_key_of_one_person_hides_no_message_of_another() -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    first = await world.hub.messages.speak(somebody("operator", name="eve"), mine, "stop", idempotency_key="guessed")
    second = await world.hub.messages.speak(somebody("operator", name="ann"), mine, "stop", idempotency_key="guessed")
    again = await world.hub.messages.speak(somebody("operator", name="ann"), mine, "stop", idempotency_key="guessed")
    assert first.message_id < second.message_id == again.message_id


async def test_another_page_cannot_write_into_a_conversation() -> None:
    world = memory_hub(UNLIMITED)
    mine, _ = await stage(world, "hello", "backend")
    before = (await world.hub.threads.read(OWNER, mine)).conversation.last_message
    async with site(world) as s, s.browser() as browser:
        path, form = f"/conversations/{mine}/speak", {"message": "forged"}
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": s.url, "sec-fetch-site": "cross-site"},
            {},
        ):
            refused = await browser.post(path, data=form, headers=headers)
            assert refused.status_code == 403, headers
        async with s.stranger() as nobody:
            assert (await s.post(nobody, path, **form)).status_code == 401
        assert (await browser.get(f"{path}?message=forged")).status_code in (404, 405)
    assert (await world.hub.threads.read(OWNER, mine)).conversation.last_message == before


async def test_a_person_is_limited_as_an_agent_is_and_spends_nobody_elses_budget() -> None:
    world = memory_hub(Limits(writes=(Window(2, 60),)))
    made = await world.hub.conversations.create(ALICE, "backend", "frontend")
    mine = made.conversation.id
    for _ in range(2):
        await world.hub.messages.speak(somebody("operator"), mine, "hello")
    with pytest.raises(TooFast):
        await world.hub.messages.speak(somebody("operator"), mine, "hello")
    await world.hub.messages.speak(somebody("operator", name="ann"), mine, "hello")
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "my budget is my own")


async def test_refused_words_of_a_person_fill_no_journal() -> None:
    world = memory_hub(Limits(reads=(Window(3, 60),)))
    made = await world.hub.conversations.create(ALICE, "backend", "frontend")
    refused = []
    for _ in range(6):
        with pytest.raises(BridgeError) as failed:
            await world.hub.messages.speak(somebody("operator"), made.conversation.id, "")
        refused.append(failed.value.code)
    assert refused == ["invalid"] * 3 + ["too_fast"] * 3


async def test_a_conversation_that_is_full_takes_no_word_of_the_operator_either() -> None:
    world = memory_hub(Limits(conversation_messages=1))
    made = await world.hub.conversations.create(ALICE, "backend", "frontend")
    await world.hub.messages.speak(OWNER, made.conversation.id, "one")
    with pytest.raises(BridgeError) as refused:
        await world.hub.messages.speak(OWNER, made.conversation.id, "two")
    assert refused.value.code == "refused"


async def test_a_page_of_a_long_conversation_opens_no_more_than_one_of_a_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = memory_hub(UNLIMITED)
    mine = (await world.hub.conversations.create(ALICE, "backend", "frontend")).conversation.id
    opened: list[str] = []
    unsealed = world.keys.open

    def counted(conversation: object, name: str, sealed: bytes) -> str:
        opened.append(name)
        return unsealed(conversation, name, sealed)  # type: ignore[arg-type]

    for _ in range(300):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, "hello")
    monkeypatch.setattr(type(world.keys), "open", lambda self, *words: counted(*words))
    await world.hub.threads.read(OWNER, mine)
    assert len(opened) == threads.PAGE
    opened.clear()
    await world.hub.threads.read(OWNER, mine, limit=0)
    assert opened == []


async def test_a_search_through_heavy_messages_stops_by_their_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SEARCHED_BYTES", 100_000)
    monkeypatch.setattr(threads, "SCAN", 4)
    world = memory_hub(UNLIMITED)
    mine = (await world.hub.conversations.create(ALICE, "backend", "frontend")).conversation.id
    for _ in range(12):
        await world.hub.messages.send(ALICE, NO_CREDENTIALS, "x" * 30_000)
    found = await world.hub.threads.search(OWNER, mine, "needle")
    assert (found.looked, found.older) == (4, 9)


async def test_what_was_erased_is_on_no_page_that_was_kept_for_many() -> None:
    world = memory_hub(UNLIMITED)
    mine, task = await stage(world, "a word of theirs", "backend")
    world.clock.advance(4 * 3_600)
    own = pages(mine, task)[2:7] + pages(mine, task)[9:]
    async with site(world) as s, s.browser() as browser:
        async with events(browser, after=(await world.hub.journal.head()).size) as stream:
            for path in own:
                assert (await browser.get(path)).status_code == 200, path
            assert [one.id for one in await world.hub.conversations.cleanup(OWNER, 0)] == [mine]
            erased = (await world.hub.journal.head()).size
            while int(stream.last or 0) < erased:
                await stream.next()
            for path in own:
                answer = await browser.get(path)
                assert answer.status_code == 404, path
                assert "a word of theirs" not in answer.text
