"""Laws of messages and their deliveries."""

from __future__ import annotations

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.messages import Delivery, Message
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, agree, message, refused, seat, send, together, unread


async def waiting(store: Store, stale_before: int = 0, limit: int = 100) -> list[int]:
    """Ids that `b` would be handed."""
    found = await store.read(lambda tx: tx.messages.unread("conv_1", "b", limit, stale_before))
    return [m.id for m in found]


async def a_message_comes_back_as_it_was(store: Store) -> None:
    await seat(store)
    plain = message(1)
    full = Message("conv_1", 2, "b", "question", b"\0\xff" * 3, 6, NOW, 1, "key \u00e9", "cd" * 32)

    async def added(tx: Tx) -> None:
        await tx.messages.add(plain, ["b"])
        await tx.messages.add(full, ["a", "c"])

    await store.write(added)
    agree(await store.read(lambda tx: tx.messages.get("conv_1", 1)), plain, "a message comes back as it was")
    agree(await store.read(lambda tx: tx.messages.get("conv_1", 2)), full, "a message comes back as it was")
    agree(await store.read(lambda tx: tx.messages.get("conv_1", 3)), None, "an unknown message is None")
    listed = await store.read(lambda tx: tx.messages.list("conv_1", 0, 10))
    agree(list(listed), [plain, full], "list has all messages by id")
    after = await store.read(lambda tx: tx.messages.list("conv_1", 1, 10))
    agree([m.id for m in after], [2], "list begins above `after`")
    agree(len(await store.read(lambda tx: tx.messages.list("conv_1", 0, 1))), 1, "list keeps its limit")


async def an_idempotency_key_stores_one_message(store: Store) -> None:
    await seat(store)

    async def twice(tx: Tx) -> None:
        await tx.messages.add(message(2, key="k"), ["b"])

    await store.write(lambda tx: tx.messages.add(message(1, key="k"), ["b"]))
    await refused(store.write(twice), Conflict, "a key of a sender stands for one message")
    await store.write(lambda tx: tx.messages.add(message(2, sender="c", key="k"), ["b"]))
    await store.write(lambda tx: tx.messages.add(message(3), ["b"]))
    await store.write(lambda tx: tx.messages.add(message(4), ["b"]))
    await refused(store.write(lambda tx: tx.messages.add(message(4), ["b"])), Conflict, "an id is given once")
    found = await store.read(lambda tx: tx.messages.by_key("conv_1", "a", "k"))
    agree(found, message(1, key="k"), "by_key finds the sender's own")
    agree(await store.read(lambda tx: tx.messages.by_key("conv_1", "b", "k")), None, "a key belongs to its sender")
    agree(await store.read(lambda tx: tx.messages.by_key("conv_2", "a", "k")), None, "and to its conversation")
    agree(await unread(store), 4, "a refused message is not counted")


async def a_message_needs_its_conversation_and_recipients(store: Store) -> None:
    await seat(store)
    nowhere = message(1, name="conv_9")
    await refused(store.write(lambda tx: tx.messages.add(nowhere, [])), NotFound, "no message without conversation")
    await refused(store.write(lambda tx: tx.messages.add(message(1), ["b", "z"])), NotFound, "no unknown recipient")
    agree(await waiting(store), [], "a message with one unknown recipient reaches nobody")
    await store.write(lambda tx: tx.messages.add(message(1), []))
    agree(await unread(store), 0, "a message to nobody is nobody's")


async def the_oldest_unread_come_first(store: Store) -> None:
    await seat(store)
    await send(store, 5, ("b", "c"))
    agree(await waiting(store, limit=3), [1, 2, 3], "the oldest unread come first, up to the limit")
    agree((await unread(store, "b"), await unread(store, "c"), await unread(store, "a")), (5, 5, 0), "each recipient")


async def a_claim_hands_over_once(store: Store) -> None:
    await seat(store)
    await send(store, 4)
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1, 2], "hub:1", NOW))
    agree(await waiting(store), [3, 4], "what is claimed is not handed over again")
    agree(await unread(store), 2, "what is claimed is not unread")
    agree(await store.write(lambda tx: tx.messages.confirm("hub:1", NOW + 5)), 2, "confirm says how many")
    agree(await store.write(lambda tx: tx.messages.confirm("hub:1", NOW + 6)), 0, "nothing is confirmed twice")
    agree(await waiting(store, stale_before=NOW * 2), [3, 4], "what is read never comes again")
    agree(await unread(store), 2, "confirming changes no counter")


