"""Laws of a store's transactions."""

from __future__ import annotations

import asyncio

from multiagent_bridge.errors import Conflict, NotAllowed, Unavailable
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import (
    Broken,
    agree,
    conversation,
    draft,
    message,
    refused,
    seat,
    together,
    unread,
)


async def what_raised_left_nothing_behind(store: Store) -> None:
    await seat(store)

    async def failing(tx: Tx) -> None:
        await tx.conversations.add(conversation("conv_2"))
        await tx.messages.add(message(await tx.conversations.count_message("conv_1", 8)), ["b", "c"])
        await tx.journal.append(draft(1))
        raise ValueError("no")

    await refused(store.write(failing), ValueError, "an error of the work reaches the caller")

    async def left(tx: Tx) -> object:
        first = await tx.conversations.get("conv_1")
        return (
            await tx.conversations.get("conv_2"),
            first and first.last_message,
            await tx.messages.list("conv_1", 0, 10),
            (await tx.journal.head()).size,
        )

    agree(await store.read(left), (None, 0, [], 0), "what raised left nothing behind")
    agree(await unread(store), 0, "the counter is rolled back too")


async def errors_of_the_bridge_pass_unchanged(store: Store) -> None:
    wanted = NotAllowed("not you", "ask", fact=1)

    async def failing(tx: Tx) -> None:
        raise wanted

    for attempt in (store.write(failing), store.read(failing)):
        agree(await refused(attempt, NotAllowed, "it passes") is wanted, True, "errors of the bridge pass unchanged")


async def results_come_back(store: Store) -> None:
    await seat(store)

    async def both(tx: Tx) -> tuple[int, int]:
        taken = await tx.conversations.count_message("conv_1", 5)
        seen = await tx.conversations.get("conv_1")
        return taken, seen.bytes if seen else -1

    agree(await store.write(both), (1, 5), "a transaction sees its own writes")
    seen = await store.read(lambda tx: tx.conversations.get("conv_1"))
    agree(seen and (seen.last_message, seen.messages, seen.bytes), (1, 1, 5), "a later read sees what was committed")


async def awaiting_anything_else_is_refused(store: Store) -> None:
    await seat(store)

    async def suspended(tx: Tx) -> None:
        await tx.conversations.count_message("conv_1", 5)
        await asyncio.sleep(0)

    law = "awaiting anything else inside a transaction is refused"
    await refused(store.write(suspended), RuntimeError, law)
    await refused(store.read(suspended), RuntimeError, law)
    seen = await store.read(lambda tx: tx.conversations.get("conv_1"))
    agree(seen and seen.last_message, 0, "what awaited something else left nothing behind")


async def writing_in_a_read_raises(store: Store) -> None:
    await seat(store)
    attempts = (
        lambda tx: tx.conversations.count_message("conv_1", 5),
        lambda tx: tx.sessions.heartbeat("conv_1", "a", 1),
        lambda tx: tx.messages.add(message(1), ["b"]),
        lambda tx: tx.invites.take(b"x"),
        lambda tx: tx.journal.append(draft(1)),
        lambda tx: tx.conversations.remove("conv_1"),
    )
    for attempt in attempts:
        await refused(store.read(attempt), RuntimeError, "writing in a read raises")
    seen = await store.read(lambda tx: tx.conversations.get("conv_1"))
    agree(seen, conversation("conv_1"), "a read that tried to write changed nothing")


async def a_transaction_ends_with_its_work(store: Store) -> None:
    await seat(store)
    kept: list[Tx] = []

    async def keeping(tx: Tx) -> None:
        kept.append(tx)

    await store.write(keeping)
    await store.read(keeping)
    for tx in kept:
        await refused(tx.conversations.get("conv_1"), RuntimeError, "a transaction that has ended answers nothing")
        await refused(tx.sessions.heartbeat("conv_1", "a", 1), RuntimeError, "one that has ended changes nothing")


async def writes_are_serialisable(store: Store) -> None:
    await seat(store)

    async def counted(tx: Tx) -> int:
        before = await tx.conversations.get("conv_1")
        taken = await tx.conversations.count_message("conv_1", 1)
        if before is None or taken != before.last_message + 1:
            raise Broken("another transaction came between two statements of one")
        return taken

    taken = await together([lambda: store.write(counted)] * 60)
    agree(sorted(taken), list(range(1, 61)), "writes at the same time take each its own number")


async def a_failing_write_does_not_touch_its_neighbours(store: Store) -> None:
    await seat(store)

    async def written(tx: Tx, number: int) -> None:
        await tx.conversations.count_message("conv_1", 1)
        await tx.journal.append(draft(number))
        if number % 3 == 0:
            raise ValueError(number)
        if number % 3 == 1:
            await tx.conversations.add(conversation("conv_1"))

    async def attempt(number: int) -> str:
        try:
            await store.write(lambda tx: written(tx, number))
        except (ValueError, Conflict) as error:
            return type(error).__name__
        return "done"

    outcomes = await together([lambda n=n: attempt(n) for n in range(30)])  # type: ignore[misc]
    agree(outcomes, ["ValueError", "Conflict", "done"] * 10, "each caller gets its own outcome")
    seen = await store.read(lambda tx: tx.conversations.get("conv_1"))
    agree(seen and seen.last_message, 10, "only what succeeded is stored")
    agree(len(await store.read(lambda tx: tx.journal.entries(0, 100))), 10, "only what succeeded is journalled")


async def a_closed_store_refuses(store: Store) -> None:
    await seat(store)
    await store.close()

    async def nothing(tx: Tx) -> None:
        return None

    await refused(store.write(nothing), Unavailable, "a closed store refuses writes")
    await refused(store.read(nothing), Unavailable, "a closed store refuses reads")
    await store.close()


TRANSACTION_LAWS = (
    what_raised_left_nothing_behind,
    errors_of_the_bridge_pass_unchanged,
    results_come_back,
    awaiting_anything_else_is_refused,
    writing_in_a_read_raises,
    a_transaction_ends_with_its_work,
    writes_are_serialisable,
    a_failing_write_does_not_touch_its_neighbours,
    a_closed_store_refuses,
)
