"""Commands in bubblewrap: a root in which there is nothing but the system's programs and one workspace (notes/guard 3 to 5)."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from multiagent_bridge.adapters.blocking import POLL, Watch, in_thread
from multiagent_bridge.adapters.sandbox import bubblewrap_arguments as arguments
from multiagent_bridge.adapters.sandbox import environment, protection, seccomp, secrets, selftest
from multiagent_bridge.adapters.sandbox.bubblewrap_room import BubblewrapRoom
from multiagent_bridge.adapters.sandbox.places import held
from multiagent_bridge.adapters.sandbox.privileges import home_of, identity
from multiagent_bridge.adapters.sandbox.programs import Programs
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FILE, EMPTY_FOLDER, READ_ONLY, Mount
from multiagent_bridge.adapters.sandbox.repositories import Repositories
from multiagent_bridge.adapters.sandbox.running import run_plan
from multiagent_bridge.adapters.sandbox.toolchains import SYSTEM, Toolchains, found
from multiagent_bridge.adapters.state import prepared
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace

LOOK_SECONDS = 30.0
"""Time for the look at a workspace before a run, and for the preparations in it."""
PLACES = ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap")
"""Where bubblewrap is looked for: never along PATH, which an agent may have changed."""
MODES = ("safe", "restricted", "yolo")
LACKS = (
    "files that run by themselves later can be made where there are none yet (the result names them)",
    "secrets in files whose names do not tell can be read",
    "memory is watched, ten times a second, and what the kernel holds for a command is not counted",
    "the disk that the workspace lies on can be filled",
    "a command that is given the network reaches the servers of this machine and of its neighbours too",
)
"""What it does not stop; shown in every approval."""
ROOT_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


class BubblewrapSandbox:
    """`state` is the state directory, `user` who commands run as when the bridge is root (privileges.identity), `home` where
    toolchains are looked for (by default the home of who commands run as).
    """

    name = "bubblewrap"

    def __init__(self, state: Path, user: str = "", home: Path | None = None, program: str = "") -> None:
        self._state = state
        self._user = user
        self._home = home
        self._given = program
        self._programs: dict[tuple[str, ...], Programs] = {}
        self._known: dict[tuple[int, ...], tuple[str, bool]] = {}
        self._proven = ""

    async def profile(self) -> Profile:
        """The self-test runs once a boot, and again when anything that protects has changed. Raises Unavailable."""
        fingerprint, _ = await self._tested()
        return Profile(self.name, fingerprint, MODES, LACKS)

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        toolchains = self._toolchains(identity(workspace, self._user))
        return await self._finder(toolchains).find(workspace, names)

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        """As the port says. Raises Conflict also when a program is no longer the one that was named."""
        toolchains = self._toolchains(identity(confinement.workspace, self._user))
        await self._finder(toolchains).verify(confinement.workspace, programs)
        return await run_plan(self, steps, programs, confinement)

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[BubblewrapRoom]:
        """A room for one plan; see `running.Backend`."""
        workspace = confinement.workspace
        if not self._proven:
            await self._tested()
        _, by_descriptor = await self._version()
        user = identity(workspace, self._user)
        toolchains = self._toolchains(user).without(workspace.path)
        folder = held(workspace)
        repositories = Repositories(workspace.path, self._folder())
        try:
            mounts = await in_thread(
                lambda watch: self._mounts(confinement, repositories, user, watch),
                LOOK_SECONDS,
                "the look at the workspace",
            )
            yield BubblewrapRoom(
                self._program(),
                arguments.root(confinement.network, toolchains),
                confinement,
                folder,
                mounts,
                _environment(confinement, toolchains),
                user,
                by_descriptor,
            )
        finally:
            os.close(folder)
            with anyio.CancelScope(shield=True):
                await in_thread(lambda watch: repositories.undo(), LOOK_SECONDS, "tidying the workspace")

    def _mounts(
        self, confinement: Confinement, repositories: Repositories, user: tuple[int, int] | None, watch: Watch
    ) -> Sequence[Mount]:
        root = confinement.workspace.path
        state = os.path.realpath(self._state)
        if os.path.commonpath((root, state)) in (root, state):
            raise Unavailable("the workspace holds, or lies in, the state directory", "choose another workspace")
        try:
            seen = protection.look(root, user, watch.check)
            mounts = [Mount(EMPTY_FILE, path) for path in seen.files]
            mounts += [Mount(EMPTY_FOLDER, path) for path in seen.folders]
            if confinement.writable:
                mounts += [Mount(READ_ONLY, path) for path in seen.steering]
            made = repositories.set_up(seen, confinement.writable, lambda: watch.pause(POLL))
            return protection.ordered(mounts + made)
        except OSError as error:
            raise Unavailable(f"the workspace cannot be looked at: {error.strerror}", "mab doctor") from error

    async def _tested(self) -> tuple[str, bool]:
        """The fingerprint of the profile, and whether this bubblewrap mounts by descriptor. Raises Unavailable."""
        version, by_descriptor = await self._version()
        top = os.stat("/")  # noqa: PTH116
        user = identity(Workspace("/", top.st_dev, top.st_ino), self._user)
        toolchains = self._toolchains(user)
        root = arguments.root(False, toolchains)
        protects = (version, root, arguments.root(True, toolchains), by_descriptor, user is None, self._user)
        limits = (arguments.first_to_go(), arguments.limited(selftest.BOUNDS))
        rules = (seccomp.program().hex(), limits, protection.STEERING, secrets.RULES)
        fingerprint = hashlib.sha256(json.dumps([protects, rules]).encode()).hexdigest()
        if self._proven != fingerprint:
            confined = selftest.confinement()
            made = _environment(confined, toolchains)
            room = BubblewrapRoom(self._program(), root, confined, None, (), made, user, by_descriptor)
            await selftest.proven(room, self._state, fingerprint, self._folder())
            self._proven = fingerprint
        return fingerprint, by_descriptor

    async def _version(self) -> tuple[str, bool]:
        program = self._program()
        seen = os.stat(program)  # noqa: PTH116
        key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        if key not in self._known:
            self._known = {key: await in_thread(lambda watch: _asked(program, watch), 10.0, "asking bubblewrap")}
        return self._known[key]

    def _program(self) -> str:
        """Raises Unavailable when there is none, or one that somebody but root may change."""
        for place in (self._given,) if self._given else PLACES:
            try:
                seen = os.stat(place)  # noqa: PTH116
            except OSError:
                continue
            if seen.st_uid != 0 or stat.S_IMODE(seen.st_mode) & 0o022:
                raise Unavailable(
                    f"{place} can be changed by others than root", f"chown root {place}; chmod 755 {place}"
                )
            return place
        raise Unavailable("bubblewrap is not installed", "apt install bubblewrap, dnf install bubblewrap, or the like")

    def _toolchains(self, user: tuple[int, int] | None) -> Toolchains:
        return found(self._home or home_of(user)).without(os.path.realpath(self._state))

    def _finder(self, toolchains: Toolchains) -> Programs:
        key = (*toolchains.path, "", *toolchains.shown)
        if key not in self._programs:
            self._programs[key] = Programs((*SYSTEM, *toolchains.path), (*ROOT_FOLDERS, *toolchains.shown))
        return self._programs[key]

    def _folder(self) -> Path:
        """Where the ledger and the record of the self-test lie."""
        return prepared(self._state / "sandbox")


def _environment(confinement: Confinement, toolchains: Toolchains) -> dict[str, str]:
    path = ":".join((*SYSTEM, *toolchains.path))
    return {**environment.inside(confinement, path), **toolchains.variables}


def _asked(program: str, watch: Watch) -> tuple[str, bool]:
    """Version and digest of the program in one, and whether it has `--bind-fd`."""
    answers = []
    for question in ("--version", "--help"):
        answer = subprocess.run(
            [program, question],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=watch.left(),
            check=False,
        )
        answers.append(answer.stdout + answer.stderr)
    digest = hashlib.sha256(Path(program).read_bytes()).hexdigest()
    return f"{answers[0].decode(errors='replace').strip()} {digest}", b"--bind-fd" in answers[1]
