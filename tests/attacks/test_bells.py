"""Attacks on the bells of a state directory by what is planted among them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from multiagent_bridge.adapters import bell_names
from multiagent_bridge.adapters.bell import DatagramBell, digest
from multiagent_bridge.adapters.bell_names import shortened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short path, wherever the others lie: a socket address has little room."""
    with tempfile.TemporaryDirectory(prefix="mab-") as made:
        yield Path(made)


async def nothing() -> bool:
    return False


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[DatagramBell]:
    bell = DatagramBell(folder, nothing)
    await bell.open()
    try:
        yield bell
    finally:
        await bell.close()


@pytest.fixture
async def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DatagramBell]:
    monkeypatch.setattr(bell_names, "SWEEP_SECONDS", 0.0)
    async with opened(tmp_path / "bells") as bell:
        yield bell


@pytest.fixture
async def theirs(ours: DatagramBell, tmp_path: Path) -> AsyncIterator[DatagramBell]:
    async with opened(tmp_path / "bells") as bell:
        yield bell


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket of somebody else's program, outside the folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "stranger"))
        ear.setblocking(False)
        yield ear


async def rung(bell: DatagramBell, topic: str, times: int = 1) -> None:
    for _ in range(times):
        bell.ring(topic)
        for _ in range(3):
            await asyncio.sleep(0)


def link_of(topic: str, process: str) -> str:
    return f"{shortened(digest(topic))}-{process}"


def name_of(bell: DatagramBell) -> str:
    return bell._names._own


async def test_what_is_planted_is_removed_and_what_it_points_to_is_not_touched(
    ours: DatagramBell, tmp_path: Path, stranger: socket.socket
) -> None:
    bells, key = tmp_path / "bells", tmp_path / "master.key"
    key.write_text("precious")
    for name in ("plain", ".hidden", link_of("t", "1-dead"), link_of("t", "")):
        (bells / name).write_text("no socket")
        (bells / f"{name}1").symlink_to(key)
        (bells / f"{name}2").symlink_to(tmp_path / "stranger")
        (bells / f"{name}3").symlink_to(tmp_path / "nowhere")
        os.mkfifo(bells / f"{name}4")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(bells / f"{name}5"))
    await rung(ours, "t", 10)
    assert [path.name for path in bells.iterdir()] == ["." + name_of(ours)]
    assert key.read_text() == "precious"
    assert (tmp_path / "stranger").is_socket()


async def test_a_planted_folder_is_passed_over_and_its_content_left(
    ours: DatagramBell, theirs: DatagramBell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells = tmp_path / "bells"
    tried: list[str] = []
    bury = bell_names.Names.bury

    def counted(names: bell_names.Names, name: str) -> None:
        tried.append(name)
        bury(names, name)

    monkeypatch.setattr(bell_names.Names, "bury", counted)
    async with theirs.listen("t") as ear, theirs.listen("u") as other:
        for name in ("folder", link_of("t", "1-dead"), link_of("first", name_of(theirs))):
            (bells / name).mkdir()
            (bells / name / "kept").write_text("kept")
        for _ in range(5):
            ours.ring("first")
            await rung(ours, "t")
            assert await ear.wait(60)
        await rung(ours, "u")
        assert await other.wait(60)
        assert len(list(bells.glob("*/kept"))) == 3
        assert len(tried) == len(set(tried)) == 3, "each was tried once"


async def test_a_file_under_the_name_of_a_living_process_neither_takes_its_rings_nor_its_names(
    ours: DatagramBell, theirs: DatagramBell, tmp_path: Path
) -> None:
    bells = tmp_path / "bells"
    async with theirs.listen("t") as ear:
        living = {path.name for path in bells.iterdir()}
        for topic in ("a", "b", "c"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
                dead.bind(str(bells / link_of(topic, name_of(theirs))))
        # the planted names come first: the ring of the real topic would go to one of them
        for topic in ("a", "b", "c", "t"):
            ours.ring(topic)
        await rung(ours, "more")
        assert await ear.wait(60)
        await rung(ours, "t", 10)
        assert {path.name for path in bells.iterdir()} == living
        assert await ear.wait(60)


async def test_a_socket_that_never_listens_costs_a_try_and_delays_nobody(
    ours: DatagramBell, theirs: DatagramBell, tmp_path: Path
) -> None:
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with full, stream:
        full.bind(str(tmp_path / "bells" / link_of("t", "1-full")))
        stream.bind(str(tmp_path / "bells" / link_of("t", "1-stream")))
        stream.listen(1)
        async with theirs.listen("t") as ear:
            for _ in range(40):
                await rung(ours, "t")
                assert await ear.wait(60)
            assert len(ours._unheard) <= 1
            assert all(len(waiting.digests) <= 2 for waiting in ours._unheard.values())


@pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 8, b"\xff" * 4000, b"x" * 511, b"\0" * 4000])
async def test_forged_rings_wake_at_most(ours: DatagramBell, tmp_path: Path, content: bytes) -> None:
    async with ours.listen("t") as ear:
        await rung(ours, "t")
        assert await ear.wait(60)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as forger:
            for _ in range(5):
                forger.sendto(content, str(tmp_path / "bells" / ("." + name_of(ours))))
        await ear.wait(0.05)
        ours.ring("t")
        assert await ear.wait(60)


def test_thousands_of_planted_names_are_not_looked_at_in_one_ring(tmp_path: Path) -> None:
    """In a process of its own: what is measured is how many names one ring asks after."""
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom multiagent_bridge.adapters import bell_names\n"
        "from multiagent_bridge.adapters.bell import DatagramBell\n"
        "async def changed(): return False\n"
        "async def main():\n"
        "    folder = Path(sys.argv[1])\n"
        "    bell = DatagramBell(folder, changed)\n"
        "    await bell.open()\n"
        "    for number in range(5000): (folder / f'x{number}').touch()\n"
        "    asked = []\n"
        "    real = bell_names.Names._dead\n"
        "    bell_names.Names._dead = lambda self, name: asked.append(name) or real(self, name)\n"
        "    bell.ring('t')\n"
        "    for _ in range(3): await asyncio.sleep(0)\n"
        "    print(len(asked))\n"
        "    await bell.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "bells")], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(done.stdout) == bell_names.PROBES
