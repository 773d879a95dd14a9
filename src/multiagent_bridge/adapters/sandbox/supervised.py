"""What the sandboxes of the supervisor share: who commands run as, what a name means, and a room with limits."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from multiagent_bridge.adapters.sandbox import environment
from multiagent_bridge.adapters.sandbox.landlock_room import LandlockRoom
from multiagent_bridge.adapters.sandbox.landlock_rules import SYSTEM_ROOTS
from multiagent_bridge.adapters.sandbox.landlock_scratch import Scratch, scratch
from multiagent_bridge.adapters.sandbox.privileges import home_of, identity
from multiagent_bridge.adapters.sandbox.programs import Programs
from multiagent_bridge.adapters.sandbox.running import run_plan
from multiagent_bridge.adapters.sandbox.toolchains import SYSTEM, Toolchains, found
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Outcome, Program
from multiagent_bridge.model.workspaces import Workspace

ADDRESS_SPACE = 16 << 30
"""Bytes of RLIMIT_AS. Address space is no memory (node alone reserves gigabytes); RLIMIT_DATA and a watch count memory."""
FILE_BYTES = 256 << 20


class Supervised:
    """`state` is the state directory, `user` who commands run as when the bridge is root (privileges.identity), `home` where
    toolchains are looked for (by default the home of who commands run as).
    """

    def __init__(self, state: Path, user: str = "", home: Path | None = None) -> None:
        self._state = state
        self._user = user
        self._home = home
        self._programs: dict[tuple[str, ...], Programs] = {}

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        return await self._finder(self._toolchains(identity(workspace, self._user))).find(workspace, names)

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        """As the port says. Raises Conflict also when a program is no longer the one that was named."""
        toolchains = self._toolchains(identity(confinement.workspace, self._user))
        await self._finder(toolchains).verify(confinement.workspace, programs)
        return await run_plan(self, steps, programs, confinement)

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[LandlockRoom]:
        """A room for one plan; see `running.Backend`."""
        workspace = confinement.workspace
        user = identity(workspace, self._user)
        tools = self._toolchains(user).without(workspace.path)
        async with scratch(workspace, user, tools.caches) as own:
            order = {
                "identity": user,
                "limits": limits(confinement.bounds),
                "workspace": (os.fsencode(workspace.path), workspace.device, workspace.inode),
                **await self._restrictions(confinement, user, tools, own),
            }
            room = LandlockRoom(order, variables(confinement, own, tools), confinement.bounds.memory)
            try:
                yield room
            finally:
                room.close()

    async def _restrictions(
        self, confinement: Confinement, user: tuple[int, int] | None, tools: Toolchains, own: Scratch
    ) -> Mapping[str, object]:
        """`handled`, `rules` and `filters` of the supervisor's order. Raises Unavailable."""
        raise NotImplementedError

    def _toolchains(self, user: tuple[int, int] | None) -> Toolchains:
        return found(self._home or home_of(user)).without(os.path.realpath(self._state))

    def _finder(self, toolchains: Toolchains) -> Programs:
        key = (*toolchains.path, "", *toolchains.shown)
        if key not in self._programs:
            self._programs[key] = Programs((*SYSTEM, *toolchains.path), (*SYSTEM_ROOTS, *toolchains.shown))
        return self._programs[key]


def limits(bounds: Bounds) -> dict[str, int]:
    """Limits of each program, by the names of `resource`; NPROC is what the user's other programs leave."""
    return {
        "CORE": 0,
        "NOFILE": 1024,
        "NPROC": bounds.processes,
        "FSIZE": FILE_BYTES,
        "CPU": bounds.seconds * (os.cpu_count() or 1) + 1,
        "DATA": bounds.memory,
        "AS": max(ADDRESS_SPACE, bounds.memory),
        "MEMLOCK": 1 << 20,
        "MSGQUEUE": 0,
        "SIGPENDING": 1024,
    }


def variables(confinement: Confinement, own: Scratch, tools: Toolchains) -> dict[str, str]:
    path = ":".join((*SYSTEM, *tools.path))
    return {**environment.inside(confinement, path, own.home), **tools.variables, "TMPDIR": own.temporary}
