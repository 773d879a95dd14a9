"""The journal of a run, looked at from outside the hub: where it stands, what it says, and its signed checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.state import master_key
from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.services.evidence import Evidence, Verified
from multiagent_bridge.services.journal import PAGE, Journal
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.validation.counts import counted, vouched


class Ledger:
    """A store and keys of its own over the run's state directory; no setting of the user has a say in it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.keys = MasterKeys(master_key(home, None))
        self._store = SqliteStore(home / "bridge.db")
        self._journal = Journal(
            self._store, SystemClock(), self.keys, Redaction(Redactor().redact, self.keys), Limits()
        )
        self._evidence = Evidence(self._journal, self._store, self.keys)

    async def open(self, stack: AsyncExitStack) -> Ledger:
        await self._store.open()
        stack.push_async_callback(self._store.close)
        return self

    async def size(self) -> int:
        return (await self._journal.head()).size

    async def entries(self, after: int) -> list[Entry]:
        """Every entry above `after`, in order."""
        found: list[Entry] = []
        while page := await self._journal.entries(found[-1].seq if found else after, PAGE):
            found += page
        return found

    async def checkpoint(self) -> str:
        """A signed note of what the journal is now."""
        return await self._journal.checkpoint()

    async def verify(self) -> Verified:
        """Every line, link, checkpoint and stored message. Raises Tampered."""
        return await self._evidence.verify()

    async def evidence(self, first: int) -> dict[str, object]:
        """What the journal says of a test whose first entry is `first`, and the checkpoint that vouches for it."""
        note = await self.checkpoint()
        size = Checkpoint.parse(note).size
        mine = [entry for entry in await self.entries(first - 1) if entry.seq <= size]
        return {"first": first, "last": size, **counted(mine), "checkpoint": vouched(note)}


def within(entries: Sequence[Entry], action: str) -> list[float]:
    """Milliseconds from the start of each such act in the hub until its entry was written; its commit comes after that."""
    return [entry.latency_us / 1000 for entry in entries if entry.action == action and entry.outcome == "done"]


def sent(entries: Sequence[Entry], conversation: str) -> list[int]:
    """The numbers of the messages of a conversation that were sent, as the journal has them."""
    return [
        int(str(entry.facts["message_id"]))
        for entry in entries
        if entry.action == "message.send" and entry.outcome == "done" and entry.conversation == conversation
    ]
