"""Every law of `ports.Bell`, held against both bells that need no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters.bell import DatagramBell, MemoryBell, RungEar
from multiagent_bridge.ports import Bell
from multiagent_bridge.testing import bells
from multiagent_bridge.testing.bells import BELL_LAWS, BellLaw, exercise_bell
from multiagent_bridge.testing.laws import Broken

pytestmark = pytest.mark.anyio

Opened = Callable[[], AbstractAsyncContextManager[tuple[Bell, Bell]]]


async def nothing() -> bool:
    return False


@asynccontextmanager
async def rung(folder: Path) -> AsyncIterator[DatagramBell]:
    bell = DatagramBell(folder, nothing)
    await bell.open()
    try:
        yield bell
    finally:
        await bell.close()


@pytest.fixture(params=["memory", "datagrams", "datagrams without links", "datagrams below a long path"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    number = iter(range(1000))

    @asynccontextmanager
    async def memory() -> AsyncIterator[tuple[Bell, Bell]]:
        bell = MemoryBell()
        yield bell, bell

    @asynccontextmanager
    async def datagrams() -> AsyncIterator[tuple[Bell, Bell]]:
        folder = tmp_path / str(next(number))
        if request.param.endswith("long path"):
            folder = tmp_path / ("x" * 100) / folder.name
            folder.parent.mkdir(exist_ok=True)
        async with rung(folder) as ours, rung(folder) as theirs:
            yield ours, theirs
        assert not list(folder.iterdir()), "nothing is left behind"

    if request.param.endswith("without links"):
        monkeypatch.setattr("os.link", no_links)
    return memory if request.param == "memory" else datagrams


def no_links(*_: object, **__: object) -> None:
    raise PermissionError("this file system has no hard links")


@pytest.mark.parametrize("law", BELL_LAWS, ids=lambda law: law.__name__)
async def test_the_bell_keeps_the_law(opened: Opened, law: BellLaw) -> None:
    async with opened() as (ours, theirs):
        await law(ours, theirs)


class Deaf(MemoryBell):
    """A bell that does not ring."""

    def ring(self, topic: str) -> None:
        return


class Loud(MemoryBell):
    """A bell that wakes everybody."""

    def ring(self, topic: str) -> None:
        self.ring_here()


class Forgetful(MemoryBell):
    """A bell that only those hear who wait at that moment."""

    def ring(self, topic: str) -> None:
        for ear in self._ears.get(topic, ()):
            if ear.waits:  # type: ignore[attr-defined]
                ear.ring()

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        class Ear(RungEar):
            waits = False

            async def wait(self, seconds: float) -> bool:
                self.waits = True
                try:
                    return await super().wait(seconds)
                finally:
                    self.waits = False

        ear = Ear()
        self._ears[topic].add(ear)
        yield ear
        self._ears[topic].discard(ear)


class Short(MemoryBell):
    """A bell that takes no more than a hundred topics at once."""

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[RungEar]:
        async with super().listen(topic) as ear:
            if len(self._ears) > 100:
                self._ears[topic].discard(ear)
            yield ear


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Deaf, "a_ring_wakes"),
        (Loud, "nobody_is_woken"),
        (Forgetful, "a_ring_wakes"),
        (Short, "a_burst"),
    ],
)
async def test_the_exercise_finds_a_bell_that_breaks_a_law(
    broken: type[MemoryBell], law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "SOON", 0.05)

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Bell, Bell]]:
        bell = broken()
        yield bell, bell

    with pytest.raises(Broken, match=law):
        await exercise_bell(opened)


async def test_a_bell_that_keeps_the_laws_passes_the_exercise(opened: Opened) -> None:
    async with asyncio.timeout(120):
        await exercise_bell(opened)
