from __future__ import annotations

import anyio
import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, Refused, TooFast
from multiagent_bridge.guard.redact import Redacted
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .conftest import Pair, paired

pytestmark = pytest.mark.anyio

PLENTY = (Window(100_000, 60),)


def texts(mail: object) -> list[str]:
    return [letter.text for letter in mail.letters]  # type: ignore[attr-defined]


async def test_what_is_sent_is_read_once_by_the_partner(pair: Pair) -> None:
    sent = await pair.send(pair.alice, "hello", files_involved=["a.py"], action_type="question")
    assert sent.fields() == {
        "message_id": 1, "status": "sent", "redacted": False, "redactions": [], "to": ["b"], "unread": 0,
    }  # fmt: skip
    mail = await pair.check(pair.bob)
    (row,) = mail.fields()["messages"]  # type: ignore[misc]
    assert (row["id"], row["from"], row["role"], row["message"]) == (1, "a", "backend", "hello")
    assert (row["action_type"], row["files_involved"], row["reply_to"]) == ("question", ["a.py"], None)
    assert mail.unread == 0
    assert texts(await pair.check(pair.bob)) == []


async def test_mail_whose_answer_was_not_written_is_unread_again(pair: Pair) -> None:
    await pair.send(pair.alice, "do not lose me")
    claim = pair.hub.ids.claim()
    mail = await pair.hub.messages.check(pair.bob, NO_CREDENTIALS, claim)
    assert texts(mail) == ["do not lose me"]
    assert texts(await pair.check(pair.bob)) == []
    await pair.hub.messages.release(pair.bob, claim)
    assert texts(await pair.check(pair.bob)) == ["do not lose me"]


async def test_mail_of_a_reader_that_vanished_comes_again_after_a_minute(pair: Pair) -> None:
    await pair.send(pair.alice, "held by a dead process")
    assert texts(await pair.check(pair.bob, confirmed=False)) == ["held by a dead process"]
    pair.clock.advance(59)
    assert texts(await pair.check(pair.bob)) == []
    pair.clock.advance(2)
    assert texts(await pair.check(pair.bob)) == ["held by a dead process"]


async def test_a_restarted_hub_gives_back_what_it_never_wrote(pair: Pair) -> None:
    await pair.send(pair.alice, "claimed before the crash")
    await pair.check(pair.bob, confirmed=False)
    await pair.hub.messages.recover(OWNER, "test")
    assert texts(await pair.check(pair.bob)) == ["claimed before the crash"]


async def test_an_answer_that_crossed_with_its_cancellation_is_unread_again(pair: Pair) -> None:
    await pair.send(pair.alice, "crossed")
    mail = await pair.check(pair.bob)
    await pair.hub.messages.unconfirm(pair.bob, mail)
    assert texts(await pair.check(pair.bob)) == ["crossed"]


async def test_without_auto_ack_messages_come_again_until_acknowledged(pair: Pair) -> None:
    for text in ("one", "two", "three"):
        await pair.send(pair.alice, text)
    assert texts(await pair.check(pair.bob, auto_ack=False)) == ["one", "two", "three"]
    again = await pair.check(pair.bob, auto_ack=False, ack_through=2)
    assert (texts(again), again.unread) == (["three"], 1)
    assert texts(await pair.check(pair.bob, ack_through=3)) == []


async def test_history_shows_again_what_was_read_and_marks_nothing(pair: Pair) -> None:
    for text in ("one", "two", "three"):
        await pair.send(pair.alice, text)
    await pair.check(pair.bob, limit=2)
    assert texts(await pair.check(pair.bob, history=True)) == ["one", "two"]
    assert texts(await pair.check(pair.bob, history=True, before=2)) == ["one"]
    assert texts(await pair.check(pair.bob)) == ["three"]


async def test_a_query_finds_every_word_in_text_and_file_names_and_marks_nothing(pair: Pair) -> None:
    await pair.send(pair.alice, "The LOGIN page is broken", files_involved=["src/login.tsx"])
    await pair.send(pair.alice, "tests are green")
    assert texts(await pair.check(pair.bob, query="broken login")) == ["The LOGIN page is broken"]
    assert texts(await pair.check(pair.bob, query="login.tsx")) == ["The LOGIN page is broken"]
    assert texts(await pair.check(pair.bob, query="absent")) == []
    assert len((await pair.check(pair.bob)).letters) == 2


async def test_a_query_reaches_past_one_scan_of_many_messages(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(writes=PLENTY)))
    await pair.send(pair.alice, "needle at the bottom")
    for number in range(520):
        await pair.send(pair.alice, f"hay {number}")
    assert texts(await pair.check(pair.bob, query="needle")) == ["needle at the bottom"]


