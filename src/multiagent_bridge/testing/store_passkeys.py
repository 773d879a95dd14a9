"""Laws of passkeys and their challenges: a challenge serves once, a count moves once, nobody shares a credential."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.passkeys import Challenge, Passkey
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW, agree, refused, together

CHALLENGE = Challenge(b"\x00\xff" * 16, '{"act":"approve","name":"Zoë"}', NOW + 60, "5eal")
ONE = Passkey("passkey_1", b"\x00\xff" * 20, "Zoë", "localhost", b"\xa5\x00" * 30, 0, NOW, "5eal")
TWO = Passkey("passkey_2", b"\x01", "operator", "hub.example", b"\x00", 7, NOW - 1, "ab" * 32, NOW + 1)


async def put(store: Store, *passkeys: Passkey) -> None:
    for one in passkeys:
        await store.write(lambda tx, p=one: tx.passkeys.add(p))  # type: ignore[misc]


async def of_many_who_take_a_challenge_one_gets_it(store: Store) -> None:
    await store.write(lambda tx: tx.passkeys.add_challenge(CHALLENGE))
    twin = replace(CHALLENGE, bound="another")
    await refused(store.write(lambda tx: tx.passkeys.add_challenge(twin)), Conflict, "a digest is one challenge's")
    taken = await together([lambda: store.write(lambda tx: tx.passkeys.take_challenge(CHALLENGE.digest))] * 8)
    agree([one for one in taken if one is not None], [CHALLENGE], "one of eight gets it, as it was stored")
    for digest in (CHALLENGE.digest, b"", CHALLENGE.digest[:16]):
        agree(await store.write(lambda tx, d=digest: tx.passkeys.take_challenge(d)), None, "and nobody afterwards")  # type: ignore[misc]


async def challenges_that_expired_are_swept(store: Store) -> None:
    young = replace(CHALLENGE, digest=b"\x02" * 32, expires_at=NOW + 61)
    for one in (CHALLENGE, young):
        await store.write(lambda tx, c=one: tx.passkeys.add_challenge(c))  # type: ignore[misc]
    await put(store, ONE)
    agree(await store.write(lambda tx: tx.passkeys.sweep(NOW + 60)), 1, "the one that expired")
    agree(await store.write(lambda tx: tx.passkeys.take_challenge(CHALLENGE.digest)), None, "it is gone")
    agree(await store.write(lambda tx: tx.passkeys.take_challenge(young.digest)), young, "the younger is not")
    agree(list(await store.read(lambda tx: tx.passkeys.list())), [ONE], "nor any passkey")


async def a_passkey_is_read_back_as_it_was_added(store: Store) -> None:
    await put(store, ONE, TWO)
    agree(list(await store.read(lambda tx: tx.passkeys.list())), [ONE, TWO], "in the order of adding")
    agree(await store.read(lambda tx: tx.passkeys.by_credential(ONE.credential)), ONE, "by its credential")
    agree(await store.read(lambda tx: tx.passkeys.by_credential(TWO.credential)), TWO, "by its credential")
    agree(await store.read(lambda tx: tx.passkeys.by_credential(b"\x00\xff")), None, "a credential that nobody has")


async def no_two_passkeys_share_an_id_or_a_credential(store: Store) -> None:
    await put(store, ONE)
    for twin in (replace(TWO, id=ONE.id), replace(TWO, credential=ONE.credential)):
        await refused(store.write(lambda tx, t=twin: tx.passkeys.add(t)), Conflict, "id and credential are its own")  # type: ignore[misc]
    agree(list(await store.read(lambda tx: tx.passkeys.list())), [ONE], "and nothing of the twin is left")


async def of_many_who_use_one_count_one_does(store: Store) -> None:
    await put(store, ONE, TWO)
    won = await together([lambda: store.write(lambda tx: tx.passkeys.use("passkey_2", 7, 8, NOW + 5))] * 8)
    agree(sorted(won), [False] * 7 + [True], "one of eight")
    agree(await store.write(lambda tx: tx.passkeys.use("passkey_9", 0, 1, NOW)), False, "one that is not there")
    for at in (NOW + 6, NOW + 7):
        used = await store.write(lambda tx, a=at: tx.passkeys.use("passkey_1", 0, 0, a))  # type: ignore[misc]
        agree(used, True, "one that does not count")
    wanted = [replace(ONE, used_at=NOW + 7), replace(TWO, count=8, used_at=NOW + 5)]
    agree(list(await store.read(lambda tx: tx.passkeys.list())), wanted, "when, and how often")


async def a_removed_passkey_is_gone(store: Store) -> None:
    await put(store, ONE, TWO)
    won = await together([lambda: store.write(lambda tx: tx.passkeys.remove("passkey_1"))] * 8)
    agree(sorted(won), [False] * 7 + [True], "one of eight")
    agree(list(await store.read(lambda tx: tx.passkeys.list())), [TWO], "the other stays")
    await put(store, ONE)


PASSKEY_LAWS = (
    of_many_who_take_a_challenge_one_gets_it,
    challenges_that_expired_are_swept,
    a_passkey_is_read_back_as_it_was_added,
    no_two_passkeys_share_an_id_or_a_credential,
    of_many_who_use_one_count_one_does,
    a_removed_passkey_is_gone,
)
