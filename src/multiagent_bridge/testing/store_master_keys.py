"""Laws of the master keys of a store: one is current, each goes its way once, a retired one brings nothing back."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict, Invalid
from multiagent_bridge.model.master_keys import ACCEPTED, CURRENT, RETIRED, MasterKey
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import Broken, agree, conversation, refused, together

FIRST = MasterKey("00ff00ff", "bridge+00000000+AQ==", CURRENT, 0, b"\x00\xff" * 40)
SECOND = MasterKey("deadbeef", "bridge+11111111+AQ==", CURRENT, 17, b"")
OLD = replace(FIRST, state=ACCEPTED, carried=b"")


async def handed_over(store: Store) -> None:
    async def written(tx: Tx) -> None:
        await tx.master_keys.add(FIRST)
        agree(await tx.master_keys.change(OLD, CURRENT), True, "the first is current no longer")
        await tx.master_keys.add(SECOND)

    await store.write(written)


async def master_keys_come_back_in_their_order(store: Store) -> None:
    agree(list(await store.read(lambda tx: tx.master_keys.list())), [], "none before the first rotation")
    await handed_over(store)
    agree(list(await store.read(lambda tx: tx.master_keys.list())), [OLD, SECOND], "in the order they were added")


async def at_most_one_master_key_is_current(store: Store) -> None:
    await handed_over(store)
    third = replace(SECOND, id="0badcafe")
    await refused(store.write(lambda tx: tx.master_keys.add(third)), Conflict, "a second that is current")
    await refused(store.write(lambda tx: tx.master_keys.add(OLD)), Conflict, "an id that is taken")
    agree(list(await store.read(lambda tx: tx.master_keys.list())), [OLD, SECOND], "and nothing of them is left")


async def of_many_who_retire_a_master_key_one_does(store: Store) -> None:
    await handed_over(store)
    gone = replace(OLD, state=RETIRED)
    won = await together([lambda: store.write(lambda tx: tx.master_keys.change(gone, ACCEPTED))] * 8)
    agree(won.count(True), 1, "it is retired once")
    agree(await store.read(lambda tx: tx.master_keys.list()), [gone, SECOND], "and stays so")
    for key, was in ((replace(SECOND, state=RETIRED), CURRENT), (OLD, RETIRED), (SECOND, ACCEPTED)):
        try:
            await store.write(lambda tx, k=key, w=was: tx.master_keys.change(k, w))  # type: ignore[misc]
        except RuntimeError:
            continue
        raise Broken(f"a master key went from {was} to {key.state}")


async def a_data_key_is_wrapped_anew_once(store: Store) -> None:
    rows = [replace(conversation(f"conv_{n}"), sealed_key=bytes.fromhex(OLD.id) + bytes([n])) for n in (1, 2, 3)]
    for row in rows:
        await store.write(lambda tx, r=row: tx.conversations.add(r))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.conversations.sealed_elsewhere(SECOND.id, 2))
    agree([c.id for c in found], ["conv_1", "conv_2"], "those under another key, the oldest first")
    agree(list(await store.read(lambda tx: tx.conversations.sealed_elsewhere(OLD.id, 9))), [], "none under another")
    fresh = bytes.fromhex(SECOND.id) + b"new"
    won = await together(
        [lambda: store.write(lambda tx: tx.conversations.reseal("conv_1", fresh, rows[0].sealed_key))] * 8
    )
    agree(won.count(True), 1, "one wraps it anew")
    kept = await store.read(lambda tx: tx.conversations.get("conv_1"))
    agree(kept, replace(rows[0], sealed_key=fresh), "and changes nothing else")
    agree(await store.write(lambda tx: tx.conversations.reseal("conv_9", fresh, b"")), False, "one that is not there")
    left = await store.read(lambda tx: tx.conversations.sealed_elsewhere(SECOND.id, 9))
    agree([c.id for c in left], ["conv_2", "conv_3"], "the others are left")


async def nothing_comes_back_under_a_retired_master_key(store: Store) -> None:
    await handed_over(store)
    under = replace(conversation("conv_1"), sealed_key=bytes.fromhex(OLD.id) + b"key")
    await store.write(lambda tx: tx.conversations.add(under))
    await store.write(lambda tx: tx.master_keys.change(replace(OLD, state=RETIRED), ACCEPTED))
    late = replace(under, id="conv_2")
    await refused(store.write(lambda tx: tx.conversations.add(late)), Invalid, "one more under the retired key")
    await store.write(lambda tx: tx.conversations.add(replace(late, sealed_key=bytes.fromhex(SECOND.id) + b"key")))


MASTER_KEY_LAWS = (
    master_keys_come_back_in_their_order,
    at_most_one_master_key_is_current,
    of_many_who_retire_a_master_key_one_does,
    a_data_key_is_wrapped_anew_once,
    nothing_comes_back_under_a_retired_master_key,
)
