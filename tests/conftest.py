from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell that starts tests in the background has them ignore Ctrl-C, and what they start and interrupt would ignore it, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

# a deadline on the wall clock says more about the machine than about the code
# in CI the same examples for the same tests: new ones are looked for at every desk
settings.register_profile("bridge", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("bridge")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


CONFINED = ("test_sandbox_", "test_landlock_")
PATIENCE = 300.0
"""Seconds that any test may take at least: a time-out ends what hangs, and says nothing of how quick a machine is."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Laws and attacks of sandboxes need one that works: a tier of their own. No time-out is near what a test takes."""
    usual = float(config.getini("timeout"))
    for item in items:
        given = item.get_closest_marker("timeout")
        seconds = float(given.args[0]) if given is not None else usual
        item.add_marker(pytest.mark.timeout(max(2 * seconds, PATIENCE)), append=False)
        real = item.path.parent.name in ("contracts", "attacks") or item.path.name == "test_sandbox_bubblewrap.py"
        if real and item.path.name.startswith(CONFINED):
            item.add_marker(pytest.mark.sandbox)
