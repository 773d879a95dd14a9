"""The bell: after a commit it says that a topic moved, never what."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Ear(Protocol):
    async def wait(self, seconds: float) -> bool:
        """Until the topic rings or `seconds` pass; True when it rang since the last wait, or may have."""
        ...


class Bell(Protocol):
    """Says that something changed, never what. Rings between processes of one store; a lost ring costs at most a second."""

    def ring(self, topic: str) -> None:
        """Wake everyone who listens to `topic`, here and in other processes. Never blocks, never raises."""

    def listen(self, topic: str) -> AbstractAsyncContextManager[Ear]:
        """From entry on no ring is missed: listen first, then look."""
        ...
