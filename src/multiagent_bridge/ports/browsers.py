"""Sign-in links and signed-in browsers in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.browsers import Browser, Link


class Browsers(Protocol):
    """Browsers that are signed in to the dashboard, and one-time links to sign in by."""

    async def add_link(self, link: Link) -> None:
        """Raises Conflict when the digest is taken."""

    async def take_link(self, digest: bytes) -> Link | None:
        """Remove and return it: of many takers one gets it."""
        ...

    async def sweep(self, now: int) -> int:
        """Remove links and browsers that expired at `now`, and browsers that ended. Returns how many."""
        ...

    async def add(self, browser: Browser) -> None:
        """Raises Conflict when the id or the digest is taken."""

    async def get(self, browser_id: str) -> Browser | None: ...

    async def by_digest(self, digest: bytes) -> Browser | None:
        """The browser of that digest, ended or not."""
        ...

    async def list(self) -> Sequence[Browser]:
        """All, ended ones too, in the order they were added."""
        ...

    async def touch(self, browser_id: str, now: int) -> None:
        """It asked for something at `now`, which may lie before the last time. Changes nothing when it is not there."""

    async def end(self, browser_id: str, now: int) -> bool:
        """End it for good: of many who race one gets True; False when it is not there or ended before."""
        ...
