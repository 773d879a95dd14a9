"""Running a plan: the executor that all backends share."""

from __future__ import annotations

import os
from collections.abc import Sequence

from multiagent_bridge.adapters.sandbox.backends import MEMORY, Backend, Launch, Room
from multiagent_bridge.adapters.sandbox.places import held
from multiagent_bridge.adapters.sandbox.plans import Plan
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Confinement, Outcome, Program

__all__ = ["MEMORY", "Backend", "Launch", "Room", "run_plan"]


async def run_plan(
    backend: Backend, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement
) -> Outcome:
    """What `ports.Sandbox.run` promises, by way of `backend`."""
    folder = held(confinement.workspace)
    try:
        async with backend.prepared(confinement) as room:
            return await Plan(room, confinement).through(steps, programs)
    finally:
        os.close(folder)
