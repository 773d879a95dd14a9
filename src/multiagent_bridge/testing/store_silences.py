"""Laws of silences: who is stale and why, and that of many watchdogs one acts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Orphan, Quiet, Silence, Watch
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import HOUR, NOW, agree, conversation, refused, seat, send, together, unread
from multiagent_bridge.testing.store_tasks import task

FIRST = Silence("conv_1", "b", "warned", NOW, NOW + 1, NOW + 2)
ORPHAN = Orphan("conv_1", "task_1", 2, "b")


async def stale(store: Store, before: int = NOW, now: int = NOW + HOUR) -> list[str]:
    found = await store.read(lambda tx: tx.sessions.stale(before, now))
    return [f"{quiet.session.conversation_id}/{quiet.session.id}" for quiet in found]


async def beat(store: Store, session: str, at: int, name: str = "conv_1") -> None:
    await store.write(lambda tx: tx.sessions.heartbeat(name, session, at))


async def the_stale_are_found_oldest_first(store: Store) -> None:
    await seat(store, sessions=("a", "b", "c", "d"))
    await seat(store, "conv_2")
    for session, at in (("a", NOW - 5), ("b", NOW), ("c", NOW + 1)):
        await beat(store, session, at)
    await beat(store, "a", NOW - 7, "conv_2")
    agree(
        await stale(store), ["conv_2/a", "conv_1/a", "conv_1/b"], "up to that instant, oldest first, d was never seen"
    )
    agree(await stale(store, NOW - 8), [], "no heartbeat is that old")
    agree(
        await stale(store, NOW - 8, NOW),
        ["conv_1/c"],
        "a heartbeat from the future is one before the clock was set back",
    )


async def the_revoked_and_the_expired_are_not_stale(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    for name in ("conv_1", "conv_2"):
        await beat(store, "a", NOW, name)
        await beat(store, "b", NOW, name)
    await store.write(lambda tx: tx.sessions.revoke("conv_1", "a"))
    await store.write(lambda tx: tx.conversations.extend("conv_2", NOW + HOUR))
    agree(await stale(store, NOW, NOW + HOUR - 1), ["conv_1/b", "conv_2/a", "conv_2/b"], "a conversation that lives")
    agree(await stale(store), ["conv_1/b"], "one that expires at that instant does not")


async def what_waits_for_the_stale_is_told(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    await beat(store, "b", NOW)
    await store.write(lambda tx: tx.sessions.report("conv_1", "b", "waiting", b"sealed"))
    plain = Session("conv_1", "b", "role of b", status="waiting", sealed_note=b"sealed", last_heartbeat=NOW)

    async def found() -> Quiet:
        [one] = await store.read(lambda tx: tx.sessions.stale(NOW, NOW + HOUR))
        return one

    agree(await found(), Quiet(plain, None, 0, None), "nothing waits")
    await send(store, 3, ["b", "c"])
    await send(store, 1, ["b"], "conv_2")
    agree(await found(), Quiet(replace(plain, unread=3), NOW + 1, 0, None), "the oldest unread message")
    await store.write(lambda tx: tx.messages.claim("conv_1", "b", [1], "hub:1", NOW))
    agree(
        await found(), Quiet(replace(plain, unread=2), NOW + 2, 0, None), "one that is being handed over is not unread"
    )
    agree(await unread(store), 2, "as the counter has it")
    await store.write(lambda tx: tx.messages.ack("conv_1", "b", 3, NOW))
    for number, (who, state) in enumerate((("b", "open"), ("b", "complete"), ("c", "open"), ("b", "in_progress"))):
        made = task(number, assignee=who, state=state, updated_at=NOW + 9 - number)
        await store.write(lambda tx, t=made: tx.tasks.add(t))  # type: ignore[misc]
    await store.write(lambda tx: tx.tasks.add(task(0, "conv_2")))
    agree(await found(), Quiet(plain, None, 2, NOW + 6), "its unfinished tasks and the oldest of them")


async def of_many_who_warn_one_does(store: Store) -> None:
    await seat(store)
    won = await together([lambda: store.write(lambda tx: tx.silences.add(FIRST))] * 8)
    agree(won.count(True), 1, "one silence a session")
    other = replace(FIRST, heartbeat=NOW + 9)
    agree(await store.write(lambda tx: tx.silences.add(other)), False, "another heartbeat is no other silence")
    third = replace(FIRST, session_id="a", handed=2)
    agree(await store.write(lambda tx: tx.silences.add(third)), True, "another session has its own")
    agree(list(await store.read(lambda tx: tx.silences.list())), [FIRST, third], "in the order they were added")
    for wrong in (replace(FIRST, session_id="z"), replace(FIRST, conversation_id="conv_9")):
        await refused(store.write(lambda tx, w=wrong: tx.silences.add(w)), NotFound, "its session must be there")  # type: ignore[misc]
    begun = replace(FIRST, session_id="c", state="escalated")
    await refused(store.write(lambda tx: tx.silences.add(begun)), RuntimeError, "no silence begins escalated")


async def a_silence_is_changed_only_by_who_saw_it_as_it_is(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.silences.add(FIRST))
    after = replace(FIRST, state="escalated", handed=3, began_at=NOW + 5, warned_at=NOW + 6, heartbeat=NOW + 7)
    for name, value in (("state", "escalated"), ("heartbeat", 1), ("began_at", 1), ("warned_at", 1), ("handed", 1)):
        seen = replace(FIRST, **{name: value})  # type: ignore[arg-type]
        agree(await store.write(lambda tx, w=seen: tx.silences.change(after, w)), False, f"another {name} was seen")  # type: ignore[misc]
        agree(await store.write(lambda tx, w=seen: tx.silences.remove(w)), False, f"another {name} was seen")  # type: ignore[misc]

    def changing(wanted: Silence, was: Silence) -> Callable[[], Awaitable[bool]]:
        return lambda: store.write(lambda tx: tx.silences.change(wanted, was))

    agree((await together([changing(after, FIRST)] * 5)).count(True), 1, "of many one changes it")
    agree(list(await store.read(lambda tx: tx.silences.list())), [after], "it stands as it was changed")
    await refused(changing(FIRST, after)(), RuntimeError, "an escalation is not taken back")
    agree(await changing(replace(after, handed=4), after)(), True, "the same state again is a step")
    away = replace(after, session_id="c")
    await refused(changing(away, after)(), RuntimeError, "a silence stays with its session")
    last = replace(after, handed=4)
    gone = await together([lambda: store.write(lambda tx: tx.silences.remove(last))] * 5)
    agree(gone.count(True), 1, "of many one ends it")
    agree(await store.write(lambda tx: tx.silences.add(FIRST)), True, "and it may begin again")


async def an_orphan_is_adopted_once(store: Store) -> None:
    await seat(store)
    for number in (1, 2):
        await store.write(lambda tx, n=number: tx.tasks.add(task(n)))  # type: ignore[misc]
    for orphan in (ORPHAN, replace(ORPHAN, task_id="task_2"), replace(ORPHAN, fence=5)):
        await store.write(lambda tx, o=orphan: tx.silences.orphan(o))  # type: ignore[misc]
    wanted = [replace(ORPHAN, task_id="task_2"), replace(ORPHAN, fence=5)]
    agree(list(await store.read(lambda tx: tx.silences.orphans())), wanted, "one a task, the newest last")
    agree(await store.write(lambda tx: tx.silences.adopt(ORPHAN)), False, "another fence was seen")
    found = await together([lambda: store.write(lambda tx: tx.silences.adopt(wanted[1]))] * 5)
    agree(found.count(True), 1, "of many one adopts it")
    away = replace(ORPHAN, task_id="task_9")
    await refused(store.write(lambda tx: tx.silences.orphan(away)), NotFound, "its task must be there")


async def of_two_checks_that_saw_the_same_watch_one_goes_on(store: Store) -> None:
    agree(await store.read(lambda tx: tx.silences.watch()), None, "nobody has looked yet")
    one = Watch(NOW, "boot-1", 7, 3, 1)
    won = await together([lambda: store.write(lambda tx: tx.silences.watched(one, None))] * 5)
    agree(won.count(True), 1, "of many first checks one is the first")
    agree(await store.read(lambda tx: tx.silences.watch()), one, "it comes back as it was")
    two = Watch(NOW + 1, "", 8)
    for name, value in (("at", 1), ("boot", ""), ("boottime", 1), ("since", 1), ("steps", 9)):
        seen = replace(one, **{name: value})  # type: ignore[arg-type]
        agree(await store.write(lambda tx, w=seen: tx.silences.watched(two, w)), False, f"another {name} was seen")  # type: ignore[misc]
    agree(await store.write(lambda tx: tx.silences.watched(two, one)), True, "the one that was seen is")
    agree(await store.read(lambda tx: tx.silences.watch()), two, "and stands")


async def what_a_client_was_told_never_falls(store: Store) -> None:
    await seat(store)
    agree(dict(await store.read(lambda tx: tx.sessions.told("conv_1"))), {"a": 0, "b": 0, "c": 0}, "nothing at first")
    for through in (3, 7, 5):
        await store.write(lambda tx, n=through: tx.sessions.tell("conv_1", "b", n))  # type: ignore[misc]
    agree(
        dict(await store.read(lambda tx: tx.sessions.told("conv_1"))), {"a": 0, "b": 7, "c": 0}, "the furthest counts"
    )
    await refused(store.write(lambda tx: tx.sessions.tell("conv_1", "z", 1)), NotFound, "a session that is not there")
    agree(dict(await store.read(lambda tx: tx.sessions.told("conv_9"))), {}, "of no session there is none")


async def a_removed_conversation_takes_its_silences_along(store: Store) -> None:
    async def filled(tx: Tx) -> None:
        for name in ("conv_1", "conv_2"):
            await tx.conversations.add(conversation(name))
            await tx.sessions.add(Session(name, "b", "role of b"))
            await tx.silences.add(replace(FIRST, conversation_id=name))
            await tx.tasks.add(task(1, name))
            await tx.silences.orphan(replace(ORPHAN, conversation_id=name))
            await tx.sessions.tell(name, "b", 4)

    await store.write(filled)
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    left = [s.conversation_id for s in await store.read(lambda tx: tx.silences.list())]
    agree(left, ["conv_2"], "its silences are gone, those of another are not")
    left = [o.conversation_id for o in await store.read(lambda tx: tx.silences.orphans())]
    agree(left, ["conv_2"], "its orphans are gone, those of another are not")
    await seat(store)
    agree(dict(await store.read(lambda tx: tx.sessions.told("conv_1"))), {"a": 0, "b": 0, "c": 0}, "a new start")


SILENCE_LAWS = (
    the_stale_are_found_oldest_first,
    the_revoked_and_the_expired_are_not_stale,
    what_waits_for_the_stale_is_told,
    of_many_who_warn_one_does,
    a_silence_is_changed_only_by_who_saw_it_as_it_is,
    an_orphan_is_adopted_once,
    of_two_checks_that_saw_the_same_watch_one_goes_on,
    what_a_client_was_told_never_falls,
    a_removed_conversation_takes_its_silences_along,
)
