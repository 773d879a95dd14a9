"""What the tests with real client programs share: the installed programs, and a bridge with a state directory of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.bridge import Bridge, end, left_behind
from tests.clients.programs import Installed


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "clients: needs the programs that tests/clients/install.sh installs")


@pytest.fixture(scope="session")
def installed() -> Installed:
    """The programs of tests/clients/install.sh, in $MAB_CLIENTS or beside this file."""
    return Installed(Path(os.environ.get("MAB_CLIENTS") or Path(__file__).parent / ".venv-clients").absolute())


@pytest.fixture(scope="session")
def program() -> Path:
    """The server under test: the `mab` of the environment that runs the tests."""
    return Path(os.environ.get("MAB_UNDER_TEST") or Path(sys.executable).parent / "mab")


@pytest.fixture
def bridge(program: Path, tmp_path: Path) -> Iterator[Bridge]:
    """A bridge that nobody has used yet. Its hub is ended afterwards; whatever else still runs fails the test."""
    state = tmp_path / "state"
    served = Bridge(program, state)
    yield served
    served.stop()
    stayed = left_behind(tmp_path, 30)
    end(stayed)
    assert not stayed, f"processes were left behind: {stayed}"
