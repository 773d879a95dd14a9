from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from multiagent_bridge.errors import Tampered
from multiagent_bridge.ports import Tx
from multiagent_bridge.services import evidence
from multiagent_bridge.services.evidence import Verified
from multiagent_bridge.testing.hubs import OWNER

from .conftest import Pair

pytestmark = pytest.mark.anyio


async def tamper(pair: Pair, work: Callable[[Tx], Awaitable[None]]) -> None:
    """Write to the store behind the bridge's back."""
    await pair.world.store.write(work)


async def test_what_was_sent_and_stored_verifies(pair: Pair) -> None:
    await pair.send(pair.alice, "one")
    await pair.send(pair.bob, "two")
    done = await pair.hub.evidence.verify()
    assert (done.entries, done.messages) == (4, 2)


async def test_a_message_that_vanished_is_named_with_its_entry(pair: Pair) -> None:
    await pair.send(pair.alice, "one")

    async def removed(tx: Tx) -> None:
        tx.messages._tables.messages.clear()  # type: ignore[attr-defined]

    await tamper(pair, removed)
    with pytest.raises(Tampered, match=r"message 1 .* is gone, though entry 3"):
        await pair.hub.evidence.verify()


async def test_a_message_that_was_never_sent_is_named(pair: Pair) -> None:
    await pair.send(pair.alice, "one")

    async def planted(tx: Tx) -> None:
        (message,) = await tx.messages.list(pair.made.conversation.id, 0, 10)
        await tx.messages.add(replace(message, id=2), ["b"])

    await tamper(pair, planted)
    with pytest.raises(Tampered, match=r"message 2 .* never sent"):
        await pair.hub.evidence.verify()


async def test_a_body_that_was_exchanged_is_found(pair: Pair) -> None:
    await pair.send(pair.alice, "pay 10")
    conversation = pair.made.conversation

    async def exchanged(tx: Tx) -> None:
        (message,) = await tx.messages.list(conversation.id, 0, 10)
        body = '{"message": "pay 1000", "files": []}'
        forged = replace(message, body=pair.world.keys.seal(conversation, "messages/body/1", body))
        tx.messages._tables.messages[conversation.id, 1] = forged  # type: ignore[attr-defined]

    await tamper(pair, exchanged)
    with pytest.raises(Tampered, match="not the one that was sent"):
        await pair.hub.evidence.verify()


async def test_a_conversation_that_vanished_is_found_and_an_erased_one_is_not_missed(pair: Pair) -> None:
    await pair.send(pair.alice, "one")

    async def removed(tx: Tx) -> None:
        await tx.conversations.remove(pair.made.conversation.id)

    pair.clock.advance(4 * 3600)
    await pair.hub.conversations.cleanup(OWNER, 0)
    await pair.hub.evidence.verify()
    second = await pair.hub.conversations.create(pair.alice, "backend", "frontend")

    async def removed_second(tx: Tx) -> None:
        await tx.conversations.remove(second.conversation.id)

    await tamper(pair, removed_second)
    with pytest.raises(Tampered, match="no entry says who erased it"):
        await pair.hub.evidence.verify()


async def meanwhile(pair: Pair, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[None]]) -> None:
    """Verify; `work` is done between the look at the journal and the one at what is stored."""
    plain = pair.hub.journal.verify

    async def verified(*given: Any) -> Any:
        chain = await plain(*given)
        await work()
        return chain

    monkeypatch.setattr(evidence, "PAGE", 3)
    monkeypatch.setattr(pair.hub.journal, "verify", verified)
    await pair.hub.evidence.verify()


async def test_mail_sent_while_a_long_journal_is_verified_is_no_tampering_however_much(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sent() -> None:
        for number in range(9):
            await pair.send(pair.alice, f"letter {number}")

    await meanwhile(pair, monkeypatch, sent)


async def test_a_conversation_erased_after_much_else_while_a_journal_is_verified_is_not_missed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erased() -> None:
        for _ in range(9):
            await pair.check(pair.bob, history=True)
            await pair.send(pair.alice, "a letter")
        pair.clock.advance(4 * 3600)
        await pair.hub.conversations.cleanup(OWNER, 0)

    await meanwhile(pair, monkeypatch, erased)


async def test_a_report_says_nothing_of_what_was_written_after_it_had_verified(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.send(pair.alice, "one")
    verify = pair.hub.evidence.verify

    async def overtaken() -> Verified:
        found = await verify()
        await pair.send(pair.bob, "two")
        return found

    monkeypatch.setattr(pair.hub.evidence, "verify", overtaken)
    found = await pair.hub.reports.report()
    assert (found["entries"], found["range"], found["acts"]["message.send"]) == (3, "1-3", 1)  # type: ignore[index]
