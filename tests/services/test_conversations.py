from __future__ import annotations

import re

import pytest

from multiagent_bridge.errors import Invalid, NotAllowed, NotFound, Refused, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .conftest import Pair, paired

pytestmark = pytest.mark.anyio


def credentials(pair: Pair, session: str) -> Credentials:
    index = [s.id for s in pair.made.sessions].index(session)
    return Credentials(pair.made.conversation.id, session, pair.made.tokens[index])


async def test_creating_gives_a_token_a_session_and_an_invite_a_partner(anyio_backend: str) -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend", ["reviewer"], 600)
    fields = made.fields()
    assert set(fields) == {
        "conversation_id", "session_id", "session_a_token", "session_b_token", "session_c_token", "sessions", "expires_at",
    }  # fmt: skip
    assert all(re.fullmatch(r"[0-9a-f]{64}", str(fields[f"session_{s}_token"])) for s in "abc")
    rows = fields["sessions"]
    assert [(r["session_id"], r["role"], r["invite"] is None) for r in rows] == [  # type: ignore[index,attr-defined]
        ("a", "backend", True),
        ("b", "frontend", False),
        ("c", "reviewer", False),
    ]


async def test_sessions_beyond_z_are_named_aa(anyio_backend: str) -> None:
    made = await memory_hub().hub.conversations.create(
        agent("alice"), "role 0", "role 1", [f"role {n}" for n in range(2, 28)]
    )
    assert [s.id for s in made.sessions][-3:] == ["z", "aa", "ab"]


@pytest.mark.parametrize(
    "words",
    [
        ("ab", "frontend", None, None),
        ("x" * 101, "frontend", None, None),
        ("back\nend", "frontend", None, None),
        ("back\u202eend", "frontend", None, None),
        (None, "frontend", None, None),
        ("backend", "frontend", 7, None),
        ("backend", "frontend", ["role"] * 63, None),
        ("backend", "frontend", None, 0),
        ("backend", "frontend", None, 10**9),
        ("backend", "frontend", None, "long"),
    ],
)
async def test_a_conversation_with_invalid_words_is_not_opened(anyio_backend: str, words: tuple[object, ...]) -> None:
    world = memory_hub()
    with pytest.raises(Invalid):
        await world.hub.conversations.create(agent("alice"), *words)
    (entry,) = await world.hub.journal.entries()
    assert (entry.action, entry.code) == ("conversation.create", "invalid")


async def test_an_invite_works_once_and_for_minutes(pair: Pair) -> None:
    with pytest.raises(NotAllowed):
        await pair.hub.conversations.join(agent("carol"), NO_CREDENTIALS, pair.made.invites[1])
    code = await pair.hub.conversations.invite(OWNER, pair.made.conversation.id, "b")
    pair.clock.advance(15 * 60 + 1)
    with pytest.raises(NotAllowed):
        await pair.hub.conversations.join(agent("carol"), NO_CREDENTIALS, code)


async def test_an_invite_may_be_typed_in_capitals_and_without_its_dash(anyio_backend: str) -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend")
    code = str(made.invites[1]).upper().replace("-", " ")
    assert (await world.hub.conversations.join(agent("bob"), NO_CREDENTIALS, code)).session.id == "b"


async def test_guessing_invites_meets_a_limiter_that_a_new_connection_does_not_reset(pair: Pair) -> None:
    refusals = []
    for number in range(40):
        with pytest.raises((NotAllowed, TooFast)) as refused:
            await pair.hub.conversations.join(agent(f"guesser {number}"), NO_CREDENTIALS, "00000-00000")
        refusals.append(refused.type)
    assert refusals[0] is NotAllowed
    assert refusals[-1] is TooFast


async def test_the_three_credentials_open_the_session_from_any_connection(pair: Pair) -> None:
    place = await pair.hub.conversations.join(agent("elsewhere"), credentials(pair, "b"))
    assert place.fields()["session_id"] == "b"
    sent = await pair.hub.messages.send(agent("never joined"), credentials(pair, "a"), "explicit")
    assert sent.to == ["b"]