async def one_of_many_readers_gets_a_message(store: Store) -> None:
    await seat(store)
    await send(store, 40)

    async def taken(tx: Tx, claim: str) -> list[int]:
        found = await tx.messages.unread("conv_1", "b", 3, NOW - 1)
        await tx.messages.claim("conv_1", "b", [m.id for m in found], claim, NOW)
        return [m.id for m in found]

    hands = await together([lambda n=n: store.write(lambda tx: taken(tx, f"h:{n}")) for n in range(20)])  # type: ignore[misc]
    got = sorted(number for hand in hands for number in hand)
    agree(got, list(range(1, 41)), "of many readers each message goes to one, and none is lost")


async def a_released_claim_is_unread_again(store: Store) -> None:
    await seat(store)
    await send(store, 3, ("b", "c"))
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1, 2], "hub:1", NOW))
    await store.write(lambda tx: tx.messages.claim("conv_1", "c", [1], "hub:2", NOW))
    agree(await store.write(lambda tx: tx.messages.release("hub:1")), 2, "release says how many")
    agree(await store.write(lambda tx: tx.messages.release("hub:1")), 0, "nothing is released twice")
    agree(await waiting(store), [1, 2, 3], "what was released comes again, in order")
    agree((await unread(store, "b"), await unread(store, "c")), (3, 2), "another claim stays")


async def a_stale_claim_is_taken_over(store: Store) -> None:
    await seat(store)
    await send(store, 2)
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1, 2], "dead:1", NOW))
    agree(await waiting(store, stale_before=NOW), [], "a claim made at `stale_before` is not stale yet")
    agree(await waiting(store, stale_before=NOW + 1), [1, 2], "an older one is")
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1], "live:1", NOW + 1))
    agree(await waiting(store, stale_before=NOW + 1), [2], "what was taken over is fresh")
    agree(await unread(store), 0, "taking over counts nothing twice")
    agree(await store.write(lambda tx: tx.messages.confirm("dead:1", NOW + 2)), 1, "the late writer confirms the rest")
    agree(await store.write(lambda tx: tx.messages.release("live:1")), 1, "the new claim is its taker's")
    agree((await waiting(store), await unread(store)), ([1], 1), "and what it releases is unread once")


async def what_is_read_cannot_be_claimed(store: Store) -> None:
    await seat(store)
    await send(store, 2, ("b", "c"))
    await store.write(lambda tx: tx.messages.ack("conv_1", "b", 1, NOW))
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1, 2, 3, 77], "hub:1", NOW))
    agree(await store.write(lambda tx: tx.messages.confirm("hub:1", NOW)), 1, "only what was delivered and not read")
    agree(await unread(store, "c"), 2, "nobody else's delivery is claimed")
    agree(await unread(store, "b"), 0, "the counter follows")


async def owners_claims_come_back_together(store: Store) -> None:
    await seat(store)
    await send(store, 6, ("b", "c"))
    claims = (
        ("b", 1, "hub:1"),
        ("b", 2, "hub:2"),
        ("c", 1, "hub:1"),
        ("b", 3, "hub2:1"),
        ("b", 4, "hub"),
        ("b", 5, "hub;"),
    )
    for session, number, claim in claims:
        await store.write(lambda tx, s=session, n=number, c=claim: tx.messages.claim("conv_1", s, [n], c, NOW))  # type: ignore[misc]
    agree(
        await store.write(lambda tx: tx.messages.release_owner("hub")),
        3,
        "every claim that begins with owner and colon",
    )
    agree(await waiting(store), [1, 2, 6], "and no other")
    agree((await unread(store, "b"), await unread(store, "c")), (3, 6), "the counters of all sessions follow")


async def an_acknowledgement_reaches_up_to_its_id(store: Store) -> None:
    await seat(store)
    await send(store, 5, ("b", "c"))
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [2], "hub:1", NOW))
    agree(await store.write(lambda tx: tx.messages.ack("conv_1", "b", 3, NOW)), 3, "unread and claimed are counted")
    agree(await store.write(lambda tx: tx.messages.ack("conv_1", "b", 3, NOW)), 0, "what is read is not counted")
    agree((await waiting(store), await unread(store)), ([4, 5], 2), "the rest stays unread")
    agree(await store.write(lambda tx: tx.messages.release("hub:1")), 0, "an acknowledged message is not released")
    agree(await unread(store, "c"), 5, "each recipient has a read mark of its own")


async def an_unconfirmed_message_comes_again(store: Store) -> None:
    await seat(store)
    await send(store, 3)
    await store.write(lambda tx: tx.messages.ack("conv_1", "b", 2, NOW))
    agree(await store.write(lambda tx: tx.messages.unconfirm("conv_1", "b", [1, 1, 3, 9])), 1, "only what was read")
    agree((await waiting(store), await unread(store)), ([1, 3], 2), "it is unread again")


