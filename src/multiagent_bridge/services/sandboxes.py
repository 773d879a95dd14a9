"""Sandboxes: the one a run gets, chosen in the order of how much they protect; never a weaker one in silence."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.errors import BridgeError, Invalid, Unavailable
from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.ports import Sandbox

UNCONFINED = "none"
"""The backend that confines nothing."""


class Sandboxes:
    def __init__(self, sandboxes: Sequence[Sandbox]) -> None:
        self._sandboxes = sandboxes

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sandbox.name for sandbox in self._sandboxes)

    async def chosen(self, name: str, mode: str) -> tuple[Sandbox, Profile]:
        """The sandbox of that name, or the first that works and is good enough for the mode.

        Raises Invalid for a name that is none, Unavailable saying of each why it cannot be used.
        """
        # running without any is never chosen by the bridge, only named by a person
        candidates = [s for s in self._sandboxes if s.name == name or (not name and s.name != UNCONFINED)]
        if name and not candidates:
            raise Invalid("there is no sandbox of that name", f"use {', '.join(self.names) or 'none: none is set up'}")
        reasons = []
        for sandbox in candidates:
            try:
                profile = await sandbox.profile()
            except BridgeError as error:
                reasons.append(f"{sandbox.name}: {error.sentence}")
                continue
            if mode in profile.modes:
                return sandbox, profile
            reasons.append(f"{sandbox.name}: not enough for mode {mode}")
        raise Unavailable(
            f"no sandbox works here, so no command runs ({'; '.join(reasons) or 'none is set up'})",
            "mab doctor says what to install",
        )

    def named(self, name: str) -> Sandbox:
        """The sandbox that an order names. Raises Unavailable when it is no longer set up."""
        for sandbox in self._sandboxes:
            if sandbox.name == name:
                return sandbox
        raise Unavailable(f"the sandbox {name} is no longer set up", "ask for the command again")
