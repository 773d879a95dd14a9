"""Attacks on retention: to have it erase too early, too much or unseen, and to get at what it erased."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from multiagent_bridge import config
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

pytestmark = pytest.mark.anyio

DAY = 86_400
WEEK = 7 * DAY
LIFETIME = 3 * 3600


def test_a_repository_that_was_cloned_does_not_say_when_its_users_mail_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bridge.toml").write_text("[retention]\ngrace_seconds = 1\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid):
        config.load(home=tmp_path)


@pytest.mark.parametrize("value", ["-1", "never", "1e99", "", "9999999999999"])
def test_a_grace_time_that_is_none_is_refused_and_never_read_as_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MAB_RETENTION__GRACE_SECONDS", value)
    with pytest.raises(Invalid):
        config.load(home=tmp_path)


async def test_a_clock_that_jumps_to_and_fro_hastens_nothing(anyio_backend: str) -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend")
    world.clock.advance(LIFETIME)
    for _ in range(50):
        # each step stays under what a single look could call a leap of years
        world.clock.jump(DAY)
        assert not await world.hub.retention.sweep(OWNER, WEEK)
        world.clock.advance(60)
    for _ in range(50):
        world.clock.jump(-DAY)
        assert not await world.hub.retention.sweep(OWNER, WEEK)
    assert (await world.hub.conversations.show(OWNER, made.conversation.id))[0]


async def test_neither_token_nor_invite_nor_name_opens_what_was_erased(anyio_backend: str) -> None:
    world = memory_hub()
    alice, bob = agent("alice", alias=True), agent("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend")
    here = made.conversation.id
    world.clock.advance(LIFETIME + WEEK)
    assert await world.hub.retention.sweep(OWNER, WEEK)
    for caller, given in (
        (alice, NO_CREDENTIALS),
        (alice, Credentials(here, "a", made.tokens[0])),
        (bob, Credentials(here, "b", made.tokens[1])),
    ):
        with pytest.raises(NotAllowed):
            await world.hub.messages.send(caller, given, "is anybody there")
    with pytest.raises(NotAllowed):
        await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    with pytest.raises(BridgeError):
        await world.hub.conversations.extend(OWNER, here, None)


async def test_of_what_was_erased_the_store_keeps_neither_the_key_nor_a_sealed_word(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    async with SqliteStore(path) as store:
        world = memory_hub(store=store)
        alice = agent("alice")
        made = await world.hub.conversations.create(alice, "backend", "frontend")
        await world.hub.messages.send(alice, NO_CREDENTIALS, "the plan " * 50)
        (letter,) = await store.read(lambda tx: tx.messages.list(made.conversation.id, 0, 9))
        world.clock.advance(LIFETIME + WEEK)
        assert await world.hub.retention.sweep(OWNER, WEEK)
        await world.hub.evidence.verify()
    with closing(apsw.Connection(str(path))) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert made.conversation.sealed_key not in kept
    assert letter.body not in kept
    assert letter.digest.encode() in kept, "the journal still vouches for it"


async def test_an_agent_whose_time_is_over_does_not_put_the_removal_off(anyio_backend: str) -> None:
    world = memory_hub()
    alice = agent("alice")
    made = await world.hub.conversations.create(alice, "backend", "frontend")
    world.clock.advance(LIFETIME)
    for _ in range(7):
        with pytest.raises(BridgeError):
            await world.hub.messages.send(alice, NO_CREDENTIALS, "still here")
        world.clock.advance(DAY)
    assert [one.id for one in await world.hub.retention.sweep(OWNER, WEEK)] == [made.conversation.id]


async def test_names_of_senders_and_words_do_not_reach_the_entries_of_a_removal(anyio_backend: str) -> None:
    world = memory_hub()
    alice = agent("alice")
    await world.hub.conversations.create(alice, "secret role", "other role")
    await world.hub.messages.send(alice, NO_CREDENTIALS, "words that nobody read")
    world.clock.advance(LIFETIME + WEEK)
    await world.hub.retention.sweep(OWNER, WEEK)
    for entry in (await world.hub.journal.entries())[-2:]:
        assert entry.action in ("message.drop", "conversation.erase")
        assert "nobody read" not in entry.line
        assert "secret role" not in entry.line
