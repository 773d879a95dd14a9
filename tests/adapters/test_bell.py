"""The bells of several processes in one folder: who is rung, what the dead leave, and what happens where queues are full."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters import bell_names
from multiagent_bridge.adapters.bell import DatagramBell, digest
from multiagent_bridge.adapters.bell_names import EVERY, shortened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

LISTENING = """
import asyncio, sys
from contextlib import AsyncExitStack
from pathlib import Path
from multiagent_bridge.adapters.bell import DatagramBell
async def main():
    async def changed(): return False
    async with AsyncExitStack() as stack:
        for number in range(int(sys.argv[2])):
            bell = DatagramBell(Path(sys.argv[1]), changed)
            await bell.open()
            await stack.enter_async_context(bell.listen("shared"))
            await stack.enter_async_context(bell.listen(f"own {number}"))
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def nothing() -> bool:
    return False


@asynccontextmanager
async def opened(folder: Path, changed: Callable[[], object] = nothing) -> AsyncIterator[DatagramBell]:
    bell = DatagramBell(folder, changed)  # type: ignore[arg-type]
    await bell.open()
    try:
        yield bell
    finally:
        await bell.close()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    return tmp_path / "bells"


@pytest.fixture
async def bells(folder: Path) -> AsyncIterator[tuple[DatagramBell, DatagramBell]]:
    async with opened(folder) as ours, opened(folder) as theirs:
        yield ours, theirs


def killed(folder: Path, count: int) -> None:
    """So many bells that listen to two topics each, in a process that is killed."""
    words = [sys.executable, "-c", LISTENING, str(folder), str(count)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)


async def turned() -> None:
    """A ring is sent in the next turn of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)


async def rung(bell: DatagramBell, topic: str) -> None:
    bell.ring(topic)
    await turned()


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def age(folder: Path) -> None:
    """As if nobody had come or gone for a while."""
    os.utime(folder, (1_000_000_000, 1_000_000_000))


def heard_of(bell: DatagramBell, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is sent to the bell's socket from now on, and not heard by it."""
    assert bell._socket is not None
    asyncio.get_running_loop().remove_reader(bell._socket)
    got: list[bytes] = []

    def heard() -> None:
        assert bell._socket is not None
        got.append(bell._socket.recv(4096))

    asyncio.get_running_loop().add_reader(bell._socket, heard)
    return got


async def test_only_the_processes_that_listen_to_a_topic_are_rung(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(opened(folder))
        others = [await stack.enter_async_context(opened(folder)) for _ in range(20)]
        for number, other in enumerate(others):
            await stack.enter_async_context(other.listen(f"inbox:{number}"))
            await stack.enter_async_context(other.listen("tasks"))
        got = [heard_of(other, monkeypatch) for other in others]
        ours.ring("inbox:7")
        ours.ring("inbox:8")
        ours.ring("inbox:nobody")
        await turned()
        wanted = {7: [digest("inbox:7")], 8: [digest("inbox:8")]}
        assert got == [wanted.get(number, []) for number in range(20)]
        ours.ring("tasks")
        ours.ring("inbox:3")
        await turned()
        assert [len(one) for one in got] == [1 + (number in wanted) for number in range(20)], "one datagram for all"


async def test_a_hundred_killed_listeners_leave_nothing_behind_after_a_few_rings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_names, "SWEEP_SECONDS", 0.0)
    async with opened(folder) as ours:
        await rung(ours, "a topic of nobody")
        killed(folder, 100)
        assert len(names(folder)) == 301
        rings = 0
        while len(names(folder)) > 1:
            await rung(ours, "a topic of nobody")
            rings += 1
            assert rings <= 301 / bell_names.PROBES + 1
    assert names(folder) == set()


async def test_who_rings_the_dead_removes_every_name_they_had(folder: Path) -> None:
    async with opened(folder) as ours:
        killed(folder, 30)
        ours._names._swept_at = float("inf")
        ours._names._read()
        ours._names._unproven.clear()
        await rung(ours, "shared")
        assert len(names(folder)) == 1


async def test_who_opens_finds_what_was_left_and_removes_it(folder: Path) -> None:
    killed(folder, 100)
    assert len(names(folder)) == 300
    async with opened(folder) as ours:
        assert len(names(folder)) == 1
        async with ours.listen("shared"):
            pass
    assert names(folder) == set()


async def test_the_living_are_swept_by_nobody_and_not_woken_for_it(
    bells: tuple[DatagramBell, DatagramBell], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_names, "SWEEP_SECONDS", 0.0)
    ours, theirs = bells
    async with theirs.listen("inbox:a"):
        before, got = names(folder), heard_of(theirs, monkeypatch)
        for _ in range(50):
            await rung(ours, "inbox:b")
        async with opened(folder):
            pass
        assert (names(folder), got) == (before, [])


async def test_a_socket_that_never_got_its_name_is_removed_when_it_is_old(folder: Path) -> None:
    folder.mkdir()
    stray = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stray.bind(str(folder / ".new-1-abc"))
    stray.close()
    async with opened(folder) as ours:
        for _ in range(5):
            await rung(ours, "t")
        assert ".new-1-abc" in names(folder), "its process may be about to rename it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bell_names, "STRAY_SECONDS", -1.0)
        async with opened(folder):
            assert len(names(folder)) == 1


