"""Commands in a container of Docker or podman, for who has set up an image: the programs are those of the image."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from multiagent_bridge.adapters.blocking import Watch, in_thread
from multiagent_bridge.adapters.sandbox import docker_arguments, docker_engine, environment, protection, secrets
from multiagent_bridge.adapters.sandbox.docker_arguments import LABEL, Container
from multiagent_bridge.adapters.sandbox.docker_room import SUPERVISOR, DockerRoom
from multiagent_bridge.adapters.sandbox.docker_selftest import LOOKUP, PASSED, PROBES
from multiagent_bridge.adapters.sandbox.places import held
from multiagent_bridge.adapters.sandbox.plans import Plan
from multiagent_bridge.adapters.sandbox.privileges import identity
from multiagent_bridge.adapters.sandbox.programs import CD
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FILE, EMPTY_FOLDER, READ_ONLY, Mount
from multiagent_bridge.adapters.sandbox.repositories import Repositories
from multiagent_bridge.adapters.sandbox.running import run_plan
from multiagent_bridge.adapters.state import opened, prepared
from multiagent_bridge.errors import Conflict, NotFound, Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace

LOOK_SECONDS = 30.0
"""Time for the look at a workspace before a run, and for the preparations in it."""
TEST_BOUNDS = Bounds(seconds=30, processes=32)
MODES = ("safe", "restricted", "yolo")
LACKS = (
    "programs are those of the image, not of this machine",
    "files that run by themselves later can be made where there are none yet (the result names them)",
    "the engine itself is trusted; it starts containers as root unless it was set up to run as its user",
    "the engine finds the workspace by its path, and mounts whatever lies there at that moment",
    "the disk that the workspace lies on can be filled",
    "a command that is given the network reaches the servers of this machine and of its neighbours too",
)
"""What it does not stop; shown in every approval."""
_NAME = re.compile(r"[A-Za-z0-9_.+\[-]+")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DockerSandbox:
    """`state` is the state directory, `image` names an image by its digest, `runtime` one of the engine's (runsc); `user` is
    who commands run as when the bridge is root (privileges.identity), `clients` where the engine's client is looked for.
    """

    name = "docker"

    def __init__(
        self, state: Path, image: str, runtime: str = "", user: str = "", clients: str = docker_engine.FOLDERS
    ) -> None:
        self._state = state
        self._image = image
        self._runtime = runtime
        self._user = user
        self._clients = clients
        self._known: dict[str, Program] = {}
        self._path = _DEFAULT_PATH
        self._proven = ""

    async def profile(self) -> Profile:
        """The self-test runs once in this process, and again when anything that protects has changed. Raises Unavailable."""
        return Profile(self.name, await self._tested(), MODES, LACKS)

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        """Looked up once in each image, which cannot change under its digest."""
        await self._tested()
        unknown = [name for name in dict.fromkeys(names) if name != "cd" and name not in self._known]
        if unknown:
            await self._look_up(unknown)
        return tuple(CD if name == "cd" else self._known[name] for name in names)

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        """As the port says. Raises Conflict also when the image is another one than when the programs were named."""
        now = await self.programs(confinement.workspace, [program.name for program in programs])
        if tuple(now) != tuple(programs):
            raise Conflict("a program is no longer the one that was named", "ask for the command again")
        return await run_plan(self, steps, programs, confinement)

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[DockerRoom]:
        """A room for one plan; see `running.Backend`."""
        workspace = confinement.workspace
        await self._tested()
        user = identity(workspace, self._user)
        repositories = Repositories(workspace.path, self._folder())
        folder = held(workspace)
        try:
            mounts = await in_thread(
                lambda watch: self._mounts(confinement, repositories, user, watch),
                LOOK_SECONDS,
                "the look at the workspace",
            )
            room = self._room(confinement, mounts, user or (os.getuid(), os.getgid()))
            try:
                yield room
            finally:
                room.close()
        finally:
            os.close(folder)
            with anyio.CancelScope(shield=True):
                await in_thread(lambda watch: repositories.undo(), LOOK_SECONDS, "tidying the workspace")

    def _room(self, confinement: Confinement, mounts: Sequence[Mount], user: tuple[int, int]) -> DockerRoom:
        engine = docker_engine.found(self._clients)
        container = Container(
            docker_engine.pinned(self._image),
            self._runtime,
            user,
            engine.podman and os.geteuid() != 0,
            confinement.workspace.path,
            confinement.writable,
            confinement.network,
            mounts,
            str(self._empty()),
            confinement.bounds,
        )
        return DockerRoom(engine, container, environment.inside(confinement, self._path))

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
            return protection.ordered(mounts + repositories.set_up(seen, confinement.writable))
        except OSError as error:
            raise Unavailable(f"the workspace cannot be looked at: {error.strerror}", "mab doctor") from error

    async def _tested(self) -> str:
        """The fingerprint of the profile. Raises Unavailable."""
        image = docker_engine.pinned(self._image)
        engine = docker_engine.found(self._clients)
        if self._proven:
            return self._proven
        version = await engine.version()
        self._path = await engine.path_of(image) or _DEFAULT_PATH
        user = self._anybody()
        example = Container(image, self._runtime, user, engine.podman, "/w", True, False, (), "", TEST_BOUNDS)
        words = docker_arguments.run(example, "name", {}, "/w", ["program"])
        rules = (SUPERVISOR.read_text(), protection.STEERING, secrets.RULES, self._user)
        fingerprint = hashlib.sha256(json.dumps([engine.client, version, words, rules]).encode()).hexdigest()
        await engine.tidied(LABEL)
        await self._test(user)
        self._proven = fingerprint
        return fingerprint

    async def _test(self, user: tuple[int, int]) -> None:
        place = Path(tempfile.mkdtemp(prefix="probe-", dir=self._folder()))
        try:
            (place / "inside").write_text("inside")
            for path in (place, place / "inside"):
                os.chown(path, *user)
            outcome = await self._inside(place, ("sh", "-c", PROBES, "sh", str(self._state)), user)
            said = outcome.stdout.head.decode(errors="replace").splitlines()
            made = place / "made"
            if said == PASSED and not (made.exists() and made.lstat().st_uid == user[0]):
                said = ["only make files that belong to somebody else"]
            if outcome.exit_code or outcome.ended or said != PASSED:
                wrong = [line for line in said if line not in PASSED]
                reason = outcome.stderr.head.decode(errors="replace").strip() or outcome.ended or "it says nothing"
                what = f"in it a command can {', '.join(wrong)}" if wrong else f"its self-test fails: {reason[:200]}"
                raise Unavailable(f"the container does not confine here: {what}", "use another engine, or bubblewrap")
        finally:
            shutil.rmtree(place)

    async def _look_up(self, names: Sequence[str]) -> None:
        """Raises NotFound naming the first that is not in the image."""
        for name in names:
            if not _NAME.fullmatch(name):
                raise NotFound(f"there is no program {name} in the image", "a program is named without its folder")
        outcome = await self._inside(None, ("sh", "-c", LOOKUP, "sh", *names), self._anybody())
        lines = outcome.stdout.head.decode(errors="replace").splitlines()
        if outcome.exit_code or len(lines) != len(names):
            reason = outcome.stderr.head.decode(errors="replace").strip()[:200] or outcome.ended
            raise Unavailable(
                f"the image cannot be searched for programs: {reason}", "it needs sh, readlink and sha256sum"
            )
        for name, line in zip(names, lines, strict=True):
            digest, _, path = line.partition(" ")
            if not path:
                raise NotFound(f"there is no program {name} in the image", f"its PATH is {self._path}")
            self._known[name] = Program(name, path, digest)

    async def _inside(self, place: Path | None, argv: tuple[str, ...], user: tuple[int, int]) -> Outcome:
        """One program of the image with no workspace but `place`."""
        workspace = Workspace(str(place or "/"), 0, 0)
        confinement = Confinement(workspace, place is not None, False, TEST_BOUNDS)
        room = self._room(confinement, (), user)
        try:
            return await Plan(room, confinement).through([Step(argv)], [Program(argv[0], "/bin/sh", "")])
        finally:
            room.close()

    def _anybody(self) -> tuple[int, int]:
        """Who commands run as where no workspace decides it."""
        top = os.lstat("/")
        return identity(Workspace("/", top.st_dev, top.st_ino), self._user) or (os.getuid(), os.getgid())

    def _empty(self) -> Path:
        """A file without content, to hide others."""
        path = self._folder() / "empty"
        os.close(opened(path, os.O_RDONLY | os.O_CREAT))
        path.chmod(0o444)
        return path

    def _folder(self) -> Path:
        """Where the ledgers lie."""
        return prepared(self._state / "sandbox")
