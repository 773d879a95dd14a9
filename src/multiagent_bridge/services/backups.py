"""Backups of the whole store: made when asked for or when due, each with its entry, the oldest removed."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge import ports
from multiagent_bridge.errors import BridgeError, Unavailable
from multiagent_bridge.model.backups import Backup
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal


class Backups:
    """A file is no part of a transaction: it is prepared, then its entry is written, and only then it gets its name."""

    def __init__(self, gate: Gate, journal: Journal, backups: ports.Backups | None, clock: Clock) -> None:
        self._gate = gate
        self._journal = journal
        self._given = backups
        self._clock = clock

    @property
    def _backups(self) -> ports.Backups:
        if self._given is None:
            raise Unavailable("this store cannot be backed up", "only one that is kept on a disk can")
        return self._given

    async def make(self, caller: Caller, path: str | None, folder: str, recipients: Sequence[str] = ()) -> Backup:
        """Write a backup to `path`, or under a name made of the time into `folder`. The journal has it up to its own entry.

        Raises NotAllowed, Conflict (a file is there), Invalid (a recipient), Unavailable, Tampered (the store is damaged).
        """
        action = "store.backup"
        await self._gate.own(caller, action, _nothing)
        try:
            now = self._clock.now()
            backup = await self._backups.prepare(path or self._backups.name(folder, now), recipients, now)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, NO_CREDENTIALS, action, refusal, seated=False) from refusal

        async def written(tx: Tx, now: int, ticket: Ticket) -> None:
            facts = {"bytes": backup.size, "entries": backup.manifest.entries, "recipients": len(recipients)}
            await self._journal.record(tx, ticket, now, action, "store", facts, backup.digest)

        try:
            await self._gate.own(caller, action, written)
        except BaseException:
            await self._backups.discard(backup)
            raise
        try:
            await self._backups.publish(backup)
        except BaseException as error:
            await self._backups.discard(backup)
            if isinstance(error, BridgeError):
                # the entry says that there is one
                raise await self._gate.refuse(caller, NO_CREDENTIALS, action, error, seated=False) from error
            raise
        return backup

    async def due(self, caller: Caller, folder: str, every: int, keep: int, recipients: Sequence[str]) -> Backup | None:
        """Make one when the newest in `folder` is older than `every` seconds, then leave the newest `keep` there.

        Returns it, or None when none was due. Raises as `make`.
        """
        if await self._past(folder, since=self._clock.now() - every * SECOND):
            return None
        backup = await self.make(caller, None, folder, recipients)
        for old in (await self._past(folder))[:-keep]:
            await self._backups.remove(old)
        return backup

    async def _past(self, folder: str, since: int | None = None) -> Sequence[str]:
        """Those in `folder` made until now, oldest first; one from the future (the clock was set back) counts for nothing."""
        until = self._backups.name(folder, self._clock.now())
        after = "" if since is None else self._backups.name(folder, since)
        return [path for path in await self._backups.list(folder) if after < path <= until]

    async def restored(self, caller: Caller, backup: Backup) -> None:
        """Write down that this store came out of a backup. Raises NotAllowed."""

        async def written(tx: Tx, now: int, ticket: Ticket) -> None:
            facts = {"bytes": backup.size, "entries": backup.manifest.entries, "made_at": backup.manifest.made_at}
            await self._journal.record(tx, ticket, now, "store.restore", "store", facts, backup.digest)

        await self._gate.own(caller, "store.restore", written)


async def _nothing(tx: Tx, now: int, ticket: Ticket) -> None:
    """Only whether it is allowed."""
