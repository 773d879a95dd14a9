"""Every law of `ports.Sandbox`: all against bubblewrap, the functional ones against the runner that tests of services use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.testing.sandboxes import (
    CONFINEMENT_LAWS,
    FUNCTIONAL_LAWS,
    PlainSandbox,
    SandboxLaw,
    Site,
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
