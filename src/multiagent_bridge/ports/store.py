"""The store and its transactions: all nouns of one consistent state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from multiagent_bridge.ports.api_keys import ApiKeys
from multiagent_bridge.ports.bindings import Bindings
from multiagent_bridge.ports.browsers import Browsers
from multiagent_bridge.ports.buckets import Buckets
from multiagent_bridge.ports.commands import Commands
from multiagent_bridge.ports.conversations import Conversations
from multiagent_bridge.ports.invites import Invites
from multiagent_bridge.ports.journal import Journal
from multiagent_bridge.ports.master_keys import MasterKeys
from multiagent_bridge.ports.messages import Messages
from multiagent_bridge.ports.passkeys import Passkeys
from multiagent_bridge.ports.renewals import Renewals
from multiagent_bridge.ports.reseals import Reseals
from multiagent_bridge.ports.sessions import Sessions
from multiagent_bridge.ports.silences import Silences
from multiagent_bridge.ports.tasks import Tasks
from multiagent_bridge.ports.yolo import Yolo

T = TypeVar("T")


class Tx(Protocol):
    """One transaction. Awaiting anything else inside it, but a meter's charge, is a programming error that adapters refuse."""

    @property
    def conversations(self) -> Conversations: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def messages(self) -> Messages: ...

    @property
    def invites(self) -> Invites: ...

    @property
    def bindings(self) -> Bindings: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def buckets(self) -> Buckets: ...

    @property
    def yolo(self) -> Yolo: ...

    @property
    def commands(self) -> Commands: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def silences(self) -> Silences: ...

    @property
    def api_keys(self) -> ApiKeys: ...

    @property
    def master_keys(self) -> MasterKeys: ...

    @property
    def reseals(self) -> Reseals: ...

    @property
    def browsers(self) -> Browsers: ...

    @property
    def passkeys(self) -> Passkeys: ...

    @property
    def renewals(self) -> Renewals: ...


class Store(Protocol):
    """The truth. `write` is serialisable and durable before it returns; what raised left nothing behind.

    `work` may be run again after a lost race, so it has no effect but through its Tx. Errors of the bridge pass unchanged;
    those of a driver become Unavailable (or Tampered for a damaged file) with the driver's error as cause.
    """

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        """`brief`: a bounded handful of statements, such as one session's request. A store may run it in the event loop."""
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """A consistent snapshot; writing in it raises."""
        ...

    async def close(self) -> None: ...
