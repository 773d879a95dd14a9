from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines.places import UNLIMITED, Place, made


@pytest.fixture
def place() -> Iterator[Place]:
    """A state directory under the limits that ship."""
    with made() as here:
        yield here


@pytest.fixture
def fast() -> Iterator[Place]:
    """A state directory whose limits nobody meets."""
    with made(**UNLIMITED) as here:
        yield here