async def test_a_waiting_check_returns_when_mail_comes(pair: Pair) -> None:
    found = []

    async def wait() -> None:
        found.extend(texts(await pair.check(pair.bob, wait_seconds=50)))

    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await pair.send(pair.alice, "wake up")
    assert found == ["wake up"]


async def test_mail_that_comes_between_the_first_look_and_the_listening_is_not_missed(pair: Pair) -> None:
    bell = pair.hub.bell
    listen = bell.listen

    def late(topic: str) -> object:
        # the sender slips in between: after the first look, before anyone listens
        group.start_soon(pair.send, pair.alice, "in between")
        return listen(topic)

    pair.hub.messages._bell = type("Bell", (), {"listen": staticmethod(late), "ring": staticmethod(bell.ring)})()
    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            assert texts(await pair.check(pair.bob, wait_seconds=50)) == ["in between"]


async def test_a_cancelled_wait_leaves_later_mail_unread(pair: Pair) -> None:
    with anyio.move_on_after(0.05):
        await pair.check(pair.bob, wait_seconds=50)
    await pair.send(pair.alice, "after the cancellation")
    assert texts(await pair.check(pair.bob)) == ["after the cancellation"]


async def test_two_readers_racing_for_one_session_never_both_get_a_message(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(writes=PLENTY, reads=PLENTY)))
    for number in range(60):
        await pair.send(pair.alice, str(number))
    got: list[str] = []

    async def read() -> None:
        while mail := texts(await pair.check(pair.bob, limit=3)):
            got.extend(mail)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(read)
    assert sorted(got, key=int) == [str(number) for number in range(60)]


async def test_the_same_idempotency_key_stores_one_message(pair: Pair) -> None:
    first = await pair.send(pair.alice, "once", idempotency_key="k1")
    second = await pair.send(pair.alice, "once", idempotency_key="k1")
    assert first.message_id == second.message_id
    assert texts(await pair.check(pair.bob)) == ["once"]
    with pytest.raises(Conflict):
        await pair.send(pair.alice, "something else", idempotency_key="k1")
    assert (await pair.send(pair.bob, "mine", idempotency_key="k1")).message_id == 2


async def test_in_a_larger_conversation_everyone_else_or_the_named_are_reached(anyio_backend: str) -> None:
    pair = await paired(memory_hub(), "reviewer")
    carol = agent("carol")
    await pair.hub.conversations.join(carol, NO_CREDENTIALS, pair.made.invites[2])
    assert (await pair.send(pair.alice, "all")).to == ["b", "c"]
    assert (await pair.send(pair.alice, "by role", to=["Reviewer"])).to == ["c"]
    assert (await pair.send(pair.alice, "by id", to="b")).to == ["b"]
    assert texts(await pair.check(pair.bob)) == ["all", "by id"]
    assert texts(await pair.check(carol)) == ["all", "by role"]
    with pytest.raises(Invalid):
        await pair.send(pair.alice, "nobody", to=["dba"])
    with pytest.raises(Invalid):
        await pair.send(pair.alice, "myself", to=["a"])


async def test_the_sender_sees_what_was_stored_delivered_and_acknowledged(pair: Pair) -> None:
    conversation = pair.made.conversation.id

    async def states() -> list[str]:
        return [d.state for _, stands in await pair.hub.messages.list(OWNER, conversation, 0, 10) for d in stands]

    await pair.send(pair.alice, "watch me")
    assert await states() == ["stored"]
    claim = pair.hub.ids.claim()
    await pair.hub.messages.check(pair.bob, NO_CREDENTIALS, claim)
    assert await states() == ["delivered"]
    await pair.hub.messages.confirm(claim)
    assert await states() == ["acknowledged"]


async def test_a_page_holds_no_more_than_a_reader_can_take_and_the_rest_stays_unread(pair: Pair) -> None:
    for _ in range(3):
        await pair.send(pair.alice, "x" * 40_000)
    mail = await pair.check(pair.bob)
    assert (len(mail.letters), mail.unread) == (2, 1)
    assert len((await pair.check(pair.bob)).letters) == 1


