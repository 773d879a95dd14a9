"""Laws of tasks: what was handed over is never taken back by an old fence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.tasks import HELD, OPEN, STEPS, Task
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW, Broken, agree, refused, seat, together


def task(number: int = 1, conversation_id: str = "conv_1", **more: object) -> Task:
    """A task that nobody has accepted."""
    made = Task(
        id=f"task_{number}",
        conversation_id=conversation_id,
        creator="a",
        assignee="b",
        state="open",
        priority="P2",
        fence=1,
        lease_seconds=600,
        lease_expires_at=None,
        depends_on=("task_8", "task_9"),
        body=b"sealed",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def a_task_comes_back_as_it_was(store: Store) -> None:
    await seat(store)
    for wanted in (task(), task(2, depends_on=(), assignee="", lease_expires_at=NOW + 5, state="accepted", fence=7)):
        await store.write(lambda tx, t=wanted: tx.tasks.add(t))  # type: ignore[misc]
        agree(await store.read(lambda tx, t=wanted: tx.tasks.get("conv_1", t.id)), wanted, "a task comes back")  # type: ignore[misc]
        await refused(store.write(lambda tx, t=wanted: tx.tasks.add(t)), Conflict, "an id is taken once")  # type: ignore[misc]
    agree(await store.read(lambda tx: tx.tasks.get("conv_2", "task_1")), None, "it is of its conversation only")
    await refused(store.write(lambda tx: tx.tasks.add(task(1, "conv_9"))), NotFound, "its conversation must be there")


async def a_change_names_the_state_and_the_fence_it_saw(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.tasks.add(task()))
    after = task(state="accepted", fence=2, lease_expires_at=NOW + 9, body=b"other", updated_at=NOW + 1)
    for was, fence in (("released", 1), ("open", 2), ("open", 0)):
        won = await store.write(lambda tx, w=was, f=fence: tx.tasks.change(after, w, f))  # type: ignore[misc]
        agree(won, False, "another state or fence is not changed")
    agree(await store.read(lambda tx: tx.tasks.get("conv_1", "task_1")), task(), "nothing was changed")
    agree(await store.write(lambda tx: tx.tasks.change(after, "open", 1)), True, "the one that was seen is")
    agree(await store.read(lambda tx: tx.tasks.get("conv_1", "task_1")), after, "it stands as it was changed")
    agree(await store.write(lambda tx: tx.tasks.change(after, "open", 1)), False, "a second time it is not")
    agree(await store.write(lambda tx: tx.tasks.change(task(7), "open", 1)), False, "one that is not there is not")


async def a_fence_never_falls_and_what_is_fixed_stays(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.tasks.add(task(state="accepted", fence=5)))
    lower = task(state="in_progress", fence=4)
    agree(await store.write(lambda tx: tx.tasks.change(lower, "accepted", 5)), False, "a fence never falls")
    other = task(state="in_progress", fence=5, creator="z", lease_seconds=1, depends_on=(), created_at=1)
    agree(await store.write(lambda tx: tx.tasks.change(other, "accepted", 5)), True, "the step itself is taken")
    agree(
        await store.read(lambda tx: tx.tasks.get("conv_1", "task_1")),
        task(state="in_progress", fence=5),
        "creator, lease, dependencies and creation never change",
    )


async def only_legal_steps_are_taken(store: Store) -> None:
    await seat(store)
    for number, (was, after) in enumerate((was, after) for was in STEPS for after in STEPS):
        await store.write(lambda tx, n=number, s=was: tx.tasks.add(task(n, state=s)))  # type: ignore[misc]
        legal = after in STEPS[was] or (after == was and was in OPEN)
        try:
            won = await store.write(lambda tx, n=number, s=after, w=was: tx.tasks.change(task(n, state=s), w, 1))  # type: ignore[misc]
        except RuntimeError:
            won = False
        agree(won, legal, f"{was} to {after}")


async def of_many_who_accept_a_task_one_gets_it(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.tasks.add(task(assignee="")))

    def accepting(worker: str) -> Callable[[], Awaitable[bool]]:
        after = task(state="accepted", assignee=worker, fence=2)
        return lambda: store.write(lambda tx: tx.tasks.change(after, "open", 1))

    won = await together([accepting(worker) for worker in ("a", "b", "c", "d")])
    agree(sorted(won), [False, False, False, True], "one of many accepts")


async def tasks_are_listed_unfinished_first_and_counted_by_state(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    states = ("open", "complete", "accepted", "failed", "released", "complete", "in_progress")
    for number, state in enumerate(states):
        await store.write(lambda tx, n=number, s=state: tx.tasks.add(task(n, state=s)))  # type: ignore[misc]
    await store.write(lambda tx: tx.tasks.add(task(99, "conv_2")))

    async def listed(limit: int) -> list[str]:
        return [t.id for t in await store.read(lambda tx: tx.tasks.list("conv_1", limit))]

    everything = [f"task_{n}" for n in (0, 2, 4, 6, 1, 3, 5)]
    agree(await listed(100), everything, "the unfinished first, each oldest first")
    agree(await listed(5), [*everything[:4], "task_5"], "of the finished the newest")
    agree(await listed(2), everything[:2], "the oldest of the unfinished")
    agree(await listed(0), [], "none")
    agree(await store.read(lambda tx: tx.tasks.count("conv_1", OPEN)), 4, "counted by state")
    agree(await store.read(lambda tx: tx.tasks.count("conv_1", HELD)), 2, "counted by state")
    agree(await store.read(lambda tx: tx.tasks.count("conv_1", ())), 0, "of no state there is none")


async def the_unfinished_tasks_of_a_session_are_found(store: Store) -> None:
    await seat(store)
    for number, (assignee, state) in enumerate((("b", "open"), ("a", "open"), ("b", "complete"), ("b", "in_progress"))):
        await store.write(lambda tx, n=number, w=assignee, s=state: tx.tasks.add(task(n, assignee=w, state=s)))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.tasks.held("conv_1", "b"))
    agree([t.id for t in found], ["task_0", "task_3"], "its unfinished tasks, oldest first")


async def the_tasks_of_a_revoked_session_stay_with_it(store: Store) -> None:
    await seat(store)
    for number, (assignee, state) in enumerate((("b", "open"), ("b", "accepted"), ("c", "open"))):
        await store.write(lambda tx, n=number, w=assignee, s=state: tx.tasks.add(task(n, assignee=w, state=s)))  # type: ignore[misc]
    await store.write(lambda tx: tx.sessions.revoke("conv_1", "b"))
    found = await store.read(lambda tx: tx.tasks.held("conv_1", "b"))
    agree([t.id for t in found], ["task_0", "task_1"], "whoever moves them finds them there")
    await store.write(lambda tx: tx.sessions.rotate("conv_1", "b"))
    agree(len(await store.read(lambda tx: tx.tasks.held("conv_1", "b"))), 2, "one that is brought back has them still")
    agree(await store.read(lambda tx: tx.tasks.count("conv_1", OPEN)), 3, "they count as unfinished all the while")


async def a_removed_conversation_takes_its_tasks_along(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    await store.write(lambda tx: tx.tasks.add(task()))
    await store.write(lambda tx: tx.tasks.add(task(1, "conv_2")))
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await store.read(lambda tx: tx.tasks.get("conv_1", "task_1")), None, "its tasks are gone")
    if await store.read(lambda tx: tx.tasks.get("conv_2", "task_1")) is None:
        raise Broken("the tasks of another conversation stay")


TASK_LAWS = (
    a_task_comes_back_as_it_was,
    a_change_names_the_state_and_the_fence_it_saw,
    a_fence_never_falls_and_what_is_fixed_stays,
    only_legal_steps_are_taken,
    of_many_who_accept_a_task_one_gets_it,
    tasks_are_listed_unfinished_first_and_counted_by_state,
    the_unfinished_tasks_of_a_session_are_found,
    the_tasks_of_a_revoked_session_stay_with_it,
    a_removed_conversation_takes_its_tasks_along,
)
