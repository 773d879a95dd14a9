"""Laws of commands: the legal steps, the single use of an approval, and what time ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.commands import STEPS, Approval, Command
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import HOUR, NOW, Broken, agree, conversation, draft, refused, seat, together

BOOT = "boot-1"
UP = 500 * SECOND
"""Since that boot, at the instant NOW."""

LIFE = 300 * SECOND
VERIFIER = b"\0sha256 of the token\xff"


def command(number: int = 1, name: str = "conv_1", at: int = NOW) -> Command:
    """A request as a service would store it."""
    digest = f"{number:064x}"
    return Command(f"cmd_{number}", name, "a", "pending", digest, b"sealed %d" % number, at, at + HOUR)


def approval(grant_id: str = "") -> Approval:
    return Approval(VERIFIER, BOOT, UP + LIFE, NOW, NOW + LIFE, "person", grant_id)


def moved(c: Command, state: str) -> Command:
    """The command as a service would write it into `state`."""
    if state == "approved":
        return replace(c, state=state, approval=approval(), decided_at=NOW)
    return replace(c, state=state, ended_at=NOW + 7)


async def put(store: Store, state: str, number: int = 1, name: str = "conv_1") -> Command:
    """Store a command and lead it to `state` by legal steps. Returns it as the store holds it."""
    ways = {"pending": (), "denied": ("denied",), "expired": ("expired",), "approved": ("approved",)}
    ways |= {"running": ("approved", ""), "done": ("approved", "", "done"), "lost": ("approved", "", "lost")}
    await store.write(lambda tx: tx.commands.add(command(number, name)))
    for step in ways[state]:
        found = await look(store, number)
        won = await change(store, moved(found, step), found.state) if step else await start(store, number)
        agree(won, True, f"the legal step {found.state} -> {step or 'running'}")
    return await look(store, number)


async def look(store: Store, number: int = 1) -> Command:
    found = await store.read(lambda tx: tx.commands.get(f"cmd_{number}"))
    if found is None:
        raise Broken(f"the command {number} is gone")
    return found


async def change(store: Store, after: Command, was: str) -> bool:
    return await store.write(lambda tx: tx.commands.change(after, was))


async def start(
    store: Store,
    number: int = 1,
    *,
    digest: str = "",
    verifier: bytes = VERIFIER,
    boot: str = BOOT,
    boottime: int = UP,
    now: int = NOW,
    runner: str = "hub",
) -> bool:
    """Start it with everything right but what is given."""
    digest, end = digest or command(number).digest, NOW + LIFE
    return await store.write(
        lambda tx: tx.commands.start(f"cmd_{number}", digest, verifier, boot, boottime, now, runner, end)
    )


async def _started(tx: Tx) -> bool:
    return await tx.commands.start("cmd_1", command().digest, VERIFIER, BOOT, UP, NOW, "hub", NOW + LIFE)


def ids(found: Sequence[Command]) -> list[int]:
    return [int(c.id.removeprefix("cmd_")) for c in found]


async def a_command_comes_back_as_it_was(store: Store) -> None:
    await seat(store)
    asked = command()
    await store.write(lambda tx: tx.commands.add(asked))
    agree(await look(store), asked, "a command comes back as it was")
    agree(await store.read(lambda tx: tx.commands.get("cmd_2")), None, "an unknown one is None")
    await refused(store.write(lambda tx: tx.commands.add(asked)), Conflict, "an id is taken once")
    lost = replace(command(2), conversation_id="conv_9")
    await refused(store.write(lambda tx: tx.commands.add(lost)), NotFound, "it belongs to a conversation")
    granted = replace(command(3), state="approved", approval=approval("grant_1"), decided_at=NOW, reason=b"why")
    await store.write(lambda tx: tx.commands.add(granted))
    agree(await look(store, 3), granted, "one that a grant approved comes back as it was")
    agree(await start(store, 3, runner="hub \u00e9"), True, "and may be run")
    wanted = replace(granted, state="running", runner="hub \u00e9", deadline=NOW + LIFE, started_at=NOW)
    agree(await look(store, 3), wanted, "starting changes only that")
    wanted = replace(wanted, state="done", outcome=b"\0\xff" * 9, ended_at=NOW + 9, reason=b"")
    agree(await store.write(lambda tx: tx.commands.change(wanted, "running")), True, "it ends")
    agree(await look(store, 3), wanted, "with all that is known of it")


async def a_command_begins_undecided_or_granted(store: Store) -> None:
    await seat(store)
    for state, given in product(STEPS, (None, approval(), approval("grant_1"))):
        if state == "pending" or (state == "approved" and given and given.grant_id):
            continue
        begun = replace(command(), state=state, approval=given)
        add = store.write(lambda tx, c=begun: tx.commands.add(c))  # type: ignore[misc]
        await refused(add, RuntimeError, f"no command begins {state}, approved by {given}")
    agree(ids(await store.read(lambda tx: tx.commands.list(None, 99))), [], "and none was stored")


async def a_command_takes_legal_steps_alone(store: Store) -> None:
    await seat(store)
    for number, (was, state) in enumerate(product(STEPS, STEPS)):
        before = await put(store, was, number)
        after = moved(before, state)
        if state == "running":
            await refused(change(store, after, was), RuntimeError, "nothing but start makes a command running")
            agree(await start(store, number), was == "approved", f"starting what is {was}")
            begun = replace(before, state=state, runner="hub", deadline=NOW + LIFE, started_at=NOW)
            after = begun if was == "approved" else before
        elif state in STEPS[was]:
            agree(await change(store, after, was), True, f"the legal step {was} -> {state}")
        else:
            await refused(change(store, after, was), RuntimeError, f"the illegal step {was} -> {state}")
            after = before
        agree(await look(store, number), after, f"after {was} -> {state}")
    for was, state in (("pending", "other"), ("other", "denied"), ("", "pending")):
        unknown = replace(command(0), state=state)
        await refused(change(store, unknown, was), RuntimeError, f"the unknown step {was} -> {state}")
    bare = replace(await put(store, "pending", 99), state="approved")
    await refused(change(store, bare, "pending"), RuntimeError, "nothing is approved without an approval")


async def a_command_changes_from_its_own_state_alone(store: Store) -> None:
    await seat(store)
    crossed = (
        ("denied", "pending", "approved"),
        ("expired", "pending", "approved"),
        ("approved", "pending", "denied"),
        ("running", "approved", "expired"),
        ("lost", "running", "done"),
        ("pending", "running", "done"),
    )
    for number, (actual, was, state) in enumerate(crossed):
        before = await put(store, actual, number)
        agree(await change(store, moved(before, state), was), False, f"{was} -> {state} of what is {actual}")
        agree(await look(store, number), before, "False changes nothing")
    gone = moved(command(77), "denied")
    agree(await change(store, gone, "pending"), False, "nor does what is not there change")


async def what_a_command_asks_for_never_changes(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    before = await put(store, "pending")
    yes = moved(before, "approved")
    swapped = (
        replace(yes, digest="ff" * 32),
        replace(yes, order=b"another"),
        replace(yes, session_id="b"),
        replace(yes, conversation_id="conv_2"),
        replace(yes, requested_at=NOW + 1),
    )
    for other in swapped:
        await refused(change(store, other, "pending"), RuntimeError, "what a command asks for never changes")
    agree(await look(store), before, "and it is as it was")


async def an_approval_is_used_once(store: Store) -> None:
    await seat(store)
    for number, end in enumerate(("done", "lost", ""), 1):
        await put(store, "approved", number)
        runners = [f"hub {n}" for n in range(16)]
        won = await together([partial(start, store, number, runner=runner) for runner in runners])
        agree(won.count(True), 1, "of many who race to start it one does")
        running = await look(store, number)
        agree(running.runner, runners[won.index(True)], "the one who won runs it")
        if end:
            agree(await change(store, moved(running, end), "running"), True, f"it is {end}")
        agree(await start(store, number), False, f"an approval that was used is of no use, now {end or 'running'}")


async def an_approval_fits_what_was_approved_alone(store: Store) -> None:
    await seat(store)
    before = await put(store, "approved")
    await put(store, "approved", 2)
    refusals = {
        "another digest": await start(store, digest=command(2).digest),
        "another token": await start(store, verifier=b"another"),
        "no token": await start(store, verifier=b""),
        "another boot": await start(store, boot="boot-2"),
        "no boot": await start(store, boot=""),
        "another command": await start(store, 3),
        "boot time past its end, wall clock set back": await start(store, boottime=UP + LIFE, now=NOW),
        "boot time long past, wall clock as it was": await start(store, boottime=UP + 9 * LIFE),
        "wall clock set back before the yes": await start(store, now=NOW - 1),
        "wall clock set back a day": await start(store, now=NOW - 24 * HOUR),
        "until is reached": await start(store, now=NOW + LIFE),
        "until has passed": await start(store, now=NOW + 24 * HOUR),
    }
    agree(refusals, dict.fromkeys(refusals, False), "an approval fits what was approved alone")
    agree(await look(store), before, "False changes nothing")
    late = await start(store, boottime=UP + LIFE - 1, now=NOW + LIFE - 1)
    agree(late, True, "it holds to the last microsecond")
    nowhere = replace(command(4), state="approved", approval=replace(approval("grant_1"), boot=""))
    await store.write(lambda tx: tx.commands.add(nowhere))
    agree(await start(store, 4, boot=""), False, "without a boot nothing is ever run")


async def a_start_that_is_rolled_back_used_nothing_up(store: Store) -> None:
    await seat(store)
    before = await put(store, "approved")

    async def failing(tx: Tx) -> None:
        agree(await _started(tx), True, "it starts")
        await tx.journal.append(draft(1))
        raise Conflict("no entry, no act")

    await refused(store.write(failing), Conflict, "the error passes")
    agree(await look(store), before, "a start that is rolled back used nothing up")
    agree(await start(store), True, "so it may be started")


async def of_two_decisions_one_counts(store: Store) -> None:
    await seat(store)
    states = ["approved", "denied", "expired", "approved"]
    for number in range(1, 9):
        before = await put(store, "pending", number)
        won = await together([partial(change, store, moved(before, state), "pending") for state in states])
        agree(won.count(True), 1, "of many decisions one counts")
        agree((await look(store, number)).state, states[won.index(True)], "the one that was told so")


async def overdue_ones_are_found(store: Store) -> None:
    await seat(store)
    states = ("pending", "approved", "running", "done", "denied", "expired", "lost", "pending")
    for number, state in enumerate(states, 1):
        await put(store, state, number)

    async def due(now: int, boot: str = BOOT, boottime: int = UP, limit: int = 99) -> list[int]:
        return ids(await store.read(lambda tx: tx.commands.overdue(now, boot, boottime, limit)))

    agree(await due(NOW + LIFE - 1, boottime=UP + LIFE - 1), [], "none is, to the last microsecond")
    agree(await due(NOW + LIFE), [2, 3], "an approval past the wall clock, a run past its deadline")
    agree(await due(NOW, boottime=UP + LIFE), [2], "an approval past the boot time, whatever the wall clock says")
    agree(await due(NOW - LIFE, boottime=0), [], "a machine whose clock is behind by less than an approval lasts")
    agree(await due(NOW - LIFE - 1), [2], "an approval from further ahead than it lasts: the clock was set back")
    agree(await due(NOW + HOUR), [1, 2, 3, 8], "requests past their end; what has ended never is")
    agree(await due(NOW + HOUR, limit=2), [1, 2], "the oldest ones")
    agree(await due(NOW + HOUR, limit=0), [], "no more than the limit")


async def an_approval_of_another_boot_ends_by_the_wall_clock(store: Store) -> None:
    await seat(store)
    before = await put(store, "approved")
    bare = replace(command(2), state="approved", approval=replace(approval("grant_1"), boot=""))
    await store.write(lambda tx: tx.commands.add(bare))

    async def due(now: int, boot: str, boottime: int) -> list[int]:
        return ids(await store.read(lambda tx: tx.commands.overdue(now, boot, boottime, 99)))

    for boot, up in product(("boot-2", ""), (0, UP, UP + 9 * LIFE)):
        for now in (NOW - 5 * SECOND, NOW, NOW + LIFE - 1):
            agree(await due(now, boot, up), [2], f"a hub of {boot or 'no boot'} leaves it to its own")
            agree(await start(store, boot=boot, boottime=up, now=now), False, "but never starts it")
        agree(
            await due(NOW + LIFE, boot, up), [1, 2], "`until` ends it, whatever its machine does: it may never be back"
        )
        agree(await due(NOW - LIFE - 1, boot, up), [1, 2], "as does a wall clock that was set back after a restart")
    agree(await look(store), before, "none of this changed it")
    agree(await start(store), True, "its own machine starts it")


async def the_runs_of_a_runner_are_found(store: Store) -> None:
    await seat(store)
    for number, runner in enumerate(("hub", "hub2", "hub", "hu%"), 1):
        await put(store, "approved", number)
        agree(await start(store, number, runner=runner), True, "it starts")
    await put(store, "done", 9)
    await put(store, "approved", 10)
    agree(ids(await store.read(lambda tx: tx.commands.running("hub"))), [1, 3], "those that it runs, and no others")
    agree(ids(await store.read(lambda tx: tx.commands.running(""))), [], "nobody runs nothing")


async def commands_are_listed_by_age(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    for number, state in enumerate(("pending", "done", "approved", "denied", "running", "pending"), 1):
        await put(store, state, number, "conv_2" if number == 3 else "conv_1")
    late = command(7, at=NOW - HOUR)
    await store.write(lambda tx: tx.commands.add(late))

    async def pages(tx: Tx) -> list[list[int]]:
        c = tx.commands
        return [
            ids(found)
            for found in (
                await c.list(None, 99),
                await c.list("conv_1", 3),
                await c.list("conv_2", 9),
                await c.list("conv_3", 9),
                await c.open(None, 99),
                await c.open("conv_1", 2),
                await c.open("conv_2", 9),
                await c.open(None, 0),
                await c.list(None, -1),
            )
        ]

    wanted = [[7, 6, 5, 4, 3, 2, 1], [7, 6, 5], [3], [], [1, 3, 5, 6, 7], [1, 5], [3], [], []]
    agree(await store.read(pages), wanted, "by when they were added, whatever the wall clock said")


async def nothing_of_the_guard_is_written_in_a_read(store: Store) -> None:
    await seat(store)
    before = await put(store, "approved")
    denied = moved(before, "expired")
    attempts = (
        lambda tx: tx.commands.add(command(2)),
        lambda tx: tx.commands.change(denied, "approved"),
        _started,
        lambda tx: tx.yolo.spend("grant_1", BOOT, UP, NOW),
        lambda tx: tx.yolo.end_grants("conv_1", NOW),
    )
    for attempt in attempts:
        await refused(store.read(attempt), RuntimeError, "writing in a read raises")
    agree(await look(store), before, "a read that tried to write changed nothing")


async def commands_go_with_their_conversation(store: Store) -> None:
    for number, name in enumerate(("conv_1", "conv_10"), 1):
        await seat(store, name)
        await put(store, "approved", number, name)
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await store.read(lambda tx: tx.commands.get("cmd_1")), None, "its commands are gone")
    agree(await start(store), False, "an approval does not outlive its conversation")
    agree(ids(await store.read(lambda tx: tx.commands.open(None, 9))), [2], "those of the others are not")
    await store.write(lambda tx: tx.conversations.add(conversation()))
    agree(ids(await store.read(lambda tx: tx.commands.list("conv_1", 9))), [], "a new start")
    agree(await start(store, 2), True, "the others' approvals hold")


COMMAND_LAWS = (
    a_command_comes_back_as_it_was,
    a_command_begins_undecided_or_granted,
    a_command_takes_legal_steps_alone,
    a_command_changes_from_its_own_state_alone,
    what_a_command_asks_for_never_changes,
    an_approval_is_used_once,
    an_approval_fits_what_was_approved_alone,
    a_start_that_is_rolled_back_used_nothing_up,
    of_two_decisions_one_counts,
    overdue_ones_are_found,
    an_approval_of_another_boot_ends_by_the_wall_clock,
    the_runs_of_a_runner_are_found,
    commands_are_listed_by_age,
    nothing_of_the_guard_is_written_in_a_read,
    commands_go_with_their_conversation,
)