@pytest.mark.parametrize(
    "token",
    ["0" * 64, "", "é" * 64, "\ud800" * 64, "a" * 100_000, "None"],
    ids=["wrong", "empty", "non-ascii", "surrogate", "over-long", "word"],
)
async def test_a_token_that_is_not_the_sessions_own_opens_nothing(pair: Pair, token: str) -> None:
    given = Credentials(pair.made.conversation.id, "a", token)
    with pytest.raises(NotAllowed):
        await pair.hub.messages.send(agent("mallory"), given, "hello")
    entry = (await pair.hub.journal.newest(1))[0]
    assert (entry.outcome, entry.code, entry.actor) == ("refused", "not_allowed", "agent mallory")


async def test_a_token_opens_no_other_session_and_no_other_conversation(pair: Pair) -> None:
    other = await pair.hub.conversations.create(agent("zoe"), "other one", "other two")
    token = pair.made.tokens[0]
    for given in (
        Credentials(pair.made.conversation.id, "b", token),
        Credentials(other.conversation.id, "a", token),
        Credentials("conv_000000000000", "a", token),
        Credentials("x" * 10_000, "a", token),
        Credentials(pair.made.conversation.id, "zz", token),
    ):
        with pytest.raises(NotAllowed) as refused:
            await pair.hub.messages.send(agent("mallory"), given, "hello")
        assert refused.value.sentence == "these credentials open no session"


async def test_failed_authentications_have_a_limiter_of_their_own_and_cost_the_owner_nothing(pair: Pair) -> None:
    given = Credentials(pair.made.conversation.id, "a", "0" * 64)
    refusals = []
    for _ in range(40):
        with pytest.raises((NotAllowed, TooFast)) as refused:
            await pair.hub.messages.send(agent("mallory"), given, "hello")
        refusals.append(refused.type)
    assert refusals[0] is NotAllowed
    assert refusals[-1] is TooFast
    for number in range(10):
        await pair.send(pair.alice, str(number))


async def test_a_bound_connection_may_leave_credentials_out_and_must_agree_with_them(pair: Pair) -> None:
    here = pair.made.conversation.id
    await pair.hub.messages.send(pair.alice, credentials(pair, "a"), "agreeing")
    await pair.hub.messages.send(pair.alice, Credentials(here, None, None), "by conversation")
    await pair.hub.messages.send(pair.alice, Credentials(None, "a", None), "by session")
    with pytest.raises(Refused):
        await pair.hub.messages.send(pair.alice, credentials(pair, "b"), "as somebody else")
    with pytest.raises(NotAllowed):
        await pair.hub.messages.send(pair.alice, Credentials(here, "b", None), "as somebody else, without a token")


async def test_a_connection_in_no_conversation_is_told_what_to_do(pair: Pair) -> None:
    with pytest.raises(NotAllowed, match="create_conversation"):
        await pair.hub.messages.send(agent("carol"), NO_CREDENTIALS, "hello")


async def test_a_connection_in_two_conversations_must_say_which(pair: Pair) -> None:
    second = await pair.hub.conversations.create(pair.alice, "lead role", "worker")
    with pytest.raises(Invalid, match="conversation_id"):
        await pair.send(pair.alice, "which one?")
    sent = await pair.hub.messages.send(pair.alice, Credentials(second.conversation.id, None, None), "this one")
    assert sent.message_id == 1
    places = (await pair.hub.conversations.list(pair.alice)).fields()
    assert len(places["conversations"]) == 2  # type: ignore[arg-type]


async def test_an_expired_conversation_is_closed_until_it_is_extended(pair: Pair) -> None:
    pair.clock.advance(3 * 3600)
    for given in (NO_CREDENTIALS, credentials(pair, "a")):
        with pytest.raises(Refused, match="expired"):
            await pair.hub.messages.send(pair.alice, given, "too late")
    assert (await pair.hub.conversations.list(pair.alice)).places == []
    await pair.hub.conversations.extend(OWNER, pair.made.conversation.id, None)
    assert (await pair.send(pair.alice, "alive again")).message_id == 1


async def test_rotation_ends_old_tokens_and_bindings_and_the_new_token_works(pair: Pair) -> None:
    old = credentials(pair, "a")
    ((_, token),) = await pair.hub.conversations.rotate(OWNER, pair.made.conversation.id, "a")
    for given in (old, NO_CREDENTIALS):
        with pytest.raises(NotAllowed):
            await pair.hub.messages.send(pair.alice, given, "old")
    fresh = Credentials(pair.made.conversation.id, "a", token)
    assert (await pair.hub.messages.send(agent("alice again"), fresh, "new")).message_id == 1
    assert (await pair.send(pair.bob, "untouched")).message_id == 2


