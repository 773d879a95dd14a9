"""`mab status --watch` over a store in memory that goes away, comes back, and holds as much as a test wants."""

from __future__ import annotations

import pytest

from multiagent_bridge.adapters.memory import nouns
from multiagent_bridge.cli.running import Running
from multiagent_bridge.cli.status import watch
from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.services.conversations import Conversations
from multiagent_bridge.services.ringing import JOURNAL
from multiagent_bridge.testing.hubs import OWNER, agent
from tests.faces.status_stage import DOWN, Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Looked at all the time."""
    for name, seconds in (("REFRESH_SECONDS", 0.01), ("SETTLE_SECONDS", 0.0), ("FIRST_PAUSE", 0.01)):
        monkeypatch.setattr(watch, name, seconds)
    return Stage()


async def test_a_store_that_goes_away_is_told_of_with_reason_and_since_when_and_comes_back_by_itself(
    stage: Stage,
) -> None:
    conversation = await stage.created()
    async with stage.watched():
        assert stage.last["store_away"] is None
        before = stage.last["conversations"]
        stage.world.clock.advance(60)
        since = microseconds_to_iso(stage.world.clock.now())
        stage.store.failing = DOWN
        await stage.until(lambda: stage.last["store_away"])
        assert stage.last["store_away"] == {"since": since, "reason": DOWN.sentence, "hint": DOWN.hint}
        assert stage.last["warnings"][0] == f"the store is away since {since}: {DOWN.sentence}"
        assert [row["conversation_id"] for row in stage.last["conversations"]] == [conversation]
        assert stage.last["conversations"] == before, "what was seen last stays in sight, as old as it was then"
        stage.world.clock.advance(60)
        stage.store.failing = Unavailable("the server is starting up")
        await stage.until(lambda: stage.last["store_away"]["reason"] == "the server is starting up")
        assert stage.last["store_away"]["since"] == since, "it is away since the first time"
        stage.store.failing = None
        await stage.until(lambda: stage.last["store_away"] is None)
        another = await stage.created()
        await stage.until(lambda: len(stage.last["conversations"]) == 2)
        assert [row["conversation_id"] for row in stage.last["conversations"]] == [another, conversation]
    assert stage.opened == 2


async def test_a_store_that_is_away_at_the_start_is_waited_for(stage: Stage) -> None:
    await stage.created()
    stage.store.failing = DOWN
    async with stage.watched():
        assert stage.last["store_away"]["reason"] == DOWN.sentence
        stage.store.failing = None
        await stage.until(lambda: stage.last["conversations"])
        assert stage.last["store_away"] is None


async def test_another_store_in_the_place_of_the_first_is_opened_anew(stage: Stage) -> None:
    await stage.created()
    async with stage.watched():
        stage.there = None
        await stage.until(lambda: stage.last["store_away"])
        assert stage.opened == 1, "opening one that is not there would make one"
        stage.there = 2
        await stage.until(lambda: stage.last["store_away"] is None)
    assert stage.opened == 2


async def test_before_the_first_use_it_waits_and_opens_nothing(stage: Stage) -> None:
    stage.there = None
    async with stage.watched():
        assert (stage.last["conversations"], stage.last["store_away"], stage.opened) == ([], None, 0)
        await stage.created()
        stage.there = 1
        await stage.until(lambda: stage.last["conversations"])


async def test_what_no_waiting_mends_ends_it(stage: Stage) -> None:
    async def damaged() -> None:
        async with stage.watched():
            stage.store.failing = Tampered("the journal does not verify")
            await stage.until(stage.ended)

    await stage.created()
    with pytest.raises(Tampered):
        await damaged()


async def test_of_ten_thousand_conversations_it_shows_the_newest_activity_and_counts_the_rest(stage: Stage) -> None:
    await stage.many(10_000)
    busy = "conv_000000000007"
    async with stage.watched():
        assert len(stage.last["conversations"]) == stage.room
        assert stage.last["more"] == 10_000 - stage.room
        assert stage.last["conversations"][0]["conversation_id"] == f"conv_{9_999:012x}", "the newest of all"
        await stage.world.hub.conversations.extend(OWNER, busy, 3600)
        await stage.until(lambda: stage.last["conversations"][0]["conversation_id"] == busy)
        created = await stage.created()
        await stage.until(lambda: stage.last["conversations"][0]["conversation_id"] == created)
        assert stage.last["more"] == 10_001 - stage.room
        stage.room = 3
        await stage.until(lambda: len(stage.last["conversations"]) == 3)
        assert stage.last["more"] == 10_001 - 3
        await stage.world.hub.conversations.extend(OWNER, busy, 1)
        stage.world.clock.advance(2)
        await stage.world.hub.conversations.cleanup(OWNER, 0)
        await stage.until(lambda: stage.last["more"] == 10_000 - 3)


@pytest.mark.parametrize("count", [20, 10_000])
async def test_a_refresh_reads_a_page_however_many_conversations_there_are(
    stage: Stage, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.many(count)
    read = {"count": 0, "get": 0, "newest": 0, "of": 0}
    for noun, name in ((Conversations, "count"), (nouns.Conversations, "get"), (nouns.Conversations, "newest"),
                       (nouns.Sessions, "of")):  # fmt: skip
        real = getattr(noun, name)

        async def counted(self, *given, real=real, name=name):  # type: ignore[no-untyped-def]
            read[name] += 1
            return await real(self, *given)

        monkeypatch.setattr(noun, name, counted)
    async with stage.watched():
        await stage.looks(5)
        assert read["count"] == 1, "they are counted once, not at each refresh"
        assert read["get"] == 0
        assert read["newest"] <= stage.watch.looks + 1, "one page a look; one may be under way"
        assert read["of"] <= stage.room * read["newest"]
        await stage.created()
        await stage.until(lambda: stage.last["more"] == count + 1 - stage.room)
        assert read["count"] == 2, "and again when there is another one"


async def test_nothing_is_shown_again_that_is_shown_already(stage: Stage) -> None:
    await stage.created()
    async with stage.watched():
        shown = len(stage.shown)
        await stage.looks(20)
        assert len(stage.shown) == shown


async def test_a_hub_that_starts_and_ends_is_told_of_without_an_entry(stage: Stage) -> None:
    await stage.created()
    async with stage.watched():
        stage.at_hub = Running("answers", 7, "1.0", 2)
        await stage.until(lambda: stage.last["hub"]["pid"] == 7)
        stage.at_hub = Running("silent", 7)
        await stage.until(lambda: "does not answer" in " ".join(stage.last["warnings"]))


async def test_a_state_directory_that_cannot_be_entered_is_said_in_place(stage: Stage) -> None:
    await stage.created()
    async with stage.watched():
        stage.greeting = PermissionError(13, "Permission denied")
        await stage.until(lambda: stage.last["store_away"])
        assert "permission denied" in stage.last["store_away"]["reason"]
        stage.greeting = None
        await stage.until(lambda: stage.last["store_away"] is None)


async def test_a_conversation_that_waits_in_silence_grows_older_in_sight(stage: Stage) -> None:
    made = await stage.world.hub.conversations.create(agent("alice"), "backend", "frontend")
    async with stage.watched():
        stage.world.clock.advance(300)
        await stage.until(lambda: stage.last["conversations"][0]["sessions"][0]["age_seconds"] == 300)
        assert "session a (backend) has been silent for 5 min" in " ".join(stage.last["warnings"])
        await stage.world.hub.messages.send(agent("alice"), NO_CREDENTIALS, "hello")
        await stage.until(lambda: stage.last["conversations"][0]["messages"] == 1)
        assert stage.last["conversations"][0]["conversation_id"] == made.conversation.id


async def test_two_watchers_do_not_ring_for_each_other(stage: Stage) -> None:
    """A look that rang would have both look, and print, without end."""
    await stage.created()
    async with stage.watched(), stage.world.hub.bell.listen(JOURNAL) as ear:
        await stage.looks(5)
        assert not await ear.wait(0)
