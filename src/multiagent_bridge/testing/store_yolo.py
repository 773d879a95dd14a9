"""Laws of enablings and grants: one mode a conversation, and runs counted down exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.model.yolo import STEPS, Enabling, Grant
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import HOUR, NOW, Broken, agree, conversation, refused, seat, together
from multiagent_bridge.testing.store_commands import BOOT, LIFE, UP


def enabling(number: int = 1, state: str = "offered", name: str = "conv_1", at: int = NOW) -> Enabling:
    """An offer or a wish as a service would store it."""
    place = Workspace(f"/w/{number}", 64_512, number)
    return Enabling(
        f"yolo_{number}", name, "", state, "safe", place, "bubblewrap", False, 30, at, at + HOUR, BOOT, UP + LIFE
    )


def grant(number: int = 1, name: str = "conv_1", runs: int = 3) -> Grant:
    return Grant(
        f"grant_{number}", name, "", "ab" * 32, b"sealed scope", NOW, "person", BOOT, UP + LIFE, NOW + LIFE, runs
    )


async def put(store: Store, state: str, number: int = 1, name: str = "conv_1") -> Enabling:
    """Store an enabling and lead it to `state` by legal steps. Returns it as the store holds it."""
    ways = {"asked": ["asked"], "offered": ["offered"], "enabled": ["offered", "enabled"]}
    ways |= {end: ["asked", end] for end in STEPS["asked"]}
    ways |= {end: ["offered", "enabled", end] for end in STEPS["enabled"]}

    async def led(tx: Tx) -> Enabling:
        first, *rest = ways[state]
        found = enabling(number, first, name)
        await tx.yolo.add(found)
        for step in rest:
            after = moved(found, step)
            agree(await tx.yolo.change(after, found.state), True, f"the legal step {found.state} -> {step}")
            found = after
        return found

    return await store.write(led)


def moved(e: Enabling, state: str) -> Enabling:
    return replace(e, state=state, decided_at=NOW + 3, decided_by="person", reason=b"sealed why")


def numbers(found: Sequence[Enabling] | Sequence[Grant]) -> list[int]:
    return [int(one.id.partition("_")[2]) for one in found]


async def spend(store: Store, number: int = 1, *, boot: str = BOOT, boottime: int = UP, now: int = NOW) -> bool:
    """Take one run with everything right but what is given."""
    return await store.write(lambda tx: tx.yolo.spend(f"grant_{number}", boot, boottime, now))


async def left(store: Store, name: str = "conv_1") -> dict[int, int]:
    """Runs left of each live grant."""
    found = await store.read(lambda tx: tx.yolo.grants(name))
    return dict(zip(numbers(found), (g.runs_left for g in found), strict=True))


async def an_enabling_comes_back_as_it_was(store: Store) -> None:
    await seat(store)
    wish = replace(enabling(1, "asked"), workspace=None, session_id="b", wish=b"\0sealed\xff", boot="", boottime_end=0)
    # a file system may use all 64 bits of both
    far = Workspace("/w/\u00e9 x", 2**64 - 1, 2**63)
    offer = replace(enabling(2), mode="yolo", workspace=far, network=True, seconds=600, sandbox="")
    for one in (wish, offer):
        await store.write(lambda tx, e=one: tx.yolo.add(e))  # type: ignore[misc]
        found = await store.read(lambda tx, e=one: tx.yolo.get(e.id))  # type: ignore[misc]
        agree(found, one, "an enabling comes back as it was")
    agree(await store.read(lambda tx: tx.yolo.get("yolo_3")), None, "an unknown one is None")
    await refused(store.write(lambda tx: tx.yolo.add(wish)), Conflict, "an id is taken once")
    lost = replace(enabling(3), conversation_id="conv_9")
    await refused(store.write(lambda tx: tx.yolo.add(lost)), NotFound, "it belongs to a conversation")
    after = replace(moved(offer, "enabled"), expires_at=NOW + 9 * HOUR, workspace=Workspace("/w", 1, 2), network=False)
    agree(await store.write(lambda tx: tx.yolo.change(after, "offered")), True, "it is enabled")
    agree(await store.read(lambda tx: tx.yolo.get("yolo_2")), after, "all of the row is replaced")


async def an_enabling_takes_legal_steps_alone(store: Store) -> None:
    number = 0
    for was in STEPS:
        begins = not any(was in after for after in STEPS.values())
        for state in STEPS:
            number += 1
            name = f"conv_{number}"
            await seat(store, name)
            if not begins:
                bad = enabling(number, was, name)
                await refused(store.write(lambda tx, e=bad: tx.yolo.add(e)), RuntimeError, f"none begins {was}")  # type: ignore[misc]
            before = await put(store, was, number, name)
            after = moved(before, state)
            done = store.write(lambda tx, e=after, w=was: tx.yolo.change(e, w))  # type: ignore[misc]
            if state in STEPS[was]:
                agree(await done, True, f"the legal step {was} -> {state}")
            else:
                await refused(done, RuntimeError, f"the illegal step {was} -> {state}")
                after = before
            found = await store.read(lambda tx, e=before: tx.yolo.get(e.id))  # type: ignore[misc]
            agree(found, after, f"after {was} -> {state}")


async def an_enabling_changes_from_its_own_state_alone(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    before = await put(store, "expired")
    late = moved(before, "enabled")
    agree(await store.write(lambda tx: tx.yolo.change(late, "offered")), False, "its state is not `was`")
    agree(await store.read(lambda tx: tx.yolo.get("yolo_1")), before, "False changes nothing")
    gone = moved(enabling(9), "enabled")
    agree(await store.write(lambda tx: tx.yolo.change(gone, "offered")), False, "nor does what is not there change")
    await put(store, "offered", 2)
    other = replace(moved(enabling(2), "enabled"), conversation_id="conv_2")
    done = store.write(lambda tx: tx.yolo.change(other, "offered"))
    await refused(done, RuntimeError, "an enabling stays in its conversation")
    agree(await store.read(lambda tx: tx.yolo.current("conv_2")), None, "and enables nothing elsewhere")


async def one_mode_is_enabled_in_a_conversation(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), None, "none is enabled")
    await put(store, "offered", 1)
    await put(store, "asked", 2)
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), None, "what is only offered or asked is not enabled")
    offers = [moved(await put(store, "offered", number), "enabled") for number in range(3, 9)]

    async def enabled(after: Enabling) -> bool:
        try:
            return await store.write(lambda tx: tx.yolo.change(after, "offered"))
        except Conflict:
            return False

    won = await together([lambda e=e: enabled(e) for e in offers])  # type: ignore[misc]
    agree(won.count(True), 1, "of many who race to enable one does, a second is a conflict")
    first = offers[won.index(True)]
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), first, "it is the current one")
    second = moved(enabling(1), "enabled")
    await refused(store.write(lambda tx: tx.yolo.change(second, "offered")), Conflict, "a second is refused")
    agree(await store.read(lambda tx: tx.yolo.current("conv_2")), None, "another conversation is another matter")
    await put(store, "enabled", 20, "conv_2")
    off = replace(first, state="disabled")
    agree(await store.write(lambda tx: tx.yolo.change(off, "enabled")), True, "disabled")
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), None, "it is current no more")
    agree(await store.write(lambda tx: tx.yolo.change(second, "offered")), True, "then another may be")
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), second, "and is the current one")
    agree(numbers([await _current(store, "conv_2")]), [20], "the other conversation kept its own")


async def _current(store: Store, name: str) -> Enabling:
    found = await store.read(lambda tx: tx.yolo.current(name))
    if found is None:
        raise Broken(f"nothing is enabled in {name}")
    return found


async def enablings_are_listed_newest_first(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    for number, name in ((1, "conv_1"), (2, "conv_2"), (3, "conv_1")):
        await put(store, "asked", number, name)
    late = enabling(4, at=NOW - HOUR)
    await store.write(lambda tx: tx.yolo.add(late))
    await store.write(lambda tx: tx.yolo.change(moved(enabling(1, "asked"), "denied"), "asked"))

    async def pages(tx: Tx) -> list[list[int]]:
        y = tx.yolo
        found = [await y.list(None, 9), await y.list("conv_1", 2), await y.list("conv_2", 9), await y.list(None, 0)]
        return [numbers(one) for one in found]

    wanted = [[4, 3, 2, 1], [4, 3], [2], []]
    agree(await store.read(pages), wanted, "by when they were added, whatever the wall clock said")


async def a_grant_comes_back_as_it_was(store: Store) -> None:
    await seat(store)
    await seat(store, "conv_2")
    full = replace(grant(1), session_id="b", scope=b"\0\xff", by="person \u00e9")
    for one in (full, grant(2), grant(3, "conv_2"), grant(4, runs=0), replace(grant(5), ended_at=NOW)):
        await store.write(lambda tx, g=one: tx.yolo.add_grant(g))  # type: ignore[misc]
    found = await store.read(lambda tx: tx.yolo.grants("conv_1"))
    agree(list(found), [grant(2), full], "those with runs left and not ended, newest first, as they were")
    await refused(store.write(lambda tx: tx.yolo.add_grant(grant(1))), Conflict, "an id is taken once")
    lost = grant(6, "conv_9")
    await refused(store.write(lambda tx: tx.yolo.add_grant(lost)), NotFound, "it belongs to a conversation")


async def runs_are_counted_down_exactly(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.yolo.add_grant(grant(1, runs=7)))
    await store.write(lambda tx: tx.yolo.add_grant(grant(2, runs=2)))
    won = await together([lambda: spend(store)] * 30)
    agree(won.count(True), 7, "of thirty who race seven get a run")
    agree(await left(store), {2: 2}, "spent, it is listed no more; the other kept its runs")
    agree([await spend(store, 2) for _ in range(3)], [True, True, False], "one run each")
    agree([await spend(store, 9), await left(store)], [False, {}], "no grant, no run")

    async def failing(tx: Tx) -> None:
        agree(await tx.yolo.spend("grant_3", BOOT, UP, NOW), True, "a run is taken")
        raise Conflict("no entry, no act")

    await store.write(lambda tx: tx.yolo.add_grant(grant(3, runs=1)))
    await refused(store.write(failing), Conflict, "the error passes")
    agree(await left(store), {3: 1}, "what is rolled back spent nothing")


async def a_grant_ends_with_its_boot_and_its_clocks(store: Store) -> None:
    await seat(store)
    await store.write(lambda tx: tx.yolo.add_grant(grant(runs=2)))
    refusals = {
        "another boot": await spend(store, boot="boot-2"),
        "no boot": await spend(store, boot=""),
        "boot time past its end, wall clock set back": await spend(store, boottime=UP + LIFE, now=NOW),
        "wall clock set back before it was granted": await spend(store, now=NOW - 1),
        "wall clock set back a day": await spend(store, now=NOW - 24 * HOUR),
        "until is reached": await spend(store, now=NOW + LIFE),
    }
    agree(refusals, dict.fromkeys(refusals, False), "no run outside its bounds")
    agree(await left(store), {1: 2}, "a refusal costs no run")
    agree(await spend(store, boottime=UP + LIFE - 1, now=NOW + LIFE - 1), True, "it holds to the last microsecond")
    await store.write(lambda tx: tx.yolo.add_grant(replace(grant(2), boot="")))
    agree(await spend(store, 2, boot=""), False, "without a boot nothing is ever granted")


async def ending_grants_ends_those_of_the_conversation(store: Store) -> None:
    for name in ("conv_1", "conv_2"):
        await seat(store, name)
    for one in (grant(1), grant(2), grant(3, runs=1), replace(grant(4), ended_at=NOW), grant(5, "conv_2")):
        await store.write(lambda tx, g=one: tx.yolo.add_grant(g))  # type: ignore[misc]
    agree(await spend(store, 3), True, "one is spent")
    ended = [await store.write(lambda tx: tx.yolo.end_grants("conv_1", NOW + 1)) for _ in range(2)]
    agree(ended, [2, 0], "it says how many were live, once")
    agree([await spend(store, number) for number in (1, 2)], [False, False], "an ended grant gives no run")
    agree((await left(store), await left(store, "conv_2")), ({}, {5: 3}), "the other conversation's stay")


async def enablings_and_grants_go_with_their_conversation(store: Store) -> None:
    for number, name in enumerate(("conv_1", "conv_10"), 1):
        await seat(store, name)
        await put(store, "enabled", number, name)
        await store.write(lambda tx, n=number, c=name: tx.yolo.add_grant(grant(n, c)))  # type: ignore[misc]
    await store.write(lambda tx: tx.conversations.remove("conv_1"))
    agree(await store.read(lambda tx: tx.yolo.get("yolo_1")), None, "its enablings are gone")
    agree(await spend(store), False, "a grant does not outlive its conversation")
    await store.write(lambda tx: tx.conversations.add(conversation()))
    agree(await store.read(lambda tx: tx.yolo.current("conv_1")), None, "a new one of that name is not enabled")
    agree((await left(store), await left(store, "conv_10")), ({}, {2: 3}), "nor granted; the others' stay")
    agree(numbers([await _current(store, "conv_10")]), [2], "and stay enabled")


YOLO_LAWS = (
    an_enabling_comes_back_as_it_was,
    an_enabling_takes_legal_steps_alone,
    an_enabling_changes_from_its_own_state_alone,
    one_mode_is_enabled_in_a_conversation,
    enablings_are_listed_newest_first,
    a_grant_comes_back_as_it_was,
    runs_are_counted_down_exactly,
    a_grant_ends_with_its_boot_and_its_clocks,
    ending_grants_ends_those_of_the_conversation,
    enablings_and_grants_go_with_their_conversation,
)
