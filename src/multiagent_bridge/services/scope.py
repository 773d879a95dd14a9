"""The scope of an identity that is confined to conversations: in its transactions there are no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.commands import Command
from multiagent_bridge.model.conversations import Binding, Conversation
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.yolo import Enabling
from multiagent_bridge.ports import Tx

T = TypeVar("T")


def within(tx: Tx, caller: Caller) -> Tx:
    """`tx` as the caller may see it: itself, or one in which only the caller's conversations exist."""
    if caller.conversations is None or isinstance(tx, Confined):
        return tx
    return cast(Tx, Confined(tx, caller.conversations))


class _Noun:
    """A noun of the transaction; what a confined caller would see too much of is said anew by each subclass."""

    def __init__(self, noun: Any, scope: frozenset[str]) -> None:
        self._noun = noun
        self._scope = scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self._noun, name)

    async def _each(self, look: Callable[[str | None], Awaitable[Sequence[T]]], of: str | None) -> list[T]:
        """What `look` finds in the conversation `of`, or in each of the scope."""
        wanted: Iterable[str] = sorted(self._scope) if of is None else self._scope & {of}
        return [found for one in wanted for found in await look(one)]


class _Conversations(_Noun):
    async def get(self, conversation_id: str) -> Conversation | None:
        return await self._noun.get(conversation_id) if conversation_id in self._scope else None

    async def list(self) -> Sequence[Conversation]:
        return [one for one in await self._noun.list() if one.id in self._scope]

    async def newest(self, limit: int, before: str | None = None) -> Sequence[Conversation]:
        mine = [one.id for one in await self.list()]
        if before is not None:
            mine = mine[: mine.index(before)] if before in mine else []
        found = [await self._noun.get(one) for one in mine[::-1][:limit]]
        return [one for one in found if one is not None]


class _Bindings(_Noun):
    async def of(self, agent: str) -> Sequence[Binding]:
        return [one for one in await self._noun.of(agent) if one.conversation_id in self._scope]


class _Journal(_Noun):
    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        found: list[Entry] = await self._each(lambda one: self._noun.entries(after, limit, one), conversation_id)
        return sorted(found, key=lambda entry: entry.seq)[:limit]

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        found: list[Entry] = await self._each(lambda one: self._noun.newest(limit, one), conversation_id)
        return sorted(found, key=lambda entry: entry.seq)[-limit:] if limit > 0 else []

    async def older(self, before: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        found: list[Entry] = await self._each(lambda one: self._noun.older(before, limit, one), conversation_id)
        return sorted(found, key=lambda entry: entry.seq, reverse=True)[:limit]


class _Yolo(_Noun):
    async def get(self, enabling_id: str) -> Enabling | None:
        found = await self._noun.get(enabling_id)
        return found if found is not None and found.conversation_id in self._scope else None

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Enabling]:
        return (await self._each(lambda one: self._noun.list(one, limit), conversation_id))[:limit]


class _Commands(_Noun):
    async def get(self, command_id: str) -> Command | None:
        found = await self._noun.get(command_id)
        return found if found is not None and found.conversation_id in self._scope else None

    async def open(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        found: list[Command] = await self._each(lambda one: self._noun.open(one, limit), conversation_id)
        return sorted(found, key=lambda one: one.requested_at)[:limit]

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        found: list[Command] = await self._each(lambda one: self._noun.list(one, limit), conversation_id)
        return sorted(found, key=lambda one: one.requested_at, reverse=True)[:limit]


class Confined:
    """A transaction with the conversations of one scope. What names one outside of it finds nothing."""

    def __init__(self, tx: Tx, scope: frozenset[str]) -> None:
        self._tx = tx
        self.conversations = _Conversations(tx.conversations, scope)
        self.bindings = _Bindings(tx.bindings, scope)
        self.journal = _Journal(tx.journal, scope)
        self.yolo = _Yolo(tx.yolo, scope)
        self.commands = _Commands(tx.commands, scope)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)
