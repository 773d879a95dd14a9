"""The door: every refusal is an entry, says no more than it may, and costs the one who caused it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Refused, TooFast
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub
from tests.faces.conftest import connected
from tests.services.conftest import Pair, paired

ABSENT = "conv_000000000000"


@pytest.fixture
async def pair(anyio_backend: str) -> Pair:
    return await paired(memory_hub())


@pytest.fixture
def world() -> TestHub:
    return memory_hub()


@pytest.fixture(params=["legacy", "auto"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def newest(world: TestHub) -> Entry:
    (entry,) = await world.hub.journal.newest(1)
    return entry


async def test_every_way_of_wrong_credentials_is_told_the_same(pair: Pair) -> None:
    made, tokens = pair.made.conversation.id, pair.made.tokens
    await pair.hub.conversations.revoke(OWNER, made, "b")
    other = await pair.hub.conversations.create(agent("eve"), "her own", "another")
    stranger = agent("mallory")
    wrong = {
        "unknown conversation": Credentials(ABSENT, "a", tokens[0]),
        "no conversation at all": Credentials("x" * 5000, "a", tokens[0]),
        "unknown session": Credentials(made, "z", tokens[0]),
        "another session": Credentials(made, "b", tokens[0]),
        "revoked": Credentials(made, "b", tokens[1]),
        "wrong token": Credentials(made, "a", "0" * 64),
        "not ASCII": Credentials(made, "a", "\u00e9" * 64),
        "a lone surrogate": Credentials(made, "a", "\ud800"),
        "over-long": Credentials(made, "a", tokens[0] + "0" * 100_000),
        "of another conversation": Credentials(made, "a", other.tokens[0]),
    }
    told = set()
    for given in wrong.values():
        with pytest.raises(NotAllowed) as refused:
            await pair.hub.messages.send(stranger, given, "let me in")
        told.add(str(refused.value))
        assert (await newest(pair.world)).outcome == "refused"
    assert len(told) == 1


async def test_wrong_credentials_are_told_before_anything_is_said_of_the_words(pair: Pair) -> None:
    given = Credentials(pair.made.conversation.id, "a", "0" * 64)
    for words in ({"message": ""}, {"message": "x", "action_type": "nothing"}, {"message": "x", "to": ["nobody"]}):
        with pytest.raises(NotAllowed):
            await pair.hub.messages.send(agent("mallory"), given, **words)


async def test_a_rotated_token_and_a_connection_bound_before_it_both_end(pair: Pair) -> None:
    made = pair.made.conversation.id
    await pair.hub.conversations.rotate(OWNER, made, "b")
    for given in (NO_CREDENTIALS, Credentials(made, "b"), Credentials(made, "b", pair.made.tokens[1])):
        with pytest.raises(NotAllowed):
            await pair.check(pair.bob) if given is NO_CREDENTIALS else await pair.hub.messages.check(
                pair.bob, given, "t"
            )


async def test_a_wait_that_a_revocation_ends_leaves_an_entry_of_its_refusal(pair: Pair) -> None:
    made = pair.made.conversation.id
    looked = 0

    async def revoked_meanwhile(seconds: float) -> None:
        raise AssertionError("no tick passes in this test")

    class Meanwhile:
        """Revokes session b between the first look and the wait."""

        def __getattr__(self, name: str) -> object:
            return getattr(pair.hub.bell, name)

        def listen(self, topic: str) -> object:
            nonlocal looked
            looked += 1
            return Listening(pair, topic)

    class Listening:
        def __init__(self, pair: Pair, topic: str) -> None:
            self._inner = pair.hub.bell.listen(topic)

        async def __aenter__(self) -> object:
            await pair.hub.conversations.revoke(OWNER, made, "b")
            return await self._inner.__aenter__()

        async def __aexit__(self, *ended: object) -> None:
            await self._inner.__aexit__(*ended)  # type: ignore[arg-type]

    pair.hub.messages._bell = Meanwhile()  # type: ignore[assignment]
    with pytest.raises(NotAllowed):
        await pair.check(pair.bob, wait_seconds=1, progress=revoked_meanwhile)
    assert looked == 1
    entry = await newest(pair.world)
    assert (entry.outcome, entry.code, entry.action) == ("refused", "not_allowed", "message.check")
    assert entry.conversation == made


async def test_a_search_of_old_mail_is_an_entry_without_its_words(pair: Pair) -> None:
    await pair.send(pair.alice, "the needle")
    await pair.check(pair.bob)
    await pair.check(pair.bob, query="needle")
    entry = await newest(pair.world)
    assert (entry.action, entry.session) == ("message.search", "b")
    assert "needle" not in entry.line


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("no_such_tool", {}),
        ("send_to_partner", {"message": "x", "unheard_of": 1}),
        ("send_to_partner", {}),
        ("send_to_partner", {"message": "x", "token": "0" * 64}),
        ("check_messages", {"conversation_id": 5}),
        ("check_messages", {"limit": 10**5000}),
        ("list_conversations", {"session_id": ["a"]}),
        ("join_conversation", {"invite": 7}),
        ("create_conversation", {"my_role": "one side", "partner_role": "x"}),
    ],
    ids=["tool", "argument", "missing", "half credentials", "id", "huge number", "list", "invite", "role"],
)
async def test_whatever_a_tool_refuses_is_an_entry(
    world: TestHub, anyio_backend: str, era: str, tool: str, arguments: dict[str, object]
) -> None:
    async with connected(world, "alice", era) as alice:
        before = (await world.hub.journal.head()).size
        told = await alice.error(tool, **arguments)
    assert told.startswith(("invalid:", "not_allowed:"))
    assert (await world.hub.journal.head()).size == before + 1
    assert (await newest(world)).outcome == "refused"


async def test_what_a_session_is_refused_for_its_words_is_not_without_end(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(reads=(Window(5, 60),))))
    for words in ({"message": ""}, {"message": "x", "to": ["nobody"]}, {"message": "x", "reply_to": 99}):
        refused: list[type[BridgeError]] = []
        pair.clock.advance(120)
        for _ in range(7):
            with pytest.raises((Invalid, TooFast)) as found:
                await pair.hub.messages.send(pair.alice, NO_CREDENTIALS, **words)
            refused.append(found.type)
        assert refused == [Invalid] * 5 + [TooFast] * 2


async def test_guesses_of_one_connection_close_no_door_for_another(pair: Pair) -> None:
    invite = await pair.hub.conversations.invite(OWNER, pair.made.conversation.id, "b")
    for _ in range(60):
        with pytest.raises((NotAllowed, TooFast)):
            await pair.hub.conversations.join(agent("mallory"), NO_CREDENTIALS, "00000-00000")
    with pytest.raises(TooFast):
        await pair.hub.conversations.join(agent("mallory"), NO_CREDENTIALS, invite)
    assert (await pair.hub.conversations.join(agent("carol"), NO_CREDENTIALS, invite)).session.id == "b"


async def test_an_invite_given_with_another_conversation_opens_nothing_and_stays_good(pair: Pair) -> None:
    made = pair.made.conversation.id
    invite = await pair.hub.conversations.invite(OWNER, made, "b")
    for given in (Credentials(ABSENT), Credentials(made, "a"), Credentials(ABSENT, "b")):
        with pytest.raises(NotAllowed):
            await pair.hub.conversations.join(agent("carol"), given, invite)
    assert (await pair.hub.conversations.join(agent("carol"), Credentials(made, "b"), invite)).session.id == "b"


async def test_an_owner_s_refused_words_are_entries_too(pair: Pair) -> None:
    made = pair.made.conversation.id
    with pytest.raises(Invalid):
        await pair.hub.conversations.extend(OWNER, made, -5)
    assert (await newest(pair.world)).action == "conversation.extend"
    with pytest.raises(Invalid):
        await pair.hub.archives.restore(OWNER, {"mab_archive": 99})
    assert (await newest(pair.world)).action == "conversation.import"


async def test_only_the_owner_may_do_what_is_the_owner_s(pair: Pair) -> None:
    made = pair.made.conversation.id
    verbs = pair.hub.conversations
    for act in (
        lambda: verbs.tokens(pair.alice, made),
        lambda: verbs.rotate(pair.alice, made, None),
        lambda: verbs.revoke(pair.alice, made, "b"),
        lambda: verbs.invite(pair.alice, made, "b"),
        lambda: verbs.extend(pair.alice, made, 60),
        lambda: verbs.cleanup(pair.alice, 0),
        lambda: verbs.show(pair.alice, made),
        lambda: pair.hub.messages.list(pair.alice, made, 0, 10),
        lambda: pair.hub.archives.export(pair.alice, made),
    ):
        with pytest.raises(Refused):
            await act()
        assert (await newest(pair.world)).outcome == "refused"
    assert await pair.hub.messages.said(pair.alice, made, 1) is None


async def test_a_name_is_kept_as_a_digest_and_still_gives_its_conversations_back(anyio_backend: str) -> None:
    world = memory_hub()
    alice = agent("alice", alias=True)
    made = await world.hub.conversations.create(alice, "one side", "other side")
    again = replace(agent("alice after a restart"), name="alice", alias=alice.alias)
    assert (await world.hub.messages.send(again, NO_CREDENTIALS, "here I am")).message_id == 1
    places = (await world.hub.conversations.list(again)).places
    assert [place.conversation.id for place in places] == [made.conversation.id]
    holders = await world.store.read(lambda tx: tx.bindings.holders(made.conversation.id, "a"))
    assert not any("alice" in holder for holder in holders)


async def test_credentials_do_not_show_in_the_repr_of_what_carries_them(pair: Pair) -> None:
    assert not any(token in repr(pair.made) for token in pair.made.tokens)
    assert not any(code in repr(pair.made) for code in pair.made.invites if code)
    assert bytes(range(32)).hex() not in repr(pair.world.keys)
