"""Laws of sealing anew: every sealed text is found until it is under the newest data key, and replaced once."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.reseals import FINISHED, PLACES, UNDER_WAY, Reseal, SealedText
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import Broken, agree, conversation, message, refused, seat, send, together
from multiagent_bridge.testing.store_commands import command
from multiagent_bridge.testing.store_master_keys import FIRST, SECOND, handed_over
from multiagent_bridge.testing.store_tasks import task
from multiagent_bridge.testing.store_yolo import enabling, grant

NEWEST = b"\0\0\0\x02"
"""What a text begins with that the newest data key sealed."""


async def filled(store: Store, name: str = "conv_1", number: int = 1) -> None:
    """A conversation with a text in every place in which one is sealed."""
    await seat(store, name)

    async def written(tx: Tx) -> None:
        await tx.messages.add(message(1, name=name), ["b"])
        await tx.sessions.report(name, "a", "working", b"old note")
        await tx.tasks.add(task(number, name))
        await tx.commands.add(replace(command(number, name), reason=b"old reason", outcome=b"old outcome"))
        await tx.yolo.add_grant(grant(number, name))
        await tx.yolo.add(replace(enabling(number, "asked", name), wish=b"old wish", reason=b"old why"))

    await store.write(written)


async def texts(store: Store, after: int = 0, limit: int = 99, name: str = "conv_1") -> list[SealedText]:
    return list(await store.read(lambda tx: tx.reseals.texts(name, NEWEST, after, limit)))


async def every_sealed_text_is_found_until_it_is_replaced(store: Store) -> None:
    await filled(store)
    await filled(store, "conv_2", 2)
    found = await texts(store)
    agree([one.place for one in found], list(PLACES), "a text in each place, and none of another conversation")
    agree({one.conversation_id for one in found}, {"conv_1"}, "each names its conversation")
    for place, one in enumerate(found, 1):
        fresh = NEWEST + b"\0\xff new " + one.place.encode()
        agree(await store.write(lambda tx, o=one, f=fresh: tx.reseals.replace(o, f)), True, one.place)  # type: ignore[misc]
        agree([left.place for left in await texts(store)], list(PLACES[place:]), "what is replaced is found no more")
    agree(len(await texts(store, name="conv_2")), len(PLACES), "and nothing of another conversation was touched")
    kept = await store.read(lambda tx: tx.messages.get("conv_1", 1))
    agree(kept, replace(message(1), body=NEWEST + b"\0\xff new messages/body"), "the row is the same but for its text")


async def an_empty_text_is_none(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.commands.add(command()))
    agree([one.place for one in await texts(store)], ["commands/order"], "no note, no reason, no outcome")


async def messages_are_found_in_their_order_after_a_place(store: Store) -> None:
    await seat(store)
    await send(store, 6)
    await store.write(lambda tx: tx.sessions.report("conv_1", "b", "working", b"old note"))
    agree([one.id for one in await texts(store, limit=3)], [1, 2, 3], "the first ones")
    agree([one.id for one in await texts(store, after=3, limit=2)], [4, 5], "those after a message")
    agree([one.id for one in await texts(store, after=4)], [5, 6, "b"], "then all other places")
    agree([one.id for one in await texts(store, after=6)], ["b"], "which no message hides")
    agree(await texts(store, limit=0), [], "none if none is wanted")


async def of_many_who_replace_a_text_one_does(store: Store) -> None:
    await filled(store)
    for one in await texts(store):
        work = [lambda n=n, o=one: store.write(lambda tx: tx.reseals.replace(o, NEWEST + bytes([n]))) for n in range(8)]
        agree((await together(work)).count(True), 1, f"{one.place} is replaced once")
        gone = replace(one, id=99 if isinstance(one.id, int) else "none")
        agree(await store.write(lambda tx, g=gone: tx.reseals.replace(g, NEWEST)), False, "one that is not there")  # type: ignore[misc]
    agree(await texts(store), [], "none is left")


async def many_texts_are_replaced_at_once_and_each_once(store: Store) -> None:
    await filled(store)
    for number in range(2, 7):
        await store.write(lambda tx, n=number: tx.messages.add(message(n), ["b"]))  # type: ignore[misc]
    found = await texts(store)
    fresh = [(one, NEWEST + b"\0\xff new " + one.bound.encode()) for one in found]
    stale = [(replace(found[2], sealed=b"another"), NEWEST + b"never"), (replace(found[3], id=99), NEWEST + b"never")]
    agree(await store.write(lambda tx: tx.reseals.replace_all([])), 0, "none of none")
    agree(await store.write(lambda tx: tx.reseals.replace_all([*fresh[:2], *stale])), 2, "those that still fit")
    counts = await together([lambda: store.write(lambda tx: tx.reseals.replace_all(fresh))] * 8)
    agree(sum(counts), len(fresh) - 2, "the others, once")
    agree(await texts(store), [], "none is left")
    kept = await store.read(lambda tx: tx.reseals.texts("conv_1", b"none", 0, 99))
    agree([one.sealed for one in kept], [sealed for _, sealed in fresh], "each in its own place")


async def a_text_of_another_conversation_is_not_replaced(store: Store) -> None:
    await filled(store)
    await seat(store, "conv_2")
    for one in await texts(store):
        moved = replace(one, conversation_id="conv_2")
        agree(await store.write(lambda tx, m=moved: tx.reseals.replace(m, NEWEST)), False, one.place)  # type: ignore[misc]
    agree(len(await texts(store)), len(PLACES), "nothing changed")


async def one_replacement_of_data_keys_is_under_way(store: Store) -> None:
    async def newest() -> Reseal | None:
        return await store.read(lambda tx: tx.reseals.newest())

    agree(await newest(), None, "none before the first")
    await refused(store.write(lambda tx: tx.reseals.count(1, 1)), NotFound, "counted without one")
    agree(await store.write(lambda tx: tx.reseals.finish()), False, "ended without one")
    await store.write(lambda tx: tx.reseals.begin(17))
    await refused(store.write(lambda tx: tx.reseals.begin(18)), Conflict, "a second one")
    for texts_done, keys_done in ((5, 0), (0, 2), (7, 1)):
        await store.write(lambda tx, t=texts_done, k=keys_done: tx.reseals.count(t, k))  # type: ignore[misc]
    agree(await newest(), Reseal(17, UNDER_WAY, 12, 3), "what was done is added up")
    won = await together([lambda: store.write(lambda tx: tx.reseals.finish())] * 8)
    agree(won.count(True), 1, "one ends it")
    agree(await newest(), Reseal(17, FINISHED, 12, 3), "and its counts stay")
    await store.write(lambda tx: tx.reseals.begin(40))
    agree(await newest(), Reseal(40, UNDER_WAY), "the next one counts from nothing")


async def conversations_with_older_data_keys_are_found(store: Store) -> None:
    for number, length in enumerate((64, 68, 136, 204), 1):
        row = replace(conversation(f"conv_{number}"), sealed_key=bytes([number]) * length)
        await store.write(lambda tx, r=row: tx.conversations.add(r))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.conversations.aged(9))
    agree([one.id for one in found], ["conv_3", "conv_4"], "those with more than one, the oldest first")
    agree([one.id for one in await store.read(lambda tx: tx.conversations.aged(1))], ["conv_3"], "as many as wanted")
    was = found[0].sealed_key
    await store.write(lambda tx: tx.conversations.reseal("conv_3", was[:68], was))
    agree([one.id for one in await store.read(lambda tx: tx.conversations.aged(9))], ["conv_4"], "the other is left")


async def what_a_master_key_carries_is_replaced_once(store: Store) -> None:
    await handed_over(store)
    won = await together(
        [lambda n=n: store.write(lambda tx: tx.master_keys.carry(SECOND.id, bytes([n]), b"")) for n in range(8)]  # type: ignore[misc]
    )
    agree(won.count(True), 1, "one replaces it")
    rows = await store.read(lambda tx: tx.master_keys.list())
    if rows[1] not in [replace(SECOND, carried=bytes([n])) for n in range(8)]:
        raise Broken(f"and changes nothing else: found {rows[1]!r}")
    agree(await store.write(lambda tx: tx.master_keys.carry(FIRST.id, b"x", b"")), False, "one that is not current")
    agree(await store.write(lambda tx: tx.master_keys.carry("0badcafe", b"x", b"")), False, "one that is not there")


RESEAL_LAWS = (
    every_sealed_text_is_found_until_it_is_replaced,
    an_empty_text_is_none,
    messages_are_found_in_their_order_after_a_place,
    of_many_who_replace_a_text_one_does,
    many_texts_are_replaced_at_once_and_each_once,
    a_text_of_another_conversation_is_not_replaced,
    one_replacement_of_data_keys_is_under_way,
    conversations_with_older_data_keys_are_found,
    what_a_master_key_carries_is_replaced_once,
)
