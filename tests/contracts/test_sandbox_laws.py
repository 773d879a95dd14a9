"""Every law of `ports.Sandbox`: all against bubblewrap, the functional ones against the runner that tests of services use."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.adapters.sandbox.running import Launch
from multiagent_bridge.model.sandboxes import Confinement
from multiagent_bridge.testing.laws import Broken
from multiagent_bridge.testing.sandbox_site import PlainRoom
from multiagent_bridge.testing.sandboxes import (
    CONFINEMENT_LAWS,
    FUNCTIONAL_LAWS,
    PlainSandbox,
    SandboxLaw,
    Site,
    exercise_sandbox,
    nothing_outlives_the_run,
)

pytestmark = pytest.mark.anyio

NOBODY = 65534


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that whoever runs commands may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="mab-laws-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def workspace(ground: Path) -> Path:
    """Owned by a user who is not root."""
    folder = ground / "workspace"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


@pytest.mark.parametrize("law", FUNCTIONAL_LAWS + CONFINEMENT_LAWS, ids=lambda law: law.__name__)
async def test_bubblewrap_keeps_the_law(ground: Path, workspace: Path, law: SandboxLaw) -> None:
    await law(Site(BubblewrapSandbox(ground / "state"), workspace))


@pytest.mark.parametrize("law", FUNCTIONAL_LAWS, ids=lambda law: law.__name__)
async def test_the_plain_runner_keeps_the_functional_law(workspace: Path, law: SandboxLaw) -> None:
    await law(Site(PlainSandbox(), workspace))


async def test_the_exercise_goes_through_all_laws_it_is_given(ground: Path, workspace: Path) -> None:
    kept: list[Path] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[Site]:
        kept.append(workspace)
        yield Site(BubblewrapSandbox(ground / "state"), workspace)

    laws = (FUNCTIONAL_LAWS[1], CONFINEMENT_LAWS[0])
    await exercise_sandbox(opened, laws)
    assert len(kept) == len(laws)


HARMLESS = [
    law
    for law in CONFINEMENT_LAWS
    if law.__name__
    in (
        "a_workspace_can_be_read_only",
        "what_lies_beside_the_workspace_is_out_of_reach",
        "files_with_secrets_are_empty",
        "what_runs_by_itself_cannot_be_changed",
        "the_machine_cannot_be_reached_by_network",
        "the_number_of_programs_is_bounded",
    )
]
"""Those that a runner without confinement can be held to: it would really do what the others try."""


@pytest.mark.parametrize("law", HARMLESS, ids=lambda law: law.__name__)
async def test_a_runner_that_confines_nothing_breaks_the_law(workspace: Path, law: SandboxLaw) -> None:
    with pytest.raises(Broken):
        await law(Site(PlainSandbox(), workspace))


class Leaves(PlainSandbox):
    """Kills nothing that its programs leave behind."""

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[PlainRoom]:
        yield Forgetful({"PATH": "/usr/bin:/bin"})


class Forgetful(PlainRoom):
    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        return Launch(tuple(argv), {**self.environment, **environment}, cwd)


async def test_a_runner_that_leaves_programs_behind_breaks_the_law(workspace: Path) -> None:
    site = Site(Leaves(), workspace)
    try:
        with pytest.raises(Broken, match="still runs"):
            await nothing_outlives_the_run(site)
    finally:
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and str((entry / "cwd").readlink()).startswith(str(workspace)):
                    os.kill(int(entry.name), signal.SIGKILL)