async def history_and_mailbox_page_backwards(store: Store) -> None:
    await seat(store)
    await send(store, 6)
    await store.write(lambda tx: tx.messages.add(message(7), ["c"]))
    await store.write(lambda tx: tx.messages.ack("conv_1", "b", 4, NOW))

    async def ids(tx: Tx, kind: str, before: int | None, limit: int) -> list[int]:
        found = tx.messages.history if kind == "history" else tx.messages.received
        return [m.id for m in await found("conv_1", "b", before, limit)]

    wanted: tuple[tuple[str, int | None, int, list[int]], ...] = (
        ("history", None, 3, [2, 3, 4]),
        ("history", 4, 2, [2, 3]),
        ("history", 1, 2, []),
        ("history", None, 0, []),
        ("received", None, 3, [6, 5, 4]),
        ("received", 4, 10, [3, 2, 1]),
        ("received", 1, 10, []),
    )
    for kind, before, limit, found in wanted:
        seen = await store.read(lambda tx, k=kind, b=before, n=limit: ids(tx, k, b, n))  # type: ignore[misc]
        agree(seen, found, f"{kind} before {before}, at most {limit}")


async def a_conversation_pages_backwards_whoever_its_messages_are_for(store: Store) -> None:
    await seat(store)
    await send(store, 3, ("b",))
    # ids may have gaps: an archive came back
    await store.write(lambda tx: tx.messages.add(message(9, sender="operator"), ["c"]))

    async def ids(before: int | None, limit: int, name: str = "conv_1") -> list[int]:
        return [m.id for m in await store.read(lambda tx: tx.messages.newest(name, before, limit))]

    agree(await ids(None, 2), [9, 3], "the newest come first, up to the limit")
    agree(await ids(9, 2), [3, 2], "those before an id, which need not be there")
    agree(await ids(5, 10), [3, 2, 1], "and over a gap")
    agree((await ids(1, 10), await ids(None, 0), await ids(None, 9, "conv_2")), ([], [], []), "and nothing else")


async def a_sender_sees_what_became_of_a_message(store: Store) -> None:
    await seat(store)
    await send(store, 1, ("c", "a", "b"))
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1], "hub:1", NOW))
    await store.write(lambda tx: tx.messages.ack("conv_1", "c", 1, NOW + 3))
    found = await store.read(lambda tx: tx.messages.deliveries("conv_1", 1))
    wanted = [Delivery(1, "a", None, False), Delivery(1, "b", None, True), Delivery(1, "c", NOW + 3, False)]
    agree(sorted(found, key=lambda d: d.recipient), wanted, "one delivery a recipient, in its state")
    agree(
        [d.state for d in sorted(found, key=lambda d: d.recipient)], ["stored", "delivered", "acknowledged"], "states"
    )
    agree(list(await store.read(lambda tx: tx.messages.deliveries("conv_1", 2))), [], "an unknown message has none")


async def what_was_shown_is_delivered_and_unread_until_it_is_acknowledged(store: Store) -> None:
    await seat(store)
    await send(store, 1, ("b",))
    await store.write(lambda tx: tx.messages.shown("conv_1", "b", [1], NOW))

    async def states(tx: Tx) -> list[str]:
        return [delivery.state for delivery in await tx.messages.deliveries("conv_1", 1)]

    agree(await store.read(states), ["delivered"], "its sender sees it delivered")
    found = await store.read(lambda tx: tx.messages.unread("conv_1", "b", 10, NOW))
    agree([message.id for message in found], [1], "it is unread all the same")
    session = await store.read(lambda tx: tx.sessions.get("conv_1", "b"))
    agree(session and session.unread, 1, "and counted")
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1], "hub:1", NOW))
    await store.write(lambda tx: tx.messages.shown("conv_1", "b", [1], NOW + 1))
    await store.write(lambda tx: tx.messages.confirm("hub:1", NOW + 2))
    agree(await store.read(states), ["acknowledged"], "an acknowledgement ends it")
    await store.write(lambda tx: tx.messages.shown("conv_1", "b", [1], NOW + 3))
    agree(await store.read(states), ["acknowledged"], "and what is read stays read")


MESSAGE_LAWS = (
    a_message_comes_back_as_it_was,
    an_idempotency_key_stores_one_message,
    a_message_needs_its_conversation_and_recipients,
    the_oldest_unread_come_first,
    a_claim_hands_over_once,
    one_of_many_readers_gets_a_message,
    a_released_claim_is_unread_again,
    a_stale_claim_is_taken_over,
    what_is_read_cannot_be_claimed,
    owners_claims_come_back_together,
    an_acknowledgement_reaches_up_to_its_id,
    an_unconfirmed_message_comes_again,
    history_and_mailbox_page_backwards,
    a_conversation_pages_backwards_whoever_its_messages_are_for,
    a_sender_sees_what_became_of_a_message,
    what_was_shown_is_delivered_and_unread_until_it_is_acknowledged,
)
