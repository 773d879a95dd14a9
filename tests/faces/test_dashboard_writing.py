"""What a person writes into a conversation from its page: who it comes from, whom it reaches, and that no word is lost."""

from __future__ import annotations

import re
from html import unescape

import pytest

from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.services.letters import OPERATOR
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from tests.faces.browsing import site, text
from tests.faces.http_yard import UNLIMITED
from tests.faces.test_dashboard_conversations import ALICE, BOB, talk

pytestmark = pytest.mark.anyio


async def test_the_operator_writes_as_the_operator_and_every_session_reads_it() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser() as browser:
        async with world.hub.bell.listen(f"inbox:{mine}/b") as ear:
            done = await s.post(browser, f"/conversations/{mine}/speak", message="use the v2 schema\r\nplease")
            assert await ear.wait(60.0)
        assert (done.status_code, done.headers["location"]) == (303, f"/conversations/{mine}")
        page = await browser.get(f"/conversations/{mine}")
    for who in (ALICE, BOB):
        (letter,) = (await world.hub.messages.check(who, NO_CREDENTIALS, world.hub.ids.claim())).letters
        fields = letter.fields()
        assert (fields["from"], fields["role"]) == (OPERATOR, "a person")
        assert fields["message"] == "use the v2 schema\nplease"
    assert "the operator a person info" in text(page.text)
    entry = next(one for one in await world.hub.journal.newest(10) if one.action == "message.send")
    assert (entry.conversation, entry.session) == (mine, OPERATOR)
    assert entry.actor.startswith("identity browser_")
    assert (await world.hub.audit.verify(OWNER)).messages == 1


async def test_what_the_operator_says_reaches_whom_it_is_for_and_can_be_a_reply() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world, "database")
    await world.hub.messages.send(ALICE, NO_CREDENTIALS, "which schema?", "question")
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}?reply_to=1")
        assert 'name="reply_to" inputmode="numeric" value="1"' in page.text
        sent = await s.post(
            browser, f"/conversations/{mine}/speak", message="v2", to="c", type="proposal", reply_to="1"
        )
        assert sent.status_code == 303
    line = (await world.hub.threads.read(OWNER, mine)).lines[0]
    assert [one.recipient for one in line.deliveries] == ["c"]
    assert (line.letter.message.reply_to, line.letter.message.action_type) == (1, "proposal")


async def test_secrets_that_a_person_types_are_redacted_like_those_of_agents() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser() as browser:
        await s.post(browser, f"/conversations/{mine}/speak", message="use AKIAIOSFODNN7EXAMPLE")
    (line,) = (await world.hub.threads.read(OWNER, mine)).lines
    assert line.letter.text == "use AWS_KEY_REDACTED"


async def test_a_refused_message_comes_back_with_every_word() -> None:
    world = memory_hub(Limits(writes=(Window(1, 60),)))
    mine = await talk(world)
    typed = '\n  <b>"quoted" & spaced</b>\n</textarea>\n'
    async with site(world) as s, s.browser() as browser:
        assert (await s.post(browser, f"/conversations/{mine}/speak", message="first")).status_code == 303
        refused = await s.post(browser, f"/conversations/{mine}/speak", message=typed, to="b", type="question", key="k")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", refused.text, re.DOTALL)
    assert found
    assert unescape(found[1]) == typed
    assert re.search(r'value="b" checked', refused.text)
    assert '<option value="question" selected>' in refused.text
    assert 'name="key" value="k"' in refused.text
    assert (await world.hub.threads.read(OWNER, mine)).conversation.messages == 1


@pytest.mark.parametrize(
    "words",
    [
        {"message": ""},
        {"message": "x" * 50_001},
        {"message": "two\u2028lines, and a \u200b"} | {"to": "nobody here"},
        {"message": "typed", "type": "order"},
        {"message": "typed", "reply_to": "77"},
        {"message": "typed", "key": "k" * 300},
        {"to": "b"},
    ],
)
async def test_bad_words_are_refused_written_down_and_kept(words: dict[str, str]) -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser() as browser:
        refused = await s.post(browser, f"/conversations/{mine}/speak", **words)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert f"\n{words.get('message', '')}</textarea>" in refused.text
    (entry,) = [one for one in await world.hub.journal.newest(3) if one.action == "message.speak"]
    assert (entry.outcome, entry.code) == ("refused", "invalid")
    assert (await world.hub.threads.read(OWNER, mine)).conversation.messages == 0


async def test_a_number_that_is_none_is_refused_before_anything_is_sent() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser() as browser:
        refused = await s.post(browser, f"/conversations/{mine}/speak", message="typed", reply_to="first")
    assert refused.status_code == 422
    assert "typed</textarea>" in refused.text
    assert (await world.hub.threads.read(OWNER, mine)).conversation.messages == 0


async def test_a_message_into_an_expired_or_missing_conversation_is_refused_and_kept() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    world.clock.advance(4 * 3_600)
    async with site(world) as s, s.browser() as browser:
        expired = await s.post(browser, f"/conversations/{mine}/speak", message="too late")
        page = await browser.get(f"/conversations/{mine}")
        gone = await s.post(browser, "/conversations/conv_000000000000/speak", message="to nobody", to="b")
    assert (expired.status_code, gone.status_code) == (403, 404)
    assert "too late</textarea>" in expired.text
    assert "to nobody</textarea>" in gone.text
    assert '<input type="hidden" name="to" value="b">' in gone.text
    assert "<textarea" not in page.text
    assert "It has expired" in text(page.text)


async def test_the_same_form_sent_twice_is_one_message_and_other_words_are_another() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    async with site(world) as s, s.browser() as browser:
        page = await browser.get(f"/conversations/{mine}")
        found = re.search(r'name="key" value="([^"]+)"', page.text)
        assert found
        for words in ("once", "once", "twice"):
            done = await s.post(browser, f"/conversations/{mine}/speak", message=words, key=found[1])
            assert done.status_code == 303
    lines = (await world.hub.threads.read(OWNER, mine)).lines
    assert [line.letter.text for line in lines] == ["twice", "once"]


async def test_an_archive_brings_back_what_the_operator_said() -> None:
    world = memory_hub(UNLIMITED)
    mine = await talk(world)
    await world.hub.messages.speak(OWNER, mine, "remember this")
    archive = await world.hub.archives.export(OWNER, mine)
    again = await world.hub.archives.restore(OWNER, archive)
    (line,) = (await world.hub.threads.read(OWNER, again.conversation.id)).lines
    assert (line.letter.message.sender, line.letter.text) == (OPERATOR, "remember this")