@pytest.mark.parametrize(
    "words",
    [
        {"message": "x" * 50_001},
        {"message": ""},
        {"message": None},
        {"message": 7},
        {"message": "a\x00b"},
        {"message": "a\ud800b"},
        {"message": "ok", "files_involved": [f"f{n}" for n in range(21)]},
        {"message": "ok", "files_involved": ["a\nb"]},
        {"message": "ok", "files_involved": 5},
        {"message": "ok", "action_type": "order"},
        {"message": "ok", "reply_to": 99},
        {"message": "ok", "reply_to": True},
        {"message": "ok", "idempotency_key": "k" * 201},
        {"message": "ok", "to": [7]},
    ],
)
async def test_words_that_are_not_valid_store_nothing_and_leave_an_entry(pair: Pair, words: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        await pair.hub.messages.send(pair.alice, NO_CREDENTIALS, **words)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert texts(await pair.check(pair.bob)) == []
    (entry,) = await pair.hub.journal.newest(1)
    assert (entry.action, entry.outcome, entry.code) == ("message.send", "refused", "invalid")
    assert entry.actor == f"session {pair.made.conversation.id}/a"


@pytest.mark.parametrize(
    "words",
    [
        {"wait_seconds": 51},
        {"wait_seconds": -1},
        {"wait_seconds": "5"},
        {"limit": 0},
        {"limit": 101},
        {"ack_through": -1},
        {"auto_ack": "yes"},
        {"history": 1},
        {"before": 0},
        {"query": ""},
        {"query": "x" * 201},
    ],
)
async def test_a_check_with_invalid_words_is_refused(pair: Pair, words: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await pair.check(pair.bob, **words)


async def test_a_stranger_learns_nothing_about_its_words(pair: Pair) -> None:
    given = Credentials(pair.made.conversation.id, "a", "0" * 64)
    with pytest.raises(NotAllowed):
        await pair.hub.messages.send(agent("mallory"), given, "x" * 50_001)


async def test_the_eleventh_write_of_a_minute_is_refused_with_the_time_to_wait(pair: Pair) -> None:
    for number in range(10):
        await pair.send(pair.alice, str(number))
    with pytest.raises(TooFast) as refused:
        await pair.send(pair.alice, "one too many")
    assert 1 <= refused.value.retry_after <= 6
    assert (await pair.send(pair.bob, "my own budget")).message_id == 11
    pair.clock.advance(refused.value.retry_after)
    assert (await pair.send(pair.alice, "now")).message_id == 12


async def test_a_refused_send_costs_no_budget(pair: Pair) -> None:
    for _ in range(20):
        with pytest.raises(Invalid):
            await pair.send(pair.alice, "x", to=["nobody"])
    assert (await pair.send(pair.alice, "still there")).message_id == 1


async def test_a_clock_set_back_an_hour_blocks_nobody(pair: Pair) -> None:
    for number in range(10):
        await pair.send(pair.alice, str(number))
    pair.clock.jump(-3600)
    assert (await pair.send(pair.alice, "an hour earlier")).message_id == 11
    assert len((await pair.check(pair.bob)).letters) == 11


async def test_a_full_conversation_refuses_and_says_so(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(conversation_messages=2)))
    await pair.send(pair.alice, "1")
    await pair.send(pair.bob, "2")
    with pytest.raises(Refused, match="full"):
        await pair.send(pair.alice, "3")


async def test_a_conversation_over_its_bytes_refuses(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(conversation_bytes=1000)))
    await pair.send(pair.alice, "x" * 800)
    with pytest.raises(Refused, match="full"):
        await pair.send(pair.alice, "x" * 800)


async def test_secrets_never_reach_the_store_and_the_sender_is_told(pair: Pair) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    sent = await pair.send(pair.alice, f"use {key}", files_involved=[f"/tmp/{key}.txt"])
    assert sent.redactions == ["AWS_KEY"]
    assert sent.fields()["redacted"] is True
    (letter,) = (await pair.check(pair.bob)).letters
    assert key not in letter.text
    assert key not in letter.files[0]
    assert "AWS_KEY_REDACTED" in letter.text


async def test_text_that_cannot_be_checked_is_withheld_and_the_sender_is_told(anyio_backend: str) -> None:
    def broken(text: str, memory: object = None) -> Redacted:
        if "boom" in text:
            raise Refused("the text could not be checked for secrets in time", "send it in parts")
        return Redacted(text, ())

    pair = await paired(memory_hub(redact=broken))
    with pytest.raises(Refused):
        await pair.send(pair.alice, "boom")
    assert texts(await pair.check(pair.bob)) == []
    entry = next(e for e in await pair.hub.journal.entries() if e.outcome == "refused")
    assert (entry.action, entry.code) == ("message.send", "refused")


async def test_a_body_moved_to_another_place_does_not_decrypt(pair: Pair) -> None:
    sealed = pair.world.keys.seal(pair.made.conversation, "messages/body/1", "secret")
    assert pair.world.keys.open(pair.made.conversation, "messages/body/1", sealed) == "secret"
    from multiagent_bridge.errors import Tampered

    with pytest.raises(Tampered):
        pair.world.keys.open(pair.made.conversation, "messages/body/2", sealed)


async def test_every_act_is_one_entry_and_the_journal_verifies(pair: Pair) -> None:
    await pair.send(pair.alice, "hello")
    await pair.check(pair.bob)
    await pair.check(pair.bob)
    actions = [entry.action for entry in await pair.hub.journal.entries()]
    assert actions == ["conversation.create", "conversation.join", "message.send", "message.deliver"]
    assert (await pair.hub.journal.verify()).size == 4
