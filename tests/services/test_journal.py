from __future__ import annotations

import pytest

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.testing.hubs import OWNER, memory_hub

from .conftest import Pair, paired

pytestmark = pytest.mark.anyio


async def test_no_text_stands_in_the_journal(pair: Pair) -> None:
    await pair.send(pair.alice, "a most peculiar sentence", files_involved=["peculiar.py"])
    lines = [line async for line in pair.hub.journal.lines()]
    assert not any("peculiar" in line for line in lines)
    (entry,) = await pair.hub.journal.newest(1)
    assert len(entry.digest) == 64


async def test_a_reason_that_quotes_a_secret_is_redacted(pair: Pair) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    with pytest.raises(Exception, match="partner"):
        await pair.send(pair.alice, "hello", to=[key])
    assert not any([key in line async for line in pair.hub.journal.lines()])


async def test_a_signed_checkpoint_is_kept_every_so_many_entries(anyio_backend: str) -> None:
    pair = await paired(memory_hub(Limits(checkpoint_entries=3)))
    await pair.send(pair.alice, "third entry")
    done = await pair.hub.journal.verify()
    assert (done.size, done.checkpoints, done.last_checkpoint) == (3, 1, 3)


async def test_a_checkpoint_kept_elsewhere_shows_that_the_journal_is_another(pair: Pair) -> None:
    kept = await pair.hub.journal.checkpoint()
    assert Checkpoint.parse(kept).size == 2
    await pair.hub.journal.verify([kept])
    other = await paired(memory_hub())
    await other.send(other.alice, "another history")
    with pytest.raises(Tampered):
        await other.hub.journal.verify([kept])


async def test_a_checkpoint_of_another_key_is_not_believed(pair: Pair) -> None:
    kept = await pair.hub.journal.checkpoint()
    forged = kept[:-6] + ("AAAA" if kept[-6:-2] != "AAAA" else "BBBB") + kept[-2:]
    with pytest.raises(Exception, match=r"signature|base64|checkpoint"):
        await pair.hub.journal.verify([forged])


async def test_entries_of_one_conversation_can_be_asked_for(pair: Pair) -> None:
    from multiagent_bridge.testing.hubs import agent

    await pair.hub.conversations.create(agent("zoe"), "other one", "other two")
    mine = await pair.hub.journal.newest(10, pair.made.conversation.id)
    assert {e.conversation for e in mine} == {pair.made.conversation.id}
    assert len(await pair.hub.journal.entries()) == 3


async def test_an_act_whose_entry_cannot_be_written_does_not_happen(pair: Pair) -> None:
    from multiagent_bridge.errors import Unavailable

    async def broken(*_: object) -> None:
        raise Unavailable("the journal cannot be written")

    pair.hub.journal.append = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        await pair.send(pair.alice, "unrecorded")
    del pair.hub.journal.append
    assert (await pair.check(pair.bob)).letters == ()
    await pair.hub.messages.recover(OWNER, "nobody")
    assert [e.action for e in await pair.hub.journal.entries()] == ["conversation.create", "conversation.join"]