async def test_whoever_begins_to_listen_in_a_quiet_folder_hears_the_next_ring(
    bells: tuple[DatagramBell, DatagramBell], folder: Path
) -> None:
    ours, theirs = bells
    age(folder)
    for _ in range(3):
        await rung(ours, "inbox:a")
    async with theirs.listen("inbox:a") as ear:
        await rung(ours, "inbox:a")
        assert await ear.wait(60)
        age(folder)
        async with theirs.listen("inbox:b") as other:
            await rung(ours, "inbox:b")
            assert await other.wait(60)
            assert not await ear.wait(0)


async def test_a_quiet_folder_is_read_once_and_one_that_changed_just_now_again(
    bells: tuple[DatagramBell, DatagramBell], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = bells
    reads: list[object] = []
    real = os.listdir
    async with theirs.listen("inbox:a") as ear:
        age(folder)

        def listed(place: int) -> list[str]:
            reads.append(place)
            return real(place)

        monkeypatch.setattr(os, "listdir", listed)
        for _ in range(5):
            await rung(ours, "inbox:a")
            assert await ear.wait(60)
        assert len(reads) == 1
        # the time of a change that was just now may hide another one: it lies ahead so that no busy machine outlives it
        os.utime(folder, (4_000_000_000, 4_000_000_000))
        for _ in range(3):
            await rung(ours, "inbox:a")
            assert await ear.wait(60)
        assert len(reads) == 4


async def test_a_row_of_waits_for_one_topic_leaves_the_folder_alone_and_what_is_over_is_taken_down(
    bells: tuple[DatagramBell, DatagramBell], folder: Path
) -> None:
    ours, theirs = bells
    async with theirs.listen("inbox:a"):
        pass
    age(folder)
    stamp = folder.stat().st_mtime_ns
    for _ in range(10):
        async with theirs.listen("inbox:a") as ear:
            await rung(ours, "inbox:a")
            assert await ear.wait(60)
    assert folder.stat().st_mtime_ns == stamp
    theirs._names.keep(set())
    assert folder.stat().st_mtime_ns == stamp, "who listens again within a second finds its name there"
    theirs._names.keep(set())
    assert [name for name in names(folder) if not name.startswith(".")] == []


async def test_with_many_topics_a_process_is_rung_for_all_and_later_for_its_own_again(
    bells: tuple[DatagramBell, DatagramBell], folder: Path
) -> None:
    ours, theirs = bells
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(theirs.listen("t0"))
        async with AsyncExitStack() as more:
            ears = [await more.enter_async_context(theirs.listen(f"t{number}")) for number in range(1, 200)]
            assert len(names(folder)) == 2 + bell_names.LINKS + 1, "the folder stays small"
            for ear, topic in ((ears[150], "t151"), (ears[0], "t1"), (first, "t0")):
                await rung(ours, topic)
                assert await ear.wait(60)
        for _ in range(3):
            theirs._names.keep({shortened(digest("t0"))})
        assert sum(name.startswith(EVERY) for name in names(folder)) == 0
        assert len(names(folder)) == 3
        await rung(ours, "t0")
        assert await first.wait(60)


async def test_a_listener_that_cannot_be_sent_to_now_hears_all_it_missed_once_it_can(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it is not given up meanwhile, however busy the machine is
    monkeypatch.setattr("multiagent_bridge.adapters.bell.BACKSTOP_SECONDS", 600.0)
    async with opened(folder) as ours, opened(folder) as theirs, AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(theirs.listen(f"t{number}")) for number in range(40)]
        assert theirs._socket is not None
        loop = asyncio.get_running_loop()
        # its process does not get a turn: what it is sent stays in the queue, which takes ten or so
        loop.remove_reader(theirs._socket)
        for number in range(40):
            await rung(ours, f"t{number}")
        assert len(ours._unheard) == 1, "one datagram for all that it missed"
        loop.add_reader(theirs._socket, theirs._heard)
        for ear in ears:
            assert await ear.wait(60)
        assert not ours._unheard


async def test_one_that_takes_nothing_for_a_second_is_given_up_and_costs_the_others_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiagent_bridge.adapters.bell.BACKSTOP_SECONDS", 0.05)
    async with opened(folder) as ours, opened(folder) as stopped, opened(folder) as theirs:
        async with stopped.listen("t"), theirs.listen("t") as ear:
            assert stopped._socket is not None
            asyncio.get_running_loop().remove_reader(stopped._socket)
            for _ in range(50):
                await rung(ours, "t")
                assert await ear.wait(60)
            async with asyncio.timeout(120):
                while ours._unheard:
                    await asyncio.sleep(0.01)


async def test_a_ringer_that_leaves_at_once_is_heard(folder: Path) -> None:
    async with opened(folder) as theirs, theirs.listen("t") as ear:
        async with opened(folder) as ours:
            ours.ring("t")
        assert await ear.wait(60)


async def test_the_backstop_wakes_who_missed_a_ring_and_rings_nobody_else(folder: Path) -> None:
    moved = [True, False]

    async def changed() -> bool:
        return moved.pop(0) if moved else False

    async with opened(folder, changed) as ours, opened(folder) as theirs:
        async with ours.listen("t") as missed, theirs.listen("t") as other:
            assert await missed.wait(60)
            assert not await other.wait(0.01)