async def test_revocation_ends_a_session_at_once_and_rotation_brings_it_back(pair: Pair) -> None:
    here = pair.made.conversation.id
    code = await pair.hub.conversations.invite(OWNER, here, "b")
    await pair.hub.conversations.revoke(OWNER, here, "b")
    for given in (credentials(pair, "b"), NO_CREDENTIALS):
        with pytest.raises(NotAllowed):
            await pair.hub.messages.check(pair.bob, given, pair.hub.ids.claim())
    with pytest.raises(NotAllowed):
        await pair.hub.conversations.join(agent("dave"), NO_CREDENTIALS, code)
    with pytest.raises(Refused, match="revoked"):
        await pair.send(pair.alice, "anybody there?")
    await pair.hub.conversations.rotate(OWNER, here, "b")
    assert (await pair.send(pair.alice, "welcome back")).to == ["b"]


async def test_an_agent_under_a_name_gets_its_conversations_back_on_a_new_connection(anyio_backend: str) -> None:
    world = memory_hub()
    first = agent("claude", alias=True)
    made = await world.hub.conversations.create(first, "backend", "frontend")
    again = agent("claude, restarted")
    again = type(again)(again.agent, "claude", again.peer, alias=first.alias)
    assert (await world.hub.messages.send(again, NO_CREDENTIALS, "I am back")).to == ["b"]
    stranger = agent("gemini", alias=True)
    with pytest.raises(NotAllowed):
        await world.hub.messages.send(stranger, Credentials(made.conversation.id, None, None), "hello")


async def test_a_namesake_does_not_act_as_a_session_that_a_live_connection_holds(anyio_backend: str) -> None:
    world = memory_hub()
    first = agent("claude", alias=True)
    second = type(first)(agent("second").agent, "claude", first.peer, alias=first.alias)
    await world.hub.conversations.create(first, "backend", "frontend")
    world.hub.presence.enter(first.agent)
    with pytest.raises(NotAllowed):
        await world.hub.messages.check(second, NO_CREDENTIALS, "test:1")
    world.hub.presence.leave(first.agent)
    await world.hub.messages.check(second, NO_CREDENTIALS, "test:2")


async def test_two_of_one_name_may_be_two_sessions_of_one_conversation(anyio_backend: str) -> None:
    world = memory_hub()
    first = agent("claude", alias=True)
    second = type(first)(agent("second").agent, "claude", first.peer, alias=first.alias)
    made = await world.hub.conversations.create(first, "backend", "frontend")
    await world.hub.conversations.join(second, NO_CREDENTIALS, made.invites[1])
    assert (await world.hub.messages.send(first, NO_CREDENTIALS, "to b")).to == ["b"]
    assert (await world.hub.messages.send(second, NO_CREDENTIALS, "to a")).to == ["a"]


async def test_cleanup_erases_what_has_expired_and_keeps_the_journal(pair: Pair) -> None:
    await pair.send(pair.alice, "to be erased")
    kept = await pair.hub.conversations.create(agent("zoe"), "other one", "other two", None, 10 * 3600)
    pair.clock.advance(4 * 3600)
    gone = await pair.hub.conversations.cleanup(OWNER, 0)
    assert [c.id for c in gone] == [pair.made.conversation.id]
    with pytest.raises(NotFound):
        await pair.hub.messages.list(OWNER, pair.made.conversation.id, 0, 10)
    assert (await pair.hub.conversations.show(OWNER, kept.conversation.id))[0].id == kept.conversation.id
    assert "message.send" in [e.action for e in await pair.hub.journal.entries()]
    await pair.hub.journal.verify()


async def test_only_the_owner_may_do_what_the_owner_does(pair: Pair) -> None:
    here = pair.made.conversation.id
    hub = pair.hub.conversations
    for attempt in (
        hub.tokens(pair.alice, here),
        hub.rotate(pair.alice, here, None),
        hub.revoke(pair.alice, here, "b"),
        hub.extend(pair.alice, here, None),
        hub.invite(pair.alice, here, "b"),
        hub.cleanup(pair.alice, 0),
        hub.show(pair.alice, here),
        pair.hub.messages.list(pair.alice, here, 0, 10),
    ):
        with pytest.raises(Refused):
            await attempt


