"""Laws of the keys of a hub: found by what they are, ended once, never another's."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.identities import ApiKey
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import HOUR, NOW, agree, refused, seat, together

PLAIN = ApiKey("key_1", "laptop of Zoë", b"\x00\xff" * 16, ("agent",), None, NOW, None, "5eal")
CONFINED = ApiKey(
    "key_2", "pipeline", b"\x01" * 32, ("operator", "auditor"), ("conv_1", "conv_2"), NOW - 1, NOW + HOUR, "ab" * 32
)


async def put(store: Store, *keys: ApiKey) -> None:
    for key in keys:
        await store.write(lambda tx, k=key: tx.api_keys.add(k))  # type: ignore[misc]


async def a_key_comes_back_as_it_was_stored(store: Store) -> None:
    empty = replace(PLAIN, id="key_3", digest=b"\x02" * 32, conversations=())
    await put(store, PLAIN, CONFINED, empty)
    for wanted in (PLAIN, CONFINED, empty):
        agree(await store.read(lambda tx, w=wanted: tx.api_keys.get(w.id)), wanted, "by its id")  # type: ignore[misc]
        agree(await store.read(lambda tx, w=wanted: tx.api_keys.by_digest(w.digest)), wanted, "by its digest")  # type: ignore[misc]
    agree(list(await store.read(lambda tx: tx.api_keys.list())), [PLAIN, CONFINED, empty], "in the order of adding")
    agree(await store.read(lambda tx: tx.api_keys.get("key_9")), None, "an id that nobody has")
    for other in (b"\x03" * 32, b"", PLAIN.digest[:16], PLAIN.digest.upper() + b"\x00"):
        agree(await store.read(lambda tx, o=other: tx.api_keys.by_digest(o)), None, "a digest that nobody has")  # type: ignore[misc]


async def no_two_keys_share_an_id_or_a_digest(store: Store) -> None:
    await put(store, PLAIN)
    for twin in (replace(CONFINED, id=PLAIN.id), replace(CONFINED, digest=PLAIN.digest)):
        await refused(store.write(lambda tx, t=twin: tx.api_keys.add(t)), Conflict, "id and digest are its own")  # type: ignore[misc]
    agree(list(await store.read(lambda tx: tx.api_keys.list())), [PLAIN], "and nothing of the twin is left")


async def of_many_who_revoke_a_key_one_does(store: Store) -> None:
    await put(store, PLAIN, CONFINED)
    won = await together([lambda: store.write(lambda tx: tx.api_keys.revoke("key_1", NOW + 5))] * 8)
    agree(won.count(True), 1, "a key ends once")
    agree(await store.write(lambda tx: tx.api_keys.revoke("key_1", NOW + 9)), False, "and stays ended")
    agree(await store.write(lambda tx: tx.api_keys.revoke("key_9", NOW)), False, "one that is not there does not end")
    agree(await store.read(lambda tx: tx.api_keys.get("key_1")), replace(PLAIN, revoked_at=NOW + 5), "when it ended")
    agree(await store.read(lambda tx: tx.api_keys.get("key_2")), CONFINED, "the others go on")


async def the_last_use_of_a_key_never_falls(store: Store) -> None:
    await put(store, PLAIN, CONFINED)
    for at, last in ((NOW + 5, NOW + 5), (NOW + 3, NOW + 5), (NOW + 7, NOW + 7)):
        await store.write(lambda tx, a=at: tx.api_keys.touch("key_1", a))  # type: ignore[misc]
        agree(await store.read(lambda tx: tx.api_keys.get("key_1")), replace(PLAIN, used_at=last), "the latest counts")
    await store.write(lambda tx: tx.api_keys.touch("key_9", NOW))
    agree(await store.read(lambda tx: tx.api_keys.get("key_2")), CONFINED, "another key was not used")


async def a_key_outlives_the_conversations_it_is_confined_to(store: Store) -> None:
    await seat(store)
    await put(store, CONFINED)
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await store.read(lambda tx: tx.api_keys.get("key_2")), CONFINED, "it stays confined to what is gone")


API_KEY_LAWS = (
    a_key_comes_back_as_it_was_stored,
    no_two_keys_share_an_id_or_a_digest,
    of_many_who_revoke_a_key_one_does,
    the_last_use_of_a_key_never_falls,
    a_key_outlives_the_conversations_it_is_confined_to,
)
