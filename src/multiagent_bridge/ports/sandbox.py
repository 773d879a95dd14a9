"""Sandboxes: where commands run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace


class Sandbox(Protocol):
    """Runs a plan where it can touch the workspace and nothing else. The whole process tree is dead when `run` returns."""

    name: str

    async def profile(self) -> Profile:
        """What it is on this machine, found by running it once and then remembered. Raises Unavailable saying why it
        does not work.
        """
        ...

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        """What each name means inside, in order; `cd` is ("cd", "", ""). Raises NotFound naming the one that is not there."""
        ...

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        """Run the plan, each step with its program, standard input empty.

        Never more than the bounds of output are held in memory. Cancelled, it kills the tree before it lets go. Raises
        Unavailable when the sandbox could not be built (nothing of the plan ran), Conflict when the workspace is not
        the one named.
        """
        ...
