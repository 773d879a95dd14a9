"""A store in memory: the same laws as the others, for tests and for a demonstration that leaves nothing behind.

A transaction works on a copy of the tables, whose rows are frozen; committing is one assignment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from multiagent_bridge.adapters.driving import drive
from multiagent_bridge.adapters.memory.api_keys import ApiKeys
from multiagent_bridge.adapters.memory.browsers import Browsers
from multiagent_bridge.adapters.memory.commands import Commands
from multiagent_bridge.adapters.memory.journal import Journal
from multiagent_bridge.adapters.memory.master_keys import MasterKeys
from multiagent_bridge.adapters.memory.messages import Messages
from multiagent_bridge.adapters.memory.nouns import Bindings, Buckets, Conversations, Invites, Sessions
from multiagent_bridge.adapters.memory.passkeys import Passkeys
from multiagent_bridge.adapters.memory.renewals import Renewals
from multiagent_bridge.adapters.memory.reseals import Reseals
from multiagent_bridge.adapters.memory.silences import Silences
from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.adapters.memory.tasks import Tasks
from multiagent_bridge.adapters.memory.yolo import Yolo
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.ports import Tx

T = TypeVar("T")


class MemoryTx:
    """The nouns over one set of tables. Their methods are coroutines that never suspend."""

    __slots__ = (
        "api_keys",
        "bindings",
        "browsers",
        "buckets",
        "commands",
        "conversations",
        "invites",
        "journal",
        "master_keys",
        "messages",
        "passkeys",
        "renewals",
        "reseals",
        "sessions",
        "silences",
        "tasks",
        "yolo",
    )

    def __init__(self, tables: Tables) -> None:
        self.conversations = Conversations(tables)
        self.sessions = Sessions(tables)
        self.messages = Messages(tables)
        self.invites = Invites(tables)
        self.bindings = Bindings(tables)
        self.journal = Journal(tables)
        self.buckets = Buckets(tables)
        self.yolo = Yolo(tables)
        self.commands = Commands(tables)
        self.tasks = Tasks(tables)
        self.silences = Silences(tables)
        self.api_keys = ApiKeys(tables)
        self.master_keys = MasterKeys(tables)
        self.reseals = Reseals(tables)
        self.browsers = Browsers(tables)
        self.passkeys = Passkeys(tables)
        self.renewals = Renewals(tables)


class MemoryStore:
    """`ports.Store` for one process; what it holds is gone with it."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._closed = False

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        self._open()
        tables = self._tables.copy()
        try:
            result = drive(work, MemoryTx(tables))
        finally:
            tables.ended = True
        committed = tables.copy()
        committed.ended = False
        self._tables = committed
        # a caller is answered after the commit and never within it, as with a store that has a disk
        await asyncio.sleep(0)
        return result

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self._open()
        tables = self._tables.copy(readonly=True)
        try:
            result = drive(work, MemoryTx(tables))
        finally:
            tables.ended = True
        await asyncio.sleep(0)
        return result

    async def close(self) -> None:
        self._closed = True

    def _open(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed", "start the hub again")
