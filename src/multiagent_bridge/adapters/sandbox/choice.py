"""Which sandboxes there are to choose from, by what a person has set up: those that protect best stand first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.adapters.sandbox.docker import DockerSandbox
from multiagent_bridge.adapters.sandbox.landlock import LandlockSandbox
from multiagent_bridge.adapters.sandbox.unconfined import UnconfinedSandbox
from multiagent_bridge.ports import Sandbox


def sandboxes(
    state: Path, user: str = "", docker_image: str = "", docker_runtime: str = "", required: bool = True
) -> Sequence[Sandbox]:
    """In the order of how much they protect. Whether one works, its `profile` says when it is asked.

    `state` is the state directory; the rest are the settings of `[yolo]`: Docker only with an image, and no sandbox at all only
    where `sandbox_required` is false, as the last.
    """
    found: list[Sandbox] = [BubblewrapSandbox(state, user)]
    if docker_image:
        found.append(DockerSandbox(state, docker_image, docker_runtime, user))
    found.append(LandlockSandbox(state, user))
    if not required:
        found.append(UnconfinedSandbox(state, user))
    return tuple(found)
