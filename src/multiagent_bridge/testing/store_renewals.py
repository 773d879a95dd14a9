"""Laws of renewals: of many who renew a token one does, and nobody who was let in before is put out by it."""

from __future__ import annotations

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.conversations import Binding, Invite
from multiagent_bridge.model.renewals import ENDED, OPEN, TAKEN_UP, Renewal
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW, agree, refused, seat, together


async def look(store: Store, session: str = "a", name: str = "conv_1") -> Renewal | None:
    return await store.read(lambda tx: tx.renewals.get(name, session))


async def renew(store: Store, generation: int = 1, at: int = NOW, offered: bool = True, session: str = "a") -> bool:
    return await store.write(lambda tx: tx.renewals.renew("conv_1", session, generation, at, offered))


async def session(store: Store, name: str = "a") -> Session | None:
    return await store.read(lambda tx: tx.sessions.get("conv_1", name))


async def of_many_who_renew_a_token_one_does(store: Store) -> None:
    await seat(store)
    agree(await look(store), None, "a session begins without a renewal")
    won = await together([lambda n=n: renew(store, 1, NOW + n) for n in range(8)])  # type: ignore[misc]
    agree(sorted(won), [False] * 7 + [True], "one of eight")
    wanted = Renewal("conv_1", "a", 2, NOW + won.index(True), OPEN, NOW + won.index(True))
    agree(await look(store), wanted, "it is read back as it was made")
    found = await session(store)
    agree(found and found.generation, 2, "the session moved one generation")
    agree(await look(store, "b"), None, "another session did not")
    agree(await renew(store, 2, NOW + 50, offered=False), True, "the next generation is renewed in turn")
    agree(await look(store), Renewal("conv_1", "a", 3, NOW + 50, OPEN, None), "in the place of the one before")


async def a_renewal_changes_nothing_else(store: Store) -> None:
    await seat(store)
    old, other = Binding("gone", "conv_1", "a", 7, NOW), Binding("agent", "conv_1", "b", 1, NOW)
    for one in (Binding("agent", "conv_1", "a", 1, NOW), old, other):
        await store.write(lambda tx, b=one: tx.bindings.bind(b))  # type: ignore[misc]
    await store.write(lambda tx: tx.invites.add(Invite(b"i", "conv_1", "a", NOW)))
    await store.write(lambda tx: tx.sessions.report("conv_1", "a", "blocked", b"sealed"))
    agree(await renew(store), True, "it is renewed")
    moved = Binding("agent", "conv_1", "a", 2, NOW)
    agree(list(await store.read(lambda tx: tx.bindings.of("agent"))), [moved, other], "who is bound stays bound")
    agree(list(await store.read(lambda tx: tx.bindings.of("gone"))), [], "and no one else comes to be")
    taken = await store.write(lambda tx: tx.invites.take(b"i"))
    agree(taken, Invite(b"i", "conv_1", "a", NOW), "an invite stays")
    wanted = Session("conv_1", "a", "role of a", 2, status="blocked", sealed_note=b"sealed")
    agree(await session(store), wanted, "the session is as it was")


async def nothing_is_renewed_but_a_live_session_of_that_generation(store: Store) -> None:
    await seat(store)
    for generation in (0, 2):
        agree(await renew(store, generation), False, "of another generation")
    agree(await renew(store, session="z"), False, "one that is not there")
    await store.write(lambda tx: tx.sessions.revoke("conv_1", "a"))
    agree(await renew(store), False, "a revoked one")
    found = await session(store)
    agree(found and (found.generation, found.revoked), (1, True), "and nothing was changed")
    agree(await look(store), None, "nor is there a renewal")


async def a_token_is_first_offered_once(store: Store) -> None:
    await seat(store)

    async def offer(generation: int, at: int) -> bool:
        return await store.write(lambda tx: tx.renewals.offer("conv_1", "a", generation, at))

    agree(await offer(1, NOW), False, "without a renewal")
    await renew(store, offered=False)
    agree([await offer(n, NOW) for n in (1, 3)], [False, False], "of another generation")
    won = await together([lambda n=n: offer(2, NOW + n) for n in range(8)])  # type: ignore[misc]
    agree(sorted(won), [False] * 7 + [True], "one of eight is the first")
    agree(await look(store), Renewal("conv_1", "a", 2, NOW, OPEN, NOW + won.index(True)), "its instant stays")
    await renew(store, 2, offered=True)
    agree(await offer(3, NOW + 9), False, "one that was offered when it was made")


async def a_token_is_taken_up_once(store: Store) -> None:
    await seat(store)

    async def take_up(generation: int) -> bool:
        return await store.write(lambda tx: tx.renewals.take_up("conv_1", "a", generation))

    agree(await take_up(1), False, "without a renewal")
    await renew(store)
    agree([await take_up(n) for n in (1, 3)], [False, False], "of another generation")
    won = await together([lambda: take_up(2)] * 8)
    agree(sorted(won), [False] * 7 + [True], "one of eight takes it up")
    agree(await look(store), Renewal("conv_1", "a", 2, NOW, TAKEN_UP, NOW), "the overlap is over")
    offered = await store.write(lambda tx: tx.renewals.offer("conv_1", "a", 2, NOW))
    agree(offered, False, "and nothing is offered any more")


async def a_token_that_a_person_made_has_no_overlap(store: Store) -> None:
    await seat(store)
    await renew(store)
    await store.write(lambda tx: tx.sessions.rotate("conv_1", "a"))
    agree(await look(store), None, "what was renewed says nothing of the generation after it")
    for at in (NOW + 1, NOW + 2):
        await store.write(lambda tx, t=at: tx.renewals.restart("conv_1", "a", 3, t))  # type: ignore[misc]
    agree(await look(store), Renewal("conv_1", "a", 3, NOW + 2, ENDED, None, 3), "a person made it then")
    for change in (
        lambda tx: tx.renewals.offer("conv_1", "a", 3, NOW),
        lambda tx: tx.renewals.take_up("conv_1", "a", 3),
    ):
        agree(await store.write(change), False, "there is nothing to take up")
    for generation in (3, 4):
        await renew(store, generation, NOW + 9)
        wanted = Renewal("conv_1", "a", generation + 1, NOW + 9, OPEN, NOW + 9, 3)
        agree(await look(store), wanted, "and what follows it knows")
    attempt = store.write(lambda tx: tx.renewals.restart("conv_1", "z", 1, NOW))
    await refused(attempt, NotFound, "of a session that is not there")


async def a_renewal_leaves_with_its_conversation(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    await renew(store)
    await store.write(lambda tx: tx.renewals.renew("conv_2", "a", 1, NOW, True))
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await look(store), None, "it is gone")
    await seat(store)
    agree(await look(store), None, "and does not come back")
    agree(await look(store, "a", "conv_2"), Renewal("conv_2", "a", 2, NOW, OPEN, NOW), "another's stays")


RENEWAL_LAWS = (
    of_many_who_renew_a_token_one_does,
    a_renewal_changes_nothing_else,
    nothing_is_renewed_but_a_live_session_of_that_generation,
    a_token_is_first_offered_once,
    a_token_is_taken_up_once,
    a_token_that_a_person_made_has_no_overlap,
    a_renewal_leaves_with_its_conversation,
)
