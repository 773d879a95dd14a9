from __future__ import annotations

from pathlib import Path

import pytest

from tests.validation.reports import Made, made


@pytest.fixture
async def sound(tmp_path: Path) -> Made:
    """A report of a whole run that passed."""
    return await made(tmp_path / "run")
