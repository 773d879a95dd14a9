"""Snapshots and rollbacks while something else happens: kills, cancellations, other processes, swaps in the middle."""

from __future__ import annotations

import asyncio
import os
import random
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from multiagent_bridge.adapters.snapshots import contents, restoring
from multiagent_bridge.errors import BridgeError, Conflict
from multiagent_bridge.model.workspaces import Snapshot
from tests.attacks.yards import (
    NOBODY,
    USERS,
    Bridge,
    Yard,
    difference,
    failure,
    holds,
    kept,
    made,
    nothing_half,
    restore,
    take,
)


@pytest.fixture(params=USERS)
def yard(request: pytest.FixtureRequest) -> Iterator[Yard]:
    with made(request.param) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Yard]:
    with made(USERS[-1]) as found:
        yield found


def killed(yard: Yard, act: Callable[[Bridge], Awaitable[object]], after: float) -> bool:
    """Whether a bridge was killed in the middle of it, so many seconds after it began."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()

        async def acted(bridge: Bridge) -> None:
            os.write(theirs, b"x")
            await act(bridge)

        with suppress(BaseException):
            yard.does(acted)
        os._exit(0)
    os.close(theirs)
    select.select([ours], [], [], 120)
    select.select([], [], [], after)
    done, _ = os.waitpid(child, os.WNOHANG)
    if not done:
        # the fork of the fork, which is the bridge, and none of its gits: they lead sessions of their own
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(ours)
    return not done


@pytest.mark.machines
def test_a_kill_at_any_moment_leaves_whole_snapshots(own: Yard) -> None:
    own.run("mkdir d; cd d; for i in $(seq 300); do echo $i$RANDOM > $i; done; head -c 3000000 /dev/urandom > big")
    began = time.monotonic()
    first = take(own)
    whole = time.monotonic() - began
    chance = random.Random(4)
    hits = 0
    for number in range(14):
        own.run(
            f"echo {number} > a; for i in $(seq 120); do echo {number} > d/$i; done; head -c 2000000 /dev/urandom > d/n{number}"
        )
        hits += killed(own, lambda bridge: bridge.snapshots.take(bridge.workspace, "x"), chance.random() * whole)
    assert hits
    last = take(own)
    for snapshot in kept(own):
        difference(own, snapshot)
    assert difference(own, last) == set()
    nothing_half(own)
    restore(own, first)
    assert difference(own, first) == set()


@pytest.mark.machines
def test_a_rollback_that_was_killed_can_be_done_again(own: Yard) -> None:
    own.run("mkdir d; cd d; for i in $(seq 800); do echo $i > $i; done")
    before, first = own.tree(), take(own)
    chance = random.Random(5)
    hits, whole = 0, 0.0
    for number in range(20):
        own.run(f"cd d; for i in $(seq 800); do echo {number} > $i; done; rm 7*; touch new{number}")
        # as long as it takes here: a quick machine would be done before any fixed moment
        hits += bool(whole) and killed(
            own, lambda bridge: bridge.snapshots.restore(first.id), chance.uniform(0.1, 0.7) * whole
        )
        began = time.monotonic()
        restore(own, first)
        whole = whole or time.monotonic() - began
        assert own.tree() == before
        if hits == 4:
            break
    assert hits
    nothing_half(own)


def test_a_cancelled_snapshot_leaves_nothing_and_a_rollback_is_finished(own: Yard) -> None:
    own.plant("a.txt", "1")
    first = take(own)
    own.plant("a.txt", "2")

    async def cancelled(bridge: Bridge) -> tuple[int, int]:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        go = threading.Event()

        def held(real: Callable[..., object]) -> Callable[..., object]:
            def holding(*words: object) -> object:
                loop.call_soon_threadsafe(begun.set)
                assert go.wait(90)
                return real(*words)

            return holding

        async def after_cancel(act: Awaitable[object]) -> None:
            begun.clear()
            go.clear()
            task = asyncio.ensure_future(act)
            await asyncio.wait_for(begun.wait(), 90)
            task.cancel()
            loop.call_later(0.05, go.set)
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 90)
            assert task.cancelled()

        real_file, real_write = contents.Contents._file, restoring.Restoring._write
        contents.Contents._file = held(real_file)  # type: ignore[method-assign, assignment]
        await after_cancel(bridge.snapshots.take(bridge.workspace, "x"))
        contents.Contents._file = real_file  # type: ignore[method-assign]
        before = len(await bridge.snapshots.list())
        restoring.Restoring._write = held(real_write)  # type: ignore[method-assign, assignment]
        await after_cancel(bridge.snapshots.restore(first.id))
        restoring.Restoring._write = real_write  # type: ignore[method-assign]
        return before, len(await bridge.snapshots.difference(first.id))

    assert own.does(cancelled) == (1, 0)
    assert own.tree()[b"a.txt"][2] == b"1"
    nothing_half(own)


def test_many_processes_at_once_take_turns(own: Yard) -> None:
    own.run("for i in $(seq 50); do echo $i > $i; done")
    threads = [threading.Thread(target=take, args=(own,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(250)
    assert len({snapshot.id for snapshot in kept(own)}) == 4
    for snapshot in kept(own):
        assert difference(own, snapshot) == set()
    nothing_half(own)


def in_the_middle(yard: Yard, first: Snapshot, deed: Callable[[], object]) -> BridgeError:
    """The failure of a rollback in which something happens between its look and its first write."""

    async def restored(bridge: Bridge) -> object:
        real = restoring.Restoring._present

        def present(self: restoring.Restoring, plan: object) -> None:
            real(self, plan)  # type: ignore[arg-type]
            deed()

        restoring.Restoring._present = present  # type: ignore[method-assign, assignment]
        return await bridge.snapshots.restore(first.id)

    return failure(yard, restored)


def test_a_rollback_is_checked_before_it_is_called_one(own: Yard) -> None:
    own.plant("a.txt", "1")
    own.plant("b.txt", "1", 0o600)
    first = take(own)
    own.run("echo 2 > a.txt; chmod 644 b.txt; touch new; mkdir empty")

    async def pretended(bridge: Bridge) -> object:
        restoring.Restoring.carry_out = lambda self, plan: None  # type: ignore[method-assign]
        return await bridge.snapshots.restore(first.id)

    error = failure(own, pretended)
    assert "a.txt, b.txt, empty/ and 1 more differ" in error.sentence


def test_a_workspace_swapped_in_the_middle_keeps_its_place_clean(own: Yard) -> None:
    own.plant("a.txt", "1")
    first = take(own)
    own.plant("a.txt", "2")

    def swap() -> None:
        own.shop.rename(own.base / "aside")
        own.shop.mkdir()
        (own.shop / "a.txt").write_text("theirs")

    own.base.chmod(0o777)
    error = in_the_middle(own, first, swap)
    assert isinstance(error, Conflict)
    assert "in part only" in error.sentence or "gone" in error.sentence
    assert own.tree() == {b"a.txt": ("file", own.tree()[b"a.txt"][1], b"theirs")}
    shutil.rmtree(own.base / "aside")


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_put_in_the_way_in_the_middle_is_not_written_through(yard: Yard, what: str) -> None:
    victim = yard.outside / "a.txt"
    victim.write_text("precious")
    yard.outside.chmod(0o777)
    victim.chmod(0o666)
    yard.plant("sub/a.txt", "ours")
    first = take(yard)
    yard.plant("sub/a.txt", "changed")

    def link() -> None:
        yard.run('rm -r sub; ln -s "$OUTSIDE" sub' if what == "folder" else 'ln -sf "$OUTSIDE/a.txt" sub/a.txt')

    if yard.user == "nobody":

        def link() -> None:
            shutil.rmtree(yard.shop / "sub")
            if what == "folder":
                (yard.shop / "sub").symlink_to(yard.outside)
            else:
                (yard.shop / "sub").mkdir()
                (yard.shop / "sub" / "a.txt").symlink_to(victim)

    if what == "folder":
        error = in_the_middle(yard, first, link)
        assert "in part only" in error.sentence
        assert "mab yolo rollback snap_" in error.hint
    else:

        async def restored(bridge: Bridge) -> str:
            real = restoring.Restoring._present

            def present(self: restoring.Restoring, plan: object) -> None:
                real(self, plan)  # type: ignore[arg-type]
                link()

            restoring.Restoring._present = present  # type: ignore[method-assign, assignment]
            return (await bridge.snapshots.restore(first.id)).id

        assert yard.does(restored)
        assert (yard.shop / "sub" / "a.txt").read_text() == "ours"
    assert victim.read_text() == "precious"
    assert os.listdir(yard.outside) == ["a.txt"]


@pytest.mark.machines
def test_a_racing_link_never_brings_a_secret_in_or_a_file_out(yard: Yard) -> None:
    """Who owns the workspace swaps a file and a folder for links, again and again, while snapshots and rollbacks go on."""
    secret = yard.outside / "secret"
    secret.write_text("of whoever runs the bridge")
    secret.chmod(0o600)
    yard.plant("sub/a.txt", "ours")
    first = take(yard)
    script = (
        "for i in $(seq 100000); do ln -sfn $OUTSIDE/secret sub/a.txt; rm -rf sub; ln -sfn $OUTSIDE sub; rm -f sub; "
        "mkdir -p sub; echo $i > sub/a.txt; done"
    )
    who = {} if yard.user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    racer = subprocess.Popen(  # type: ignore[call-overload]
        ["bash", "-c", script],
        cwd=yard.shop,
        env={"OUTSIDE": str(yard.outside), "PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **who,
    )

    async def raced(bridge: Bridge) -> int:
        end, rounds = time.monotonic() + 3, 0
        while time.monotonic() < end:
            for act in (
                lambda: bridge.snapshots.take(bridge.workspace, "x"),
                lambda: bridge.snapshots.restore(first.id),
            ):
                with suppress(BridgeError):
                    await act()
            rounds += 1
        return rounds

    try:
        assert yard.does(raced)
    finally:
        os.killpg(racer.pid, signal.SIGKILL)
        racer.wait(90)
    assert os.listdir(yard.outside) == ["secret"]
    assert secret.read_text() == "of whoever runs the bridge"
    assert holds(yard, b"ours")
    assert not holds(yard, secret.read_bytes())
    yard.run("rm -rf sub; mkdir sub")
    restore(yard, first)
    assert yard.tree()[b"sub/a.txt"][2] == b"ours"
