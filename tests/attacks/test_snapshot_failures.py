"""Snapshots when something fails: full disks, damage, a git that will not do."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from multiagent_bridge.adapters.snapshots import git
from multiagent_bridge.adapters.snapshots.contents import blob
from tests.attacks.yards import (
    NOBODY,
    USERS,
    Bridge,
    Yard,
    failure,
    kept,
    made,
    nothing_half,
    restore,
    shadow,
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


@contextmanager
def small_disk(yard: Yard, size: int) -> Iterator[bool]:
    """The state directory on a disk of that many bytes. False where nobody lets us mount one."""
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(yard.state)], stderr=subprocess.DEVNULL
    )
    if mounted and yard.user == "nobody":
        os.chown(yard.state, NOBODY, NOBODY)
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(yard.state)], check=True)


def test_a_full_disk_means_no_snapshot_and_nothing_half(yard: Yard) -> None:
    yard.plant("a.txt", "1")
    with small_disk(yard, 6 << 20) as mounted:

        async def taken(bridge: Bridge) -> object:
            if not mounted:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
            return await bridge.snapshots.take(bridge.workspace, "x")

        first = take(yard)
        for name in ("one.bin", "lots"):
            yard.run(f"head -c 9000000 /dev/urandom > {name}" if name == "one.bin" else
                     "rm one.bin; mkdir lots; cd lots; head -c 9000000 /dev/urandom | split -b 60000")  # fmt: skip
            error = failure(yard, taken)
            assert "the disk is full" in error.sentence
            assert [snapshot.id for snapshot in kept(yard)] == [first.id]
            nothing_half(yard)
        used = sum(path.stat().st_size for path in shadow(yard).rglob("*") if path.is_file())
        assert used < 200_000
        yard.run("rm -r lots; echo 2 > a.txt")
        second = take(yard)
        restore(yard, first)
        assert {first.id, second.id} < {snapshot.id for snapshot in kept(yard)}
        nothing_half(yard)


def test_a_rollback_on_a_full_disk_changes_nothing(own: Yard) -> None:
    own.plant("a.txt", "1")
    first = take(own)
    own.run("echo 2 > a.txt; head -c 5000000 /dev/urandom > new.bin")
    before = own.tree()

    async def restored(bridge: Bridge) -> object:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        return await bridge.snapshots.restore(first.id)

    assert "the disk is full" in failure(own, restored).sentence
    assert own.tree() == before
    nothing_half(own)


def test_a_damaged_shadow_is_told_before_anything_changes(own: Yard) -> None:
    own.plant("a.txt", "one")
    own.plant("b.txt", "other")
    first = take(own)
    name = blob(b"other")
    (shadow(own) / "store.git" / "objects" / name[:2] / name[2:]).unlink()
    own.run("echo 2 > a.txt; echo 2 > b.txt; touch new")
    before = own.tree()
    error = failure(own, lambda bridge: bridge.snapshots.restore(first.id))
    assert "damaged" in error.sentence
    assert own.tree() == before


@pytest.mark.parametrize("damage", ["gone", "garbage", "empty", "another tree", "another content", "no object"])
def test_a_wrong_memory_of_the_last_snapshot_spoils_none(own: Yard, damage: str) -> None:
    path = own.plant("a.txt", "one")
    own.plant("b/c.txt", "two")
    take(own)
    cache = shadow(own) / "cache.json"
    memory = json.loads(cache.read_text())
    if damage == "gone":
        cache.unlink()
    elif damage in ("garbage", "empty"):
        cache.write_text("{" if damage == "garbage" else "")
    elif damage == "another tree":
        cache.write_text(json.dumps(memory | {"tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}))
    elif damage == "another content":
        memory["files"]["b/c.txt"][2] = memory["files"]["a.txt"][2]
        # only a stamp that fits would be believed, so this stands for a file whose stamp does not
        memory["files"]["b/c.txt"][3:] = []
        cache.write_text(json.dumps(memory))
    else:
        cache.write_text(json.dumps(memory | {"tree": "1" * 40}))
    path.write_text("three")
    second = take(own)
    own.run("rm -r a.txt b")
    restore(own, second)
    assert own.tree()[b"a.txt"][2] == b"three"
    assert own.tree()[b"b/c.txt"][2] == b"two"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "there is none here"),
        ("echo git version 1.8.3.1", "too old"),
        ("echo git version 2.25.9", "too old"),
        ("echo nonsense", "too old"),
        ("exit 3", "too old"),
        ("test $1 = version && echo git version 2.40.1 || exit 7", "status 7"),
        ("test $1 = version && echo git version 2.40.1 || kill -9 $$", "status -9"),
        ("test $1 = version && echo git version 2.40.1 || sleep 90", "took longer than"),
        ("test $1 = version && echo git version 2.40.1 || exit 0", ""),
    ],
)
def test_a_git_that_will_not_do_is_one_sentence(
    own: Yard, monkeypatch: pytest.MonkeyPatch, script: str | None, said: str
) -> None:
    own.plant("a.txt", "1")
    tools = own.outside
    if script is not None:
        (tools / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"relative:.:{tools}")

    async def taken(bridge: Bridge) -> object:
        git.program.cache_clear()
        return await bridge.snapshots.take(bridge.workspace, "x")

    began = time.monotonic()
    error = failure(own, taken, patience=2.0 if said == "took longer than" else 60.0)
    assert said in error.sentence
    assert time.monotonic() - began < 80


def test_a_git_in_the_workspace_is_never_taken(own: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    own.plant("git", f"#!/bin/sh\ntouch {own.proof}\n", 0o755)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")

    async def taken(bridge: Bridge) -> int:
        os.chdir(own.shop)
        git.program.cache_clear()
        return (await bridge.snapshots.take(bridge.workspace, "x")).files

    assert own.does(taken) == 1
    assert not own.proof.exists()


def test_shadows_are_closed_to_others_whatever_the_umask(yard: Yard) -> None:
    yard.run("mkdir d; umask 0; touch d/x; chmod 777 d")

    async def taken(bridge: Bridge) -> str:
        os.umask(0)
        return (await bridge.snapshots.take(bridge.workspace, "x")).id

    yard.does(taken)
    for path in (shadow(yard), *shadow(yard).rglob("*")):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((yard.state / "snapshots").stat().st_mode) == 0o700


def test_a_label_forges_nothing(own: Yard) -> None:
    labels = ["", "two\n\nlines\n", '{"id": "snap_forged"}', "\x00nul", "\ud800", "x" * 100_000, "\n\n{}"]

    async def taken(bridge: Bridge) -> list[str]:
        return [(await bridge.snapshots.take(bridge.workspace, label)).label for label in labels]

    assert own.does(taken) == labels
    assert sorted(snapshot.label for snapshot in kept(own)) == sorted(labels)
