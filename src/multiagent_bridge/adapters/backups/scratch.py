"""Where a database lies for a while, in the clear as in the store itself: one at a time in a state directory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiagent_bridge.adapters.state import prepared, try_lock
from multiagent_bridge.errors import Conflict

PREFIX = "backup-"


class Turn:
    """Held by whoever makes or opens a backup; ended by `end` or by the death of its process."""

    def __init__(self, home: Path) -> None:
        """Raises Conflict while another has it; what a killed one left behind is removed."""
        self._home = prepared(home)
        handle = try_lock(self._home / "backup.lock")
        if handle is None:
            raise Conflict("another backup is being made or put back", "wait until it is done, then repeat the command")
        self._handle: int | None = handle
        for left in self._home.glob(f"{PREFIX}*/"):
            shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._home))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def end(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
