"""Laws of conversations, sessions, invites, bindings, the journal and what removing a conversation takes along."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.conversations import Binding, Invite
from multiagent_bridge.model.journal import Head, Verifier
from multiagent_bridge.model.limits import Window
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, agree, conversation, draft, message, refused, seat, together

ONE = (Window(1, 60),)


async def a_conversation_comes_back_as_it_was(store: Store) -> None:
    wanted = replace(conversation(), last_message=3, messages=2, bytes=70)
    await store.write(lambda tx: tx.conversations.add(wanted))
    agree(await store.read(lambda tx: tx.conversations.get("conv_1")), wanted, "a conversation comes back as it was")
    agree(await store.read(lambda tx: tx.conversations.get("conv_2")), None, "an unknown one is None")
    await refused(store.write(lambda tx: tx.conversations.add(conversation())), Conflict, "an id is taken once")
    await store.write(lambda tx: tx.conversations.extend("conv_1", NOW + 7))
    agree(await store.write(lambda tx: tx.conversations.count_message("conv_1", 30)), 4, "the next message id")
    wanted = replace(wanted, expires_at=NOW + 7, last_message=4, messages=3, bytes=100)
    agree(
        await store.read(lambda tx: tx.conversations.get("conv_1")), wanted, "extending and counting change only that"
    )


async def changing_what_is_not_there_is_not_found(store: Store) -> None:
    await seat(store)
    attempts = (
        lambda tx: tx.conversations.count_message("conv_9", 1),
        lambda tx: tx.conversations.extend("conv_9", 1),
        lambda tx: tx.sessions.add(Session("conv_9", "a", "role")),
        lambda tx: tx.sessions.heartbeat("conv_1", "z", 1),
        lambda tx: tx.sessions.report("conv_1", "z", "working", b""),
        lambda tx: tx.sessions.rotate("conv_1", "z"),
        lambda tx: tx.sessions.revoke("conv_9", "a"),
        lambda tx: tx.invites.add(Invite(b"d", "conv_1", "z", NOW)),
        lambda tx: tx.bindings.bind(Binding("agent", "conv_1", "z", 1, NOW)),
    )
    for attempt in attempts:
        await refused(store.write(attempt), NotFound, "changing what is not there is not found")


async def conversations_are_listed_oldest_first(store: Store) -> None:
    for name, created_at in (("conv_2", NOW + 2), ("conv_9", NOW), ("conv_1", NOW + 2), ("conv_5", NOW + 1)):
        await store.write(lambda tx, n=name, c=created_at: tx.conversations.add(conversation(n, c)))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.conversations.list())
    agree([c.id for c in found], ["conv_9", "conv_5", "conv_2", "conv_1"], "oldest first, then as they were added")


async def conversations_are_paged_newest_first(store: Store) -> None:
    for name, created_at in (("conv_2", NOW + 2), ("conv_9", NOW), ("conv_1", NOW + 2), ("conv_5", NOW + 1)):
        await store.write(lambda tx, n=name, c=created_at: tx.conversations.add(conversation(n, c)))  # type: ignore[misc]
    for limit, before, wanted in (
        (9, None, ["conv_1", "conv_2", "conv_5", "conv_9"]),
        (2, None, ["conv_1", "conv_2"]),
        (2, "conv_2", ["conv_5", "conv_9"]),
        (1, "conv_1", ["conv_2"]),
        (9, "conv_9", []),
        (9, "conv_8", []),
    ):
        found = await store.read(lambda tx, n=limit, b=before: tx.conversations.newest(n, b))  # type: ignore[misc]
        agree([c.id for c in found], wanted, f"the newest {limit} before {before}")


async def the_longest_expired_are_found_first(store: Store) -> None:
    for name, expires_at in (("conv_2", NOW), ("conv_9", NOW - 5), ("conv_1", NOW), ("conv_5", NOW + 1)):
        made = replace(conversation(name), expires_at=expires_at)
        await store.write(lambda tx, c=made: tx.conversations.add(c))  # type: ignore[misc]
    for before, limit, wanted in ((NOW, 9, ["conv_9", "conv_2", "conv_1"]), (NOW, 2, ["conv_9", "conv_2"])):
        found = await store.read(lambda tx, b=before, n=limit: tx.conversations.expired(b, n))  # type: ignore[misc]
        agree([c.id for c in found], wanted, "the longest expired first, then as they were added")
    agree(len(await store.read(lambda tx: tx.conversations.expired(NOW - 6, 9))), 0, "nothing that expired later")


async def removing_a_conversation_takes_all_but_the_journal(store: Store) -> None:
    for name in ("conv_1", "conv_10", "conv_2"):
        await seat(store, name)
        await store.write(lambda tx, n=name: filled(tx, n))  # type: ignore[misc]
    kept = [await store.read(lambda tx, n=n: remains(tx, n)) for n in ("conv_10", "conv_2")]  # type: ignore[misc]
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await store.read(lambda tx: remains(tx, "conv_1")), (None, [], [], [], 0), "everything of it is gone")
    left = [await store.read(lambda tx, n=n: remains(tx, n)) for n in ("conv_10", "conv_2")]  # type: ignore[misc]
    agree(left, kept, "nothing of the others is")
    agree(await store.write(lambda tx: tx.invites.take(b"invite conv_1")), None, "its invites are gone")
    agree(await store.write(lambda tx: tx.buckets.charge("conv_1/a:write", ONE, NOW)), 0, "its rate buckets are gone")
    for key in ("conv_10/a:write", "conv_2/a:write", "uid:1000:conv_1/"):
        wait = await store.write(lambda tx, k=key: tx.buckets.charge(k, ONE, NOW))  # type: ignore[misc]
        agree(wait > 0, True, f"the bucket {key} stays")
    agree(len(await store.read(lambda tx: tx.journal.entries(0, 9, "conv_1"))), 1, "the journal stays")
    await seat(store)
    agree(
        await store.read(lambda tx: remains(tx, "conv_1")), (conversation(), ["a", "b", "c"], [], [], 0), "a new start"
    )


async def filled(tx: Tx, name: str) -> None:
    await tx.messages.add(message(await tx.conversations.count_message(name, 8), name=name), ["b", "c"])
    await tx.messages.claim(name, "c", [1], "hub:1", NOW)
    await tx.invites.add(Invite(b"invite " + name.encode(), name, "b", NOW))
    await tx.bindings.bind(Binding("agent", name, "a", 1, NOW))
    for key in (f"{name}/a:write", f"uid:1000:{name}/"):
        await tx.buckets.charge(key, ONE, NOW)
    await tx.journal.append(draft(1, name))


async def remains(tx: Tx, name: str) -> tuple[object, list[str], list[int], list[str], int]:
    return (
        await tx.conversations.get(name),
        [s.id for s in await tx.sessions.of(name)],
        [m.id for m in await tx.messages.list(name, 0, 10)],
        list(await tx.bindings.holders(name, "a")),
        len(await tx.messages.deliveries(name, 1)),
    )


async def a_session_comes_back_as_it_was(store: Store) -> None:
    await store.write(lambda tx: tx.conversations.add(conversation()))
    wanted = Session("conv_1", "a", "reviewer \u00e9", 3, True, "blocked", b"\0note", NOW, 0)
    await store.write(lambda tx: tx.sessions.add(wanted))
    agree(await store.read(lambda tx: tx.sessions.get("conv_1", "a")), wanted, "a session comes back as it was")
    agree(await store.read(lambda tx: tx.sessions.get("conv_1", "b")), None, "an unknown one is None")
    await refused(store.write(lambda tx: tx.sessions.add(wanted)), Conflict, "a session id is taken once")


async def sessions_keep_the_order_they_were_added_in(store: Store) -> None:
    names = [*"abcdefghijklmnopqrstuvwxyz", "aa", "ab"]
    await seat(store, sessions=names)
    found = await store.read(lambda tx: tx.sessions.of("conv_1"))
    agree([s.id for s in found], names, "sessions keep the order they were added in")
    agree(list(await store.read(lambda tx: tx.sessions.of("conv_2"))), [], "another conversation has none")


async def a_heartbeat_moves_forth_and_back(store: Store) -> None:
    await seat(store)

    async def beat(at: int) -> tuple[str, int | None]:
        await store.write(lambda tx: tx.sessions.heartbeat("conv_1", "a", at))
        found = await store.read(lambda tx: tx.sessions.get("conv_1", "a"))
        return (found.status, found.last_heartbeat) if found else ("gone", None)

    agree(await beat(NOW), ("working", NOW), "the first heartbeat moves the status from unknown to working")
    await store.write(lambda tx: tx.sessions.report("conv_1", "a", "blocked", b"sealed"))
    agree(await beat(NOW + 5), ("blocked", NOW + 5), "a later one leaves the status")
    agree(await beat(NOW - 5), ("blocked", NOW - 5), "a heartbeat moves back with the clock")
    found = await store.read(lambda tx: tx.sessions.get("conv_1", "a"))
    agree(found and found.sealed_note, b"sealed", "and leaves the note")


async def standing(tx: Tx) -> tuple[int, bool, list[str], bool]:
    """Of session a: generation, whether it is revoked, who holds it; and whether its invite is there."""
    found = await tx.sessions.get("conv_1", "a")
    holders = list(await tx.bindings.holders("conv_1", "a"))
    return found.generation if found else 0, bool(found and found.revoked), holders, bool(await tx.invites.take(b"i"))


async def rotating_and_revoking_end_what_was_given_out(store: Store) -> None:
    await seat(store)

    async def given(tx: Tx) -> None:
        generation = (await standing(tx))[0]
        await tx.bindings.bind(Binding("agent", "conv_1", "a", generation, NOW))
        await tx.invites.add(Invite(b"i", "conv_1", "a", NOW))

    await store.write(lambda tx: tx.bindings.bind(Binding("agent", "conv_1", "b", 1, NOW)))
    await store.write(given)
    agree(await store.write(lambda tx: tx.sessions.rotate("conv_1", "a")), 2, "rotate returns the new generation")
    agree(await store.write(standing), (2, False, [], False), "rotating drops bindings and invites")
    await store.write(given)
    await store.write(lambda tx: tx.sessions.revoke("conv_1", "a"))
    agree(await store.write(standing), (2, True, [], False), "revoking drops them too")
    await store.write(given)
    found = await store.read(lambda tx: tx.bindings.holders("conv_1", "a"))
    agree(list(found), [], "a binding to a revoked session is nobody's")
    agree(await store.write(lambda tx: tx.sessions.rotate("conv_1", "a")), 3, "rotating lifts the revocation")
    agree(await store.write(standing), (3, False, [], False), "but gives nothing back")
    found = await store.read(lambda tx: tx.bindings.holders("conv_1", "b"))
    agree(list(found), ["agent"], "another session keeps its own")


async def an_invite_is_taken_once(store: Store) -> None:
    await seat(store)
    wanted = Invite(b"\0digest", "conv_1", "b", NOW)
    await store.write(lambda tx: tx.invites.add(wanted))
    await refused(store.write(lambda tx: tx.invites.add(wanted)), Conflict, "a code is given once")
    taken = await together([lambda: store.write(lambda tx: tx.invites.take(b"\0digest"))] * 30)
    agree([one for one in taken if one is not None], [wanted], "of many takers one gets it")


async def expired_invites_are_swept(store: Store) -> None:
    await seat(store)
    for number in range(4):
        await store.write(lambda tx, n=number: tx.invites.add(Invite(bytes([n]), "conv_1", "b", NOW + n)))  # type: ignore[misc]
    agree(await store.write(lambda tx: tx.invites.sweep(NOW + 1)), 2, "those expired at that instant")
    agree(await store.write(lambda tx: tx.invites.take(b"\1")), None, "an expired one is gone")
    agree((await store.write(lambda tx: tx.invites.take(b"\2"))) is not None, True, "the others stay")


async def bindings_follow_their_session(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    first, second = Binding("agent", "conv_2", "a", 1, NOW), Binding("agent", "conv_1", "b", 1, NOW + 1)

    async def bound(tx: Tx) -> None:
        for binding in (
            first,
            second,
            Binding("agent", "conv_1", "c", 7, NOW),
            Binding("other", "conv_1", "b", 1, NOW),
        ):
            await tx.bindings.bind(binding)

    await store.write(bound)
    agree(list(await store.read(lambda tx: tx.bindings.of("agent"))), [first, second], "of its own, oldest first")
    holders = await store.read(lambda tx: tx.bindings.holders("conv_1", "b"))
    agree(sorted(holders), ["agent", "other"], "every agent that holds the session")
    again = replace(first, bound_at=NOW + 9)
    await store.write(lambda tx: tx.bindings.bind(again))
    agree(list(await store.read(lambda tx: tx.bindings.of("agent"))), [second, again], "binding again replaces it")
    await store.write(lambda tx: tx.sessions.rotate("conv_1", "b"))
    agree(list(await store.read(lambda tx: tx.bindings.of("agent"))), [again], "a generation later it is none")


async def old_bindings_are_swept_by_prefix(store: Store) -> None:
    await seat(store)
    agents = ("conn:1", "conn:2", "name:x", "con", "%onn:3", "conn:9")
    for number, agent in enumerate(agents):
        at = NOW + (10 if agent == "conn:9" else number)
        await store.write(lambda tx, g=agent, t=at: tx.bindings.bind(Binding(g, "conv_1", "a", 1, t)))  # type: ignore[misc]
    agree(await store.write(lambda tx: tx.bindings.sweep(NOW + 9, "conn:")), 2, "made before, with that prefix")
    left = await store.read(lambda tx: tx.bindings.holders("conv_1", "a"))
    agree(sorted(left), sorted(["name:x", "con", "%onn:3", "conn:9"]), "and no other")
    agree(await store.write(lambda tx: tx.bindings.sweep(NOW + 99, "")), 4, "the empty prefix is everybody's")


async def the_journal_is_one_chain(store: Store) -> None:
    agree(await store.read(lambda tx: tx.journal.head()), Head.EMPTY, "an empty journal has the empty head")

    async def recorded(tx: Tx, number: int) -> int:
        entry, head = await tx.journal.append(draft(number, f"conv_{number % 2}"))
        if (head.size, head) != (entry.seq, await tx.journal.head()):
            raise ValueError("append returns the head that it stored")
        return entry.seq

    seqs = await together([lambda n=n: store.write(lambda tx: recorded(tx, n)) for n in range(20)])  # type: ignore[misc]
    agree(sorted(seqs), list(range(1, 21)), "every entry has a place of its own")
    verifier = Verifier()
    for _, line in await store.read(lambda tx: tx.journal.lines(0, 100)):
        verifier.feed(line)
    agree(verifier.finish(), await store.read(lambda tx: tx.journal.head()), "the lines lead to the head")


async def the_journal_pages_by_number(store: Store) -> None:
    for number in range(1, 8):
        await store.write(lambda tx, n=number: tx.journal.append(draft(n, f"conv_{n % 2}")))  # type: ignore[misc]

    async def pages(tx: Tx) -> list[list[int]]:
        return [
            [e.seq for e in await tx.journal.entries(2, 3)],
            [e.seq for e in await tx.journal.entries(1, 2, "conv_1")],
            [e.seq for e in await tx.journal.entries(7, 5)],
            [e.seq for e in await tx.journal.newest(2)],
            [e.seq for e in await tx.journal.newest(2, "conv_0")],
            [e.seq for e in await tx.journal.newest(99)],
            [seq for seq, _ in await tx.journal.lines(5, 9)],
            [e.seq for e in await tx.journal.older(6, 2)],
            [e.seq for e in await tx.journal.older(6, 2, "conv_1")],
            [e.seq for e in await tx.journal.older(99, 9, "conv_0")],
            [e.seq for e in await tx.journal.older(1, 9)],
        ]

    wanted = [[3, 4, 5], [3, 5], [], [6, 7], [4, 6], [1, 2, 3, 4, 5, 6, 7], [6, 7], [5, 4], [5, 3], [6, 4, 2], []]
    agree(await store.read(pages), wanted, "entries, newest, older and lines page by number")


async def a_checkpoint_stays_as_it_was_published(store: Store) -> None:
    agree(await store.read(lambda tx: tx.journal.last_checkpoint()), None, "none before the first")
    for size, note in ((20, "twenty\n"), (10, "ten \u2014\n"), (20, "another twenty\n")):
        await store.write(lambda tx, s=size, n=note: tx.journal.add_checkpoint(s, n))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.journal.checkpoints())
    agree(list(found), [(10, "ten \u2014\n"), (20, "twenty\n")], "by size, and the first of a size stays")
    agree(await store.read(lambda tx: tx.journal.last_checkpoint()), (20, "twenty\n"), "the largest is the last")


NOUN_LAWS = (
    a_conversation_comes_back_as_it_was,
    changing_what_is_not_there_is_not_found,
    conversations_are_listed_oldest_first,
    conversations_are_paged_newest_first,
    the_longest_expired_are_found_first,
    removing_a_conversation_takes_all_but_the_journal,
    a_session_comes_back_as_it_was,
    sessions_keep_the_order_they_were_added_in,
    a_heartbeat_moves_forth_and_back,
    rotating_and_revoking_end_what_was_given_out,
    an_invite_is_taken_once,
    expired_invites_are_swept,
    bindings_follow_their_session,
    old_bindings_are_swept_by_prefix,
    the_journal_is_one_chain,
    the_journal_pages_by_number,
    a_checkpoint_stays_as_it_was_published,
)
