"""Attacks from inside a sandbox: as whom they run, what there is to reach, and proof that each works where nothing confines it.

The bridge runs in a child process, as root and as an ordinary user where the tests may choose, else as themselves. What an attack
gains it prints, one name a line.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 (a child that gave up root may not be able to import it any more)
import os
import pickle
import platform
import select
import signal
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from multiagent_bridge.adapters.sandbox import places, plans, seccomp
from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Outcome
from multiagent_bridge.testing.sandboxes import PlainSandbox, Site

LOADED = (places, plans)
"""For the same reason."""

T = TypeVar("T")

NOBODY = 65534
USERS = ("root", "nobody") if os.geteuid() == 0 else ("own",)
"""Whom the bridge runs as. Root's commands run as the owner of the workspace."""
SECRET = "attack-secret-51c0"
SECONDS = 200.0
ROOMY = Bounds(seconds=30)

PRELUDE = r"""
import ctypes, errno, fcntl, os, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    found = libc.syscall(NUMBERS.get(number, number if isinstance(number, int) else -1), *words)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
def read(path):
    with open(path, 'rb') as file:
        return file.read(100_000)
def write(path, content='x', mode='w'):
    with open(path, mode) as file:
        file.write(content)
def shell(line):
    return subprocess.run(['sh', '-c', line], capture_output=True, timeout=20)
def attempt(name, act):
    try:
        found = act()
    except (OSError, subprocess.SubprocessError, EOFError):
        return
    if found is not False:
        print(name, flush=True)
"""


@dataclass(frozen=True)
class Ground:
    """Folders under `base`: `workspace` to attack from; `home`, `state` and `beside` to reach. All belong to who attacks."""

    user: str
    base: Path

    @property
    def workspace(self) -> Path:
        return self.base / "workspace"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def beside(self) -> Path:
        return self.base / "beside"

    def put(self, path: Path | str, content: str = SECRET, mode: int = 0o600) -> Path:
        """Write a file that belongs to who attacks; a relative path lies in the workspace."""
        target = self.workspace / path
        for folder in reversed(target.parents):
            if not folder.exists():
                folder.mkdir()
                self.give(folder)
        target.write_text(content)
        target.chmod(mode)
        self.give(target)
        return target

    def give(self, path: Path) -> None:
        if self.user != "own":
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def gained(self, script: str, **places: Any) -> list[str]:
        """What a Python script gets to do inside, `places` being its variables. Raises when it does not come to its end."""
        return self.names(self.inside(script, **places))

    def inside(
        self,
        script: str,
        *,
        writable: bool = True,
        network: bool = False,
        bounds: Bounds = ROOMY,
        **places: Any,
    ) -> Outcome:
        step = self.step(script, **places)

        async def run() -> Outcome:
            sandbox = BubblewrapSandbox(self.state, home=self.home)
            site = Site(sandbox, self.workspace)
            return await site.run(step, writable=writable, network=network, bounds=bounds)

        return self.bridge(run)

    def without(self, script: str, **places: Any) -> list[str]:
        """What it gets to do as the same user where nothing confines it: what the test proves nothing without."""
        step = self.step(script, **places)
        return self.names(
            as_user("own" if self.user == "own" else "nobody", lambda: Site(PlainSandbox(), self.workspace).run(step))
        )

    def bridge(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something as the bridge's user."""
        return as_user(self.user, work)

    def git(self, *words: str, where: Path | None = None) -> str:
        """git, as the person whose workspace it is, with their own settings."""
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home)}
        user: Mapping[str, Any] = {} if self.user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
        identity = ("-c", "user.name=P", "-c", "user.email=p@localhost")
        done = subprocess.run(
            ["git", *identity, *words],
            cwd=where or self.workspace,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            **user,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @staticmethod
    def step(script: str, **places: Any) -> Step:
        """A Python script, `places` being its variables."""
        given = {name: str(value) if isinstance(value, Path) else value for name, value in places.items()}
        machine = seccomp.MACHINES.get(platform.machine())
        given["NUMBERS"] = dict(machine.numbers) if machine else {}
        named = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        return Step(("python3", "-c", f"{PRELUDE}\n{named}\n{script}\nprint('that was all')\n"))

    @staticmethod
    def names(outcome: Outcome) -> list[str]:
        said = outcome.stdout.head.decode().splitlines()
        assert said[-1:] == ["that was all"], (outcome.exit_code, outcome.ended, said, outcome.stderr.head.decode())
        return said[:-1]


@contextmanager
def ground(user: str) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="mab-attack-") as made:
        base = Path(made)
        base.chmod(0o755)
        found = Ground(user, base)
        for folder in (found.workspace, found.home, found.state, found.beside):
            folder.mkdir()
            found.give(folder)
        found.state.chmod(0o700)
        if user == "root":
            os.chown(found.state, 0, 0)
        found.put(found.home / ".ssh" / "id_ed25519")
        found.put(found.beside / "notes", mode=0o666)
        yield found


def as_user(user: str, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a child process that has become `user`; its result must be picklable. Raises what it raised."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        # threads of other tests are not needed in the child
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(ours)
        _answer(theirs, user, work)
    os.close(theirs)
    answer = b""
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], SECONDS)[0] and (piece := pipe.read(1 << 20)):
            answer += piece
    if not answer:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert answer, f"the child said nothing (status {status})"
    good, found = pickle.loads(answer)
    if good:
        return found  # type: ignore[no-any-return]
    raise found


def _answer(pipe: int, user: str, work: Callable[[], Awaitable[object]]) -> None:
    """Never returns."""
    try:
        if user == "nobody":
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        answer = True, asyncio.run(_once(work))
    except BaseException as error:
        error.add_note(traceback.format_exc())
        answer = False, error
    try:
        with os.fdopen(pipe, "wb") as file:
            file.write(pickle.dumps(answer))
    finally:
        os._exit(0)


async def _once(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
