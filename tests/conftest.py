from __future__ import annotations

import pytest
from hypothesis import settings

# a deadline on the wall clock says more about the machine than about the code
settings.register_profile("bridge", deadline=None)
settings.load_profile("bridge")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


CONFINED = ("test_sandbox_", "test_landlock_")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Laws and attacks of sandboxes need one that works: a tier of their own."""
    for item in items:
        real = item.path.parent.name in ("contracts", "attacks") or item.path.name == "test_sandbox_bubblewrap.py"
        if real and item.path.name.startswith(CONFINED):
            item.add_marker(pytest.mark.sandbox)
