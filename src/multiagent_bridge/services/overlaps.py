"""While a rotation of the master key goes on: every hub hears of it, and what was given out before still opens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from multiagent_bridge.errors import NotAllowed, Unavailable
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock, Keys, Store, Tx
from multiagent_bridge.services.gate import Gate, Seat

T = TypeVar("T")

HEARD = SECOND
"""How old at most is what a hub knows of its master keys, microseconds."""


LOOKED_AT = 100
"""Data keys that are looked at for the order of a ring."""


async def heard(store: Store, keys: Keys) -> None:
    """Let the keys stand as the store says, before anything is made or looked up under one.

    Raises Unavailable when the current key is not at hand, or when the ring is in the wrong order: before the first rotation the
    store says nothing, and the last of the ring is taken for current.
    """

    async def looked(tx: Tx) -> None:
        rows = await tx.master_keys.list()
        keys.follow(rows)
        if rows or len(keys.ring) == 1:
            return
        others = {key: verifier.partition("+")[0] for key, verifier in keys.ring.items() if key != keys.current}
        sealed = {row.sealed_key[:4].hex() for row in await tx.conversations.sealed_elsewhere(keys.current, LOOKED_AT)}
        signed = {Checkpoint.parse(note).origin for _, note in (await tx.journal.checkpoints())[-1:]}
        if not sealed.isdisjoint(others) or not signed.isdisjoint(others.values()):
            raise Unavailable(
                f"the ring of master keys is in the wrong order: its last key {keys.current} is not the store's",
                "put the key that was there first last",
            )

    await store.read(looked)


class FollowingStore:
    """Passes everything on; the first transaction of each second learns which master key is current.

    While that one is not at hand every transaction is refused: what would be made would be made under a key that ended.
    """

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._heard: int | None = None

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        return await self._store.write(self._following(work), brief=brief)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._store.read(self._following(work))

    async def close(self) -> None:
        await self._store.close()

    def _following(self, work: Callable[[Tx], Awaitable[T]]) -> Callable[[Tx], Awaitable[T]]:
        now = self._clock.monotonic()
        if self._heard is not None and now - self._heard < HEARD:
            return work

        async def followed(tx: Tx) -> T:
            self._keys.follow(await tx.master_keys.list())
            self._heard = now
            return await work(tx)

        return followed


class OverlapGate(Gate):
    """The door, where a token also opens that was made under a master key which still counts."""

    async def _by_token(self, tx: Tx, caller: Caller, given: Credentials) -> Seat:
        try:
            return await super()._by_token(tx, caller, given)
        except NotAllowed:
            # only a token that would be refused costs another look, whether its session is there or not
            renewed = await self._renewed(tx, given)
            if renewed is given:
                raise
            return await super()._by_token(tx, caller, renewed)

    async def _renewed(self, tx: Tx, given: Credentials) -> Credentials:
        """The credentials with the token of today in place of one that another key made; all others as they are."""
        self._keys.follow(await tx.master_keys.list())
        if not access.wellformed(given):
            return given
        found = await tx.sessions.get(given.conversation_id or "", given.session_id or "")
        bound = (found.conversation_id, found.id, found.generation) if found else ("conv_", "a", 0)
        opens = [access.same(given.token or "", token) for token in self._keys.tokens(*bound)]
        return replace(given, token=self._keys.token(*bound)) if found is not None and any(opens) else given
