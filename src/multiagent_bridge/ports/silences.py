"""Silences and watches in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.silences import Orphan, Silence, Watch


class Silences(Protocol):
    """Sessions that fell silent, the tasks that nobody could take from them, and where the last check stood."""

    async def add(self, silence: Silence) -> bool:
        """At most one a session: of many who add it one gets True, False changes nothing. Raises NotFound without its
        session, RuntimeError unless it is `warned`.
        """
        ...

    async def list(self) -> Sequence[Silence]:
        """All, in the order they were added."""
        ...

    async def change(self, silence: Silence, was: Silence) -> bool:
        """Replace the row by `silence` if it still equals `was`: of many who race one gets True.

        Raises RuntimeError for a step that is not in model.silences.STEPS (the same state again is one).
        """
        ...

    async def remove(self, silence: Silence) -> bool:
        """It is over: remove the row if it still equals `silence`. Of many one gets True."""
        ...

    async def orphan(self, orphan: Orphan) -> None:
        """Add, or replace the one of the same task. Raises NotFound without its task."""

    async def orphans(self) -> Sequence[Orphan]:
        """All, in the order they were added."""
        ...

    async def adopt(self, orphan: Orphan) -> bool:
        """Remove it if it still equals the row: of many one gets True."""
        ...

    async def watch(self) -> Watch | None:
        """Where the last check stood; None before the first."""
        ...

    async def watched(self, watch: Watch, was: Watch | None) -> bool:
        """Replace it if it still equals `was`: of two checks that saw the same one gets True."""
        ...
