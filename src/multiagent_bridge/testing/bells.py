"""`exercise_bell`: every law of `ports.Bell`, for whoever writes an adapter.

```python
@asynccontextmanager
async def opened():
    async with MyBell(place) as ours, MyBell(place) as theirs:
        yield ours, theirs

await exercise_bell(opened)
```

The two are what two processes of one store would open; a bell within one process is both. A backstop that looks now and then
without having been rung is to be turned off, so that nothing but a ring can wake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from multiagent_bridge.ports import Bell, Ear
from multiagent_bridge.testing.laws import Broken, agree

SOON = 10.0
"""Seconds within which a ring has come on the busiest machine; none of the laws waits for it to pass."""

BellLaw = Callable[[Bell, Bell], Awaitable[None]]

ODD = ("", " ", "a\nb", "a\0b", "inbox:é/☂", "x" * 5000, "*", "%", "\ud800", "'; --", "../x", ".", "A", "a")
"""Topics that a name, a channel or a pattern could stumble over."""


async def heard(ear: Ear, law: str) -> None:
    """Raises Broken unless the ear is woken soon."""
    agree(await ear.wait(SOON), True, law)


async def silent(bell: Bell, ears: list[Ear], law: str) -> None:
    """Raises Broken when any of the ears was woken. A ring that comes after shows that nothing is still on its way."""
    async with bell.listen("the last one") as last:
        bell.ring("the last one")
        await heard(last, "a ring is heard")
    agree([await ear.wait(0) for ear in ears], [False] * len(ears), law)


async def a_ring_wakes_who_listens_here_and_elsewhere(ours: Bell, theirs: Bell) -> None:
    async with ours.listen("t") as here, theirs.listen("t") as there:
        for ringer in (ours, theirs):
            ringer.ring("t")
            await heard(here, "a ring wakes who listens")
            await heard(there, "a ring wakes who listens")


async def nobody_is_woken_without_a_ring(ours: Bell, theirs: Bell) -> None:
    async with ours.listen("t") as here, theirs.listen("t") as there:
        agree([await here.wait(0), await there.wait(0.05)], [False, False], "time that passes is no ring")
        ours.ring("t")
        for ear in (here, there):
            await heard(ear, "a ring wakes who listens")
        await silent(theirs, [here, there], "one ring wakes once")


async def only_the_topic_that_was_rung_wakes(ours: Bell, theirs: Bell) -> None:
    async with ours.listen("t") as here, theirs.listen("t") as there, theirs.listen("t2") as other:
        for topic in ("u", "T", "t ", "", "t3"):
            ours.ring(topic)
        await silent(ours, [here, there, other], "another topic does not wake")
        ours.ring("t2")
        await heard(other, "its own does")
        await silent(ours, [here, there], "another topic does not wake")


async def from_entry_on_no_ring_is_missed(ours: Bell, theirs: Bell) -> None:
    for number in range(20):
        # rings before anybody listens make the ringer look where there is nobody yet
        ours.ring(f"t{number}")
        await asyncio.sleep(0)
        async with theirs.listen(f"t{number}") as there:
            ours.ring(f"t{number}")
            await heard(there, "who has begun to listen hears the next ring, before it waits")


async def a_ring_while_nobody_waits_is_kept(ours: Bell, theirs: Bell) -> None:
    async with ours.listen("t") as here, theirs.listen("t") as there, theirs.listen("end") as end:
        for _ in range(3):
            ours.ring("t")
        ours.ring("end")
        await heard(end, "a ring wakes who listens")
        agree([await here.wait(0), await there.wait(SOON)], [True, True], "what rang since the last wait is told")


async def every_ear_of_a_topic_is_woken_and_leaves_alone(ours: Bell, theirs: Bell) -> None:
    async with theirs.listen("t") as first, ours.listen("t") as near:
        async with theirs.listen("t") as second:
            ours.ring("t")
            for ear in (first, second, near):
                await heard(ear, "every ear is woken")
        ours.ring("t")
        for ear in (first, near):
            await heard(ear, "those who stay hear on when one leaves")
    ours.ring("t")
    async with theirs.listen("t") as again:
        ours.ring("t")
        await heard(again, "who comes back hears again")


async def a_wait_that_is_cancelled_loses_no_ring(ours: Bell, theirs: Bell) -> None:
    async with theirs.listen("t") as there:
        for _ in range(5):
            waiting = asyncio.create_task(there.wait(SOON))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            ours.ring("t")
            await heard(there, "the next wait hears what rang")


async def a_burst_over_many_topics_reaches_every_one(ours: Bell, theirs: Bell) -> None:
    names = [f"inbox:{number}" for number in range(300)]
    async with AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(theirs.listen(name)) for name in names]
        for _ in range(3):
            for name in names:
                ours.ring(name)
            for ear in ears:
                await heard(ear, "no ring of a burst is lost")
        for name in names[:40]:
            ours.ring(name)
            await asyncio.sleep(0)
        for ear in ears[:40]:
            await heard(ear, "no ring of a row of bursts is lost")


async def any_text_is_a_topic_and_a_ring_never_raises(ours: Bell, theirs: Bell) -> None:
    for topic in ODD:
        ours.ring(topic)
    for topic in ODD:
        async with theirs.listen(topic) as there, theirs.listen("t") as other:
            ours.ring(topic)
            await heard(there, f"the topic {topic[:20]!r} is heard")
            await silent(ours, [other], f"the topic {topic[:20]!r} is no other")


BELL_LAWS: tuple[BellLaw, ...] = (
    a_ring_wakes_who_listens_here_and_elsewhere,
    nobody_is_woken_without_a_ring,
    only_the_topic_that_was_rung_wakes,
    from_entry_on_no_ring_is_missed,
    a_ring_while_nobody_waits_is_kept,
    every_ear_of_a_topic_is_woken_and_leaves_alone,
    a_wait_that_is_cancelled_loses_no_ring,
    a_burst_over_many_topics_reaches_every_one,
    any_text_is_a_topic_and_a_ring_never_raises,
)


async def exercise_bell(opened: Callable[[], AbstractAsyncContextManager[tuple[Bell, Bell]]]) -> None:
    """Hold a bell to every law, each with fresh ones. Raises `laws.Broken` for the first that does not hold."""
    for law in BELL_LAWS:
        async with opened() as (ours, theirs):
            try:
                await law(ours, theirs)
            except Broken as broken:
                raise Broken(f"{law.__name__}: {broken}") from broken
