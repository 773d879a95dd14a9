"""No sandbox at all, for a person who has said so in their own settings: a command is supervised and limited, not confined."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping

from multiagent_bridge.adapters.sandbox.landlock_room import SUPERVISOR
from multiagent_bridge.adapters.sandbox.landlock_scratch import Scratch
from multiagent_bridge.adapters.sandbox.supervised import Supervised, limits
from multiagent_bridge.adapters.sandbox.toolchains import Toolchains
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Profile

LACKS = (
    "NO SANDBOX: a command can read, change and delete all that you can, see and end your programs, and reach the network",
    "a workspace that is to be read only is not, and no network means nothing",
)


class UnconfinedSandbox(Supervised):
    """Commands never run as root, get none of the environment, are limited, and all that they start dies with them; nothing
    else. Never for mode yolo, whose shell belongs in a sandbox (SPEC section 5).
    """

    name = "none"

    async def profile(self) -> Profile:
        """Raises Unavailable where its supervisor does not work."""
        if sys.platform != "linux":
            raise Unavailable("without a sandbox commands run on Linux only", "use a Docker sandbox")
        protects = (LACKS, self._user, limits(Bounds()), hashlib.sha256(SUPERVISOR.read_bytes()).hexdigest())
        fingerprint = hashlib.sha256(json.dumps(protects).encode()).hexdigest()
        return Profile(self.name, fingerprint, ("safe", "restricted"), LACKS)

    async def _restrictions(
        self, confinement: Confinement, user: tuple[int, int] | None, tools: Toolchains, own: Scratch
    ) -> Mapping[str, object]:
        return {"handled": b"", "rules": [], "filters": []}
