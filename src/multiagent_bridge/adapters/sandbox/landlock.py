"""The Landlock sandbox, for machines where no namespace can be made: it keeps files, sockets and signals out of a command's
reach, and stands a supervisor over it that sees all of it die; it hides nothing. What it lacks stands in every approval.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from multiagent_bridge.adapters.blocking import Watch, in_thread
from multiagent_bridge.adapters.sandbox import landlock_calls, landlock_rules, protection, seccomp, secrets
from multiagent_bridge.adapters.sandbox.landlock_room import SUPERVISOR
from multiagent_bridge.adapters.sandbox.landlock_rules import Grant
from multiagent_bridge.adapters.sandbox.landlock_scratch import Scratch
from multiagent_bridge.adapters.sandbox.landlock_selftest import proven
from multiagent_bridge.adapters.sandbox.supervised import Supervised, limits
from multiagent_bridge.adapters.sandbox.toolchains import Toolchains
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Profile

LOOK_SECONDS = 30.0
"""Time for the look at a workspace before a run."""
LACKS = (
    "reduced isolation: no namespace hides the machine, so names, sizes and times of all files can be seen",
    "there is no network, even where it was approved",
    "a command that may write can change permissions and times of your other files, not what is in them",
    "a command that may write makes nothing new at the top of the workspace or beside what is protected, and no commit",
    "processes count together with your other programs, memory is watched but for what the kernel holds, the disk can be filled",
)
"""What it does not stop, and what it stops that others allow; shown in every approval."""
OLD = "this kernel (older than Linux 6.12) cannot keep signals inside, so commands send none, not even to their own processes"
_UNIX = (1,)
"""AF_UNIX, for pairs of sockets between a program and its own children; the other filter refuses all other sockets."""


class LandlockSandbox(Supervised):
    """`query` asks the kernel for its version of Landlock."""

    name = "landlock"

    def __init__(
        self, state: Path, user: str = "", home: Path | None = None, query: Callable[[], int] | None = None
    ) -> None:
        super().__init__(state, user, home)
        self._query = query
        self._proven = ""

    async def profile(self) -> Profile:
        """The self-test runs once in this process, and again when anything that protects has changed. Raises Unavailable."""
        abi = landlock_rules.version(self._query)
        fingerprint = self._fingerprint(abi)
        if self._proven != fingerprint:
            await proven(self, self._user)
            self._proven = fingerprint
        if abi < landlock_calls.SCOPES:
            # between a command and our own processes there would be nothing but a filter
            return Profile(self.name, fingerprint, ("safe",), (*LACKS, OLD))
        return Profile(self.name, fingerprint, ("safe", "restricted"), LACKS)

    async def _restrictions(
        self, confinement: Confinement, user: tuple[int, int] | None, tools: Toolchains, own: Scratch
    ) -> Mapping[str, object]:
        if confinement.network:
            raise Unavailable("the Landlock sandbox has no network to give", "run it without, or install bubblewrap")
        abi = landlock_rules.version(self._query)
        grants = [
            *landlock_rules.machine(),
            *landlock_rules.shown((*tools.shown, *(folder for _, folder in tools.caches))),
            *landlock_rules.scratch((own.home, own.temporary)),
            *await in_thread(
                lambda watch: self._looked(confinement, user, watch), LOOK_SECONDS, "the look at the workspace"
            ),
        ]
        return {
            "handled": landlock_rules.handled(abi),
            "rules": landlock_rules.cut(abi, grants),
            "filters": filters(abi, confinement.writable),
        }

    def _looked(self, confinement: Confinement, user: tuple[int, int] | None, watch: Watch) -> list[Grant]:
        root = confinement.workspace.path
        state = os.path.realpath(self._state)
        if os.path.commonpath((root, state)) in (root, state):
            raise Unavailable("the workspace holds, or lies in, the state directory", "choose another workspace")
        try:
            return landlock_rules.workspace(root, protection.look(root, user, watch.check), confinement.writable)
        except OSError as error:
            raise Unavailable(f"the workspace cannot be looked at: {error.strerror}", "mab doctor") from error

    def _fingerprint(self, abi: int) -> str:
        protects = (
            *(abi, self._user, [one.hex() for writable in (False, True) for one in filters(abi, writable)]),
            *([(os.fsdecode(path), *rest) for path, *rest in landlock_rules.machine()], limits(Bounds())),
            *(hashlib.sha256(SUPERVISOR.read_bytes()).hexdigest(), protection.STEERING, secrets.RULES),
        )
        return hashlib.sha256(json.dumps(protects).encode()).hexdigest()


def filters(abi: int, writable: bool) -> list[bytes]:
    return [seccomp.program(_UNIX), landlock_calls.program(abi, writable)]