async def test_what_the_owner_asks_of_an_unknown_conversation_is_not_found(pair: Pair) -> None:
    for attempt in (
        pair.hub.conversations.tokens(OWNER, "conv_000000000000"),
        pair.hub.conversations.rotate(OWNER, pair.made.conversation.id, "zz"),
        pair.hub.messages.send(OWNER, Credentials("nope", "a"), "hello"),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_the_owners_acts_are_entries_in_the_owners_name(pair: Pair) -> None:
    await pair.hub.conversations.tokens(OWNER, pair.made.conversation.id)
    (entry,) = await pair.hub.journal.newest(1)
    assert (entry.action, entry.actor) == ("token.show", "operator uid:1000")


async def test_secrets_in_roles_are_redacted_before_they_are_stored(anyio_backend: str) -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(agent("alice"), "backend AKIA" + "IOSFODNN7EXAMPLQ", "frontend")
    assert "AKIA" not in made.sessions[0].role


async def test_opening_conversations_has_a_limit(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(creations=(Window(2, 60),))))
    await pair.hub.conversations.create(pair.alice, "backend", "frontend")
    with pytest.raises(TooFast):
        await pair.hub.conversations.create(pair.alice, "backend", "frontend")


async def test_the_owner_too_may_only_look_back_once_a_conversation_has_expired(pair: Pair) -> None:
    await pair.send(pair.alice, "before")
    await pair.check(pair.bob)
    pair.clock.advance(3 * 3600)
    here = Credentials(pair.made.conversation.id, "b", None)
    with pytest.raises(Refused, match="expired"):
        await pair.hub.messages.send(OWNER, here, "too late")
    with pytest.raises(Refused, match="expired"):
        await pair.hub.messages.check(OWNER, here, "test:1")
    with pytest.raises(Refused, match="expired"):
        await pair.hub.status.heartbeat(OWNER, here)
    for words in ({"history": True}, {"query": "before"}):
        mail = await pair.hub.messages.check(OWNER, here, "test:2", **words)  # type: ignore[arg-type]
        assert [letter.text for letter in mail.letters] == ["before"]


async def test_a_second_window_of_one_name_is_told_that_the_first_has_the_session(anyio_backend: str) -> None:
    world = memory_hub()
    first = agent("claude", alias=True)
    second = type(first)(agent("second").agent, "claude", first.peer, alias=first.alias)
    await world.hub.conversations.create(first, "backend", "frontend")
    world.hub.presence.enter(first.agent)
    assert (await world.hub.conversations.list(second)).places == []
    with pytest.raises(NotAllowed, match="another running connection of this name"):
        await world.hub.messages.check(second, NO_CREDENTIALS, "test:1")


async def test_joining_with_nothing_is_told_to_pass_an_invite(anyio_backend: str) -> None:
    with pytest.raises(Invalid, match="invite"):
        await memory_hub().hub.conversations.join(agent("alice"), NO_CREDENTIALS)


async def test_mail_that_nobody_read_before_a_conversation_expired_comes_back_when_it_is_renewed(pair: Pair) -> None:
    await pair.hub.messages.send(pair.alice, NO_CREDENTIALS, "are you there?")
    pair.clock.advance(4 * 3600)
    await pair.hub.conversations.extend(OWNER, pair.made.conversation.id, None)
    (notice,) = (await pair.check(pair.alice)).letters
    assert notice.text == "session b (frontend) had expired before it read your message 1"
    assert [letter.text for letter in (await pair.check(pair.bob)).letters] == ["are you there?"]
    await pair.hub.conversations.extend(OWNER, pair.made.conversation.id, None)
    assert not (await pair.check(pair.alice)).letters


async def test_an_erased_conversation_leaves_the_count_of_what_was_not_read(pair: Pair) -> None:
    await pair.hub.messages.send(pair.alice, NO_CREDENTIALS, "are you there?")
    pair.clock.advance(4 * 3600)
    await pair.hub.conversations.cleanup(OWNER, 0)
    (entry,) = [entry for entry in await pair.hub.journal.newest(20) if entry.action == "conversation.erase"]
    assert entry.facts["unread"] == 1
