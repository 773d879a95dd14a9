"""Backups of a store whose master key may be rotated between two of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from multiagent_bridge.adapters.backups.store import Copy, FolderBackups
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.backups import Backup
from multiagent_bridge.model.checkpoints import parse_verifier_key


class RotatedBackups(FolderBackups):
    """Each backup names the signer that is current when it is made, and not the one of when the hub began."""

    def __init__(self, home: Path, copy: Copy, keys: MasterKeys, program: str) -> None:
        super().__init__(home, copy, keys, keys.signer, program)
        self._master_keys = keys

    async def prepare(self, path: str, recipients: Sequence[str], now: int) -> Backup:
        self._signer = self._master_keys.signer
        return await super().prepare(path, recipients, now)


@asynccontextmanager
async def unpacked_under(
    home: Path, file: Path, keys: MasterKeys, identity: str | None
) -> AsyncIterator[tuple[Backup, Path]]:
    """`restoring.unpacked`, of a backup whose journal is signed under any key of the ring. Raises what that raises."""
    from multiagent_bridge.adapters.backups.restoring import unpacked

    signers = [parse_verifier_key(key)[0] for key in keys.ring.values()]
    async with AsyncExitStack() as stack:
        for place, signer in enumerate(signers, 1):
            try:
                found = await stack.enter_async_context(unpacked(home, file, keys, signer, identity))
            except Invalid:
                if place == len(signers):
                    raise
                continue
            break
        yield found
