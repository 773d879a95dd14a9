"""How credentials travel: encrypted by age, carried by a git repository."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from multiagent_bridge.adapters.parcels import age, remotes
from multiagent_bridge.adapters.parcels.repository import Repository
from multiagent_bridge.adapters.state import prepared, try_lock
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.parcels import Letter, path_of

LOCK_SECONDS = 120.0
LOOK_SECONDS = 0.05


class GitPost:
    """Puts each letter into the worker's file of the branch, all of one push as one commit."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def send(self, letters: Sequence[Letter]) -> str:
        # every recipient is good before the first file leaves
        files = {path_of(letter.worker): age.sealed(letter.content, letter.recipient) for letter in letters}
        return await self._repository.write(
            files, f"credentials for {', '.join(letter.worker for letter in letters)}\n"
        )


class GitSource:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def fetch(self, worker: str) -> bytes | None:
        return await self._repository.read(path_of(worker))


def repository(home: Path, url: str, branch: str, purpose: str) -> Repository:
    """The repository at `url` for one purpose of this state directory (`worker-NAME`, or pushing). Raises Invalid."""
    where, of = remotes.remote(url), remotes.branch(branch)
    name = hashlib.sha256(f"{purpose}\n{of}\n{where.url}".encode()).hexdigest()[:16]
    return Repository(prepared(age.place(home) / "repositories") / f"{name}.git", where, of)


@asynccontextmanager
async def alone(home: Path, purpose: str, wait: bool = True) -> AsyncIterator[None]:
    """One process of the state directory at a time. Raises Conflict: at once, or after two minutes when it may `wait`."""
    path = age.place(home) / f"{purpose}.lock"
    left = LOCK_SECONDS if wait else 0.0
    while (handle := try_lock(path)) is None:
        if left <= 0:
            raise Conflict(f"another process of this state directory is at it: {purpose}", "wait until it has ended")
        left -= LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        os.close(handle)
