"""Laws of the rate meter, and `exercise_meter` for whoever writes one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from multiagent_bridge.guard import rate
from multiagent_bridge.model.limits import SECOND, Window
from multiagent_bridge.ports import Meter, Store
from multiagent_bridge.testing.laws import HOUR, NOW, agree, refused, together

DAY = 24 * HOUR
TEN = (Window(10, 60),)
THREE = (Window(10, 60), Window(100, 3600), Window(500, 86_400))

MeterLaw = Callable[[Store, Meter], Awaitable[None]]


async def charge(store: Store, meter: Meter, windows: Sequence[Window], now: int, key: str = "conv_1/a:write") -> int:
    return await store.write(lambda tx: meter.charge(tx, key, windows, now))


async def spend(store: Store, meter: Meter, windows: Sequence[Window], now: int, tries: int) -> int:
    """How many of `tries` at one instant are admitted."""
    return sum([await charge(store, meter, windows, now) == 0 for _ in range(tries)])


async def a_window_admits_its_limit_and_then_refills(store: Store, meter: Meter) -> None:
    agree(await spend(store, meter, TEN, NOW, 25), 10, "ten a minute admits ten at once")
    wait = await charge(store, meter, TEN, NOW)
    agree(wait, 6 * SECOND, "then it says when the next is free")
    agree(await charge(store, meter, TEN, NOW + wait - 1), 1, "not a microsecond earlier")
    agree(await charge(store, meter, TEN, NOW + wait), 0, "and at that instant it is")
    agree(await charge(store, meter, TEN, NOW + wait), 6 * SECOND, "one, not two")
    agree(await spend(store, meter, TEN, NOW + DAY, 25), 10, "a rest never saves up more than the limit")


async def all_windows_are_charged_or_none(store: Store, meter: Meter) -> None:
    now, admitted = NOW, 0
    for _ in range(10):
        admitted += await spend(store, meter, THREE, now, 30)
        now += 60 * SECOND
    # the hour admits 100 and refills one each 36 s, so that it never binds here unless a refusal was charged to it
    agree(admitted, 100, "ten minutes of ten")
    agree(await spend(store, meter, THREE, now, 30), 10, "the refusals of the narrow window cost the wide ones nothing")
    full = (Window(1000, 1), Window(2, 3600), Window(1000, 1))
    agree([await charge(store, meter, full, NOW, "k") for _ in range(3)], [0, 0, HOUR // 2], "the widest wait is told")
    agree(await charge(store, meter, full[:1], NOW, "k"), 0, "a window that had room was not charged by the refusal")


async def keys_have_budgets_of_their_own(store: Store, meter: Meter) -> None:
    agree(await spend(store, meter, TEN, NOW, 12), 10, "one key")
    for key in ("conv_1/b:write", "conv_1/a:read", "uid:1000:failed"):
        agree(await charge(store, meter, TEN, NOW, key), 0, "another key is not charged")


async def a_clock_set_back_does_not_block(store: Store, meter: Meter) -> None:
    agree(await spend(store, meter, THREE, NOW, 12), 10, "the budget is spent")
    agree(await spend(store, meter, THREE, NOW - 2 * DAY, 30), 10, "two days back: the old state is forgotten, once")
    agree(await charge(store, meter, THREE, NOW - 2 * DAY + 6 * SECOND), 0, "and time goes on from there")


async def a_waiter_with_an_old_instant_gains_nothing(store: Store, meter: Meter) -> None:
    agree(await spend(store, meter, TEN, NOW, 12), 10, "the budget is spent")
    for late in (1, SECOND, 59 * SECOND):
        wait = await charge(store, meter, TEN, NOW - late)
        agree(wait, 6 * SECOND + late, "an instant taken before a wait for the lock is not a clock set back")


async def at_most_three_windows(store: Store, meter: Meter) -> None:
    await refused(charge(store, meter, (*THREE, Window(1, 1)), NOW), ValueError, "four windows are too many")
    agree(await charge(store, meter, (), NOW), 0, "no windows, no limit")


async def a_bucket_that_is_full_again_can_be_swept(store: Store, meter: Meter) -> None:
    agree(await spend(store, meter, THREE, NOW, 12), 10, "the budget is spent")
    agree(await store.write(lambda tx: tx.buckets.sweep(NOW + 60 * SECOND)), 0, "one that still counts stays")
    agree(await charge(store, meter, THREE, NOW) > 0, True, "and still counts")
    agree(await store.write(lambda tx: tx.buckets.sweep(NOW + 10 * DAY)), 1, "one that is full again goes")
    agree(await charge(store, meter, THREE, NOW + 10 * DAY), 0, "which changes nothing")


async def racing_acts_never_exceed_the_limit(store: Store, meter: Meter) -> None:
    waits = await together([lambda: charge(store, meter, THREE, NOW)] * 60)
    agree(waits.count(0), 10, "of sixty at once ten are admitted")


async def it_reckons_as_the_arithmetic_does(store: Store, meter: Meter) -> None:
    stored: tuple[int, ...] = (0, 0, 0)
    now = NOW
    for step in range(400):
        # a walk that bursts, rests and jumps back, the same in every run
        now += (0, 0, 0, 2 * SECOND, 7 * SECOND, 0, -SECOND, 90 * SECOND, 0, -3 * HOUR, 0, 20)[step * 7 % 12]
        stored, wanted = rate.charge(stored, THREE, now)
        agree(await charge(store, meter, THREE, now), wanted, f"step {step} of a walk")


METER_LAWS: tuple[MeterLaw, ...] = (
    a_window_admits_its_limit_and_then_refills,
    all_windows_are_charged_or_none,
    keys_have_budgets_of_their_own,
    a_clock_set_back_does_not_block,
    a_waiter_with_an_old_instant_gains_nothing,
    at_most_three_windows,
    a_bucket_that_is_full_again_can_be_swept,
    racing_acts_never_exceed_the_limit,
    it_reckons_as_the_arithmetic_does,
)


BESIDE_LAWS = tuple(law for law in METER_LAWS if law is not a_bucket_that_is_full_again_can_be_swept)
"""What holds as well for a meter beside the store, whose buckets go by themselves."""


async def exercise_meter(opened: Callable[[], AbstractAsyncContextManager[tuple[Store, Meter]]]) -> None:
    """Hold a meter to every law, each with a fresh store. Raises `laws.Broken` for the first that does not hold."""
    for law in METER_LAWS:
        async with opened() as (store, meter):
            await law(store, meter)
