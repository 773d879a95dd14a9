"""Workspaces to attack: the bridge runs in a child, as root and as an ordinary user where the tests may choose."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from multiagent_bridge.adapters.snapshots.contents import blob
from multiagent_bridge.adapters.snapshots.snapshots import ShadowSnapshots
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.errors import BridgeError, Conflict, Unavailable
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from tests.attacks.confined import NOBODY, USERS, as_user

__all__ = ["NOBODY", "USERS"]

T = TypeVar("T")

EVIL = """
git init -q {at}; mkdir -p {at}/.git/hooks
cat >> {at}/.git/config <<END
[core]
  fsmonitor = touch $PROOF; false
  sshCommand = touch $PROOF
  hooksPath = $PWD/{at}/.git/hooks
  pager = touch $PROOF
[filter "evil"]
  clean = touch $PROOF; cat
  smudge = touch $PROOF; cat
  process = touch $PROOF
  required = true
[diff "evil"]
  textconv = touch $PROOF; cat
[include]
  path = ../more
END
for hook in pre-commit post-index-change post-checkout reference-transaction; do
  printf '#!/bin/sh\\ntouch %s\\n' "$PROOF" > {at}/.git/hooks/$hook; chmod +x {at}/.git/hooks/$hook; done
echo '* filter=evil diff=evil text eol=crlf ident working-tree-encoding=UTF-16' > {at}/.gitattributes
printf 'one\\n$Id$\\ntwo\\r\\n' > {at}/text
"""
"""A repository in the folder {at} that runs something whenever git does anything there."""

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
}


@dataclass(frozen=True)
class Bridge:
    """The adapters, and the workspace they look at."""

    workspaces: FolderWorkspaces
    snapshots: ShadowSnapshots
    workspace: Workspace


@dataclass(frozen=True)
class Yard:
    """`shop` is the workspace; it belongs to whoever commands run as, and `outside` to whoever runs the bridge."""

    user: str
    base: Path

    @property
    def shop(self) -> Path:
        return self.base / "shop"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def proof(self) -> Path:
        """What exists once anything planted has run; anybody may write there."""
        return self.base / "open" / "proof"

    def does(self, work: Callable[[Bridge], Awaitable[T]], patience: float = 60.0) -> T:
        """Run `work` as the bridge. Its result must be picklable."""

        async def working() -> T:
            workspaces = FolderWorkspaces(self.state)
            snapshots = ShadowSnapshots(self.state, SystemClock(), RandomIds(), patience)
            return await work(Bridge(workspaces, snapshots, await workspaces.identify(str(self.shop))))

        return as_user(self.user, working)

    def run(self, script: str, at: Path | None = None) -> str:
        """Run a shell script in the workspace as whoever commands run as."""
        as_who = {} if self.user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
        done = subprocess.run(  # type: ignore[call-overload]
            ["bash", "-euc", script],
            cwd=at or self.shop,
            env={**GIT, "PROOF": str(self.proof), "OUTSIDE": str(self.outside)},
            capture_output=True,
            timeout=200,
            **as_who,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return str(done.stdout.decode(errors="replace"))

    def plant(self, name: str, content: bytes | str = b"", mode: int = 0o644) -> Path:
        """Write a file of the workspace; it and the folders on the way belong to whoever commands run as."""
        path = self.shop / name
        for folder in reversed(path.parents):
            if not folder.exists():
                folder.mkdir()
                self.give(folder)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        if self.user != "own":
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def tree(self, below: Path | None = None) -> dict[bytes, tuple[str, int, bytes]]:
        """Everything in the workspace but the inside of its own repository: kind, mode, content."""
        top = os.fsencode(below or self.shop)
        found = {}
        for place, folders, names in os.walk(top):
            if place == top and b".git" in folders:
                folders.remove(b".git")
            for name in folders + names:
                path = os.path.join(place, name)
                found[os.path.relpath(path, top)] = _what(path)
        return found

    def fingerprint(self, path: Path) -> str:
        """Changes with any byte, mode or time of anything below."""
        found = hashlib.sha256()
        for place, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = Path(place, name)
                status = file.lstat()
                found.update(f"{file} {status.st_mode} {status.st_mtime_ns} {status.st_ino}".encode())
                found.update(file.read_bytes() if stat.S_ISREG(status.st_mode) else b"")
        return found.hexdigest()


def _what(path: bytes) -> tuple[str, int, bytes]:
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return "link", 0, os.readlink(path)
    if stat.S_ISDIR(status.st_mode):
        return "folder", mode, b""
    if not stat.S_ISREG(status.st_mode):
        return "special", mode, b""
    with open(path, "rb") as file:
        return "file", mode, file.read()


@contextmanager
def made(user: str) -> Iterator[Yard]:
    base = Path(tempfile.mkdtemp(prefix="mab-yard-"))
    base.chmod(0o755)
    yard = Yard(user, base)
    for folder, mode in ((yard.shop, 0o755), (yard.state, 0o700), (yard.outside, 0o755), (yard.proof.parent, 0o777)):
        folder.mkdir()
        folder.chmod(mode)
    yard.give(yard.shop)
    if user == "nobody":
        for folder in (yard.state, yard.outside):
            yard.give(folder)
    try:
        yield yard
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(base)], check=False, capture_output=True)
        shutil.rmtree(base)


def take(yard: Yard, label: str = "x") -> Snapshot:
    async def taken(bridge: Bridge) -> Snapshot:
        return await bridge.snapshots.take(bridge.workspace, label)

    return yard.does(taken)


def restore(yard: Yard, snapshot: Snapshot) -> Snapshot:
    async def restored(bridge: Bridge) -> Snapshot:
        return await bridge.snapshots.restore(snapshot.id)

    return yard.does(restored)


def difference(yard: Yard, snapshot: Snapshot) -> set[tuple[str, str]]:
    async def compared(bridge: Bridge) -> list[Change]:
        return list(await bridge.snapshots.difference(snapshot.id))

    return {(change.path, change.how) for change in yard.does(compared)}


def there_and_back(yard: Yard, script: str) -> None:
    """Whatever a script does to the workspace, a rollback undoes to the byte, and a second one does again."""
    before = yard.tree()
    first = take(yard)
    yard.run(script)
    changed = yard.tree()
    assert changed != before
    then = restore(yard, first)
    assert yard.tree() == before
    assert difference(yard, first) == set()
    restore(yard, then)
    assert yard.tree() == changed
    restore(yard, first)
    assert yard.tree() == before


def shadow(yard: Yard) -> Path:
    (found,) = (yard.state / "snapshots").iterdir()
    return found


def kept(yard: Yard) -> list[Snapshot]:
    async def listed(bridge: Bridge) -> list[Snapshot]:
        return list(await bridge.snapshots.list())

    return yard.does(listed)


def failure(yard: Yard, act: Callable[[Bridge], Awaitable[object]], patience: float = 60.0) -> BridgeError:
    async def acted(bridge: Bridge) -> tuple[str, str, str]:
        try:
            await act(bridge)
        except BridgeError as error:
            return error.code, error.sentence, error.hint
        raise AssertionError("it was done")

    code, sentence, hint = yard.does(acted, patience)
    assert hint
    return {"unavailable": Unavailable, "conflict": Conflict}[code](sentence, hint)


def asked(yard: Yard, *words: str) -> int:
    """The status of a git that looks into the shadow."""
    command = ["git", f"--git-dir={shadow(yard) / 'store.git'}", "-c", "safe.directory=*", *words]
    return subprocess.run(command, capture_output=True, timeout=200).returncode


def holds(yard: Yard, content: bytes) -> bool:
    """Whether the shadow has a file with that content in any snapshot, or lying about."""
    return asked(yard, "cat-file", "-e", blob(content)) == 0


def nothing_half(yard: Yard) -> None:
    """The shadow holds whole snapshots and nothing that was on its way."""
    place = shadow(yard)
    left = [
        *place.rglob("*.lock"),
        *place.rglob("tmp_*"),
        *place.rglob("*crash*"),
        *place.glob("rules"),
        *place.glob("*.new"),
    ]
    assert left == []
    assert not (place / "working").exists()
    assert asked(yard, "fsck", "--no-dangling", "--strict") == 0
