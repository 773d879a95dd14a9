"""Every law of `ports.Store` and `ports.Meter`, held against both stores that need no server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import Conflict
from multiagent_bridge.ports import Meter, Store, Tx
from multiagent_bridge.testing.laws import Broken, message, seat
from multiagent_bridge.testing.meters import METER_LAWS, MeterLaw, exercise_meter
from multiagent_bridge.testing.stores import STORE_LAWS, StoreLaw, exercise_store

pytestmark = pytest.mark.anyio

Opened = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    number = iter(range(1000))

    @asynccontextmanager
    async def memory() -> AsyncIterator[Store]:
        store = MemoryStore()
        yield store
        await store.close()

    @asynccontextmanager
    async def sqlite() -> AsyncIterator[Store]:
        async with SqliteStore(tmp_path / f"{next(number)}.db") as store:
            yield store

    return {"memory": memory, "sqlite": sqlite}[request.param]


@pytest.mark.parametrize("law", STORE_LAWS, ids=lambda law: law.__name__)
async def test_the_store_keeps_the_law(opened: Opened, law: StoreLaw) -> None:
    async with opened() as store:
        await law(store)


@pytest.mark.parametrize("law", METER_LAWS, ids=lambda law: law.__name__)
async def test_the_meter_in_the_store_keeps_the_law(opened: Opened, law: MeterLaw) -> None:
    async with opened() as store:
        await law(store, StoreMeter())


async def test_a_refused_act_costs_no_token(opened: Opened) -> None:
    from multiagent_bridge.testing.meters import NOW, TEN

    async def refused(tx: Tx) -> None:
        assert await StoreMeter().charge(tx, "k", TEN, NOW) == 0
        raise Conflict("no")

    async with opened() as store:
        for _ in range(30):
            with pytest.raises(Conflict):
                await store.write(refused)
        assert [await store.write(lambda tx: tx.buckets.charge("k", TEN, NOW)) for _ in range(11)].count(0) == 10


class Forgetful(MemoryStore):
    """A store that commits what it should have rolled back."""

    async def write(self, work, *, brief=False):  # type: ignore[no-untyped-def]
        kept: list[BaseException] = []

        async def swallowing(tx: Tx) -> object:
            try:
                return await work(tx)
            except BaseException as error:
                kept.append(error)
                return None

        result = await super().write(swallowing)
        if kept:
            raise kept[0]
        return result


class Generous:
    """A meter that never says no."""

    async def charge(self, tx: Tx, key: str, windows: object, now: int) -> int:
        return 0


async def test_the_exercise_finds_a_store_that_does_not_roll_back() -> None:
    @asynccontextmanager
    async def forgetful() -> AsyncIterator[Store]:
        yield Forgetful()

    with pytest.raises(Broken, match="left nothing behind"):
        await exercise_store(forgetful)


async def test_the_exercise_finds_a_meter_that_admits_everything() -> None:
    @asynccontextmanager
    async def generous() -> AsyncIterator[tuple[Store, Meter]]:
        yield MemoryStore(), Generous()

    with pytest.raises(Broken, match="admits ten"):
        await exercise_meter(generous)


async def test_a_store_that_keeps_the_laws_passes_the_exercise(opened: Opened) -> None:
    await exercise_store(opened)


async def test_many_recipients_are_counted_once_each(opened: Opened) -> None:
    names = [f"s{n}" for n in range(63)]
    async with opened() as store:
        await seat(store, sessions=["a", *names])
        await store.write(lambda tx: tx.messages.add(message(1), [*names, "s0", "s5"]))
        found = await store.read(lambda tx: tx.sessions.of("conv_1"))
        assert [s.unread for s in found] == [0] + [1] * 63
