"""Rotation of the master key while hubs go on: hand over, make new data keys, end the overlap (docs/guide/keys.md).

Each step is one transaction that says in the store how far it is, so that whoever comes after a kill goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.master_keys import ACCEPTED, CURRENT, HAND_OVER, RETIRED, REWRAP, MasterKey
from multiagent_bridge.model.reseals import Reseal
from multiagent_bridge.ports import Keys, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal

BATCH = 100
"""Data keys that are wrapped anew in one transaction."""

EVERY = 1_000_000
"""More conversations than a store has."""

WAITING = "waiting"
"""State of a key of the ring that the store was never under."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The master keys with their states, the newest first, and how many data keys are still under another than the current."""

    keys: Sequence[tuple[str, str, str]]
    """Id, state, verifier key."""
    left: int
    ring: Sequence[str]
    """Ids of the keys at hand."""
    aged: int
    """Conversations that have older data keys still."""
    texts_left: int
    """The messages in them: at most so many of them are under an older one, beside notes, tasks and commands."""
    reseal: Reseal | None
    """The newest replacement of older data keys."""

    def fields(self) -> dict[str, object]:
        rows = [{"master_key": key, "state": state, "verifier_key": verifier} for key, state, verifier in self.keys]
        return {
            "master_keys": rows,
            "data_keys_left": self.left,
            "conversations_left": self.aged,
            "messages_left": self.texts_left,
            "reseal": self.reseal and asdict(self.reseal),
        }

    def of(self, state: str) -> Sequence[str]:
        return [key for key, found, _ in self.keys if found == state]


async def renewed(tx: Tx, keys: Keys, limit: int) -> int:
    """Give a new data key to the oldest `limit` conversations that are under another master key. Returns how many there were.

    Raises Unavailable, Tampered, naming the one that cannot be wrapped anew.
    """
    found = await tx.conversations.sealed_elsewhere(keys.current, limit)
    for conversation in found:
        try:
            fresh = keys.renew(conversation)
        except BridgeError as error:
            raise type(error)(f"{conversation.id} cannot be wrapped anew: {error.sentence}", error.hint) from error
        await tx.conversations.reseal(conversation.id, fresh, conversation.sealed_key)
    if found and keys.settled:
        # a hub that had not heard of the rotation came late: its conversation has an older data key now
        await settle(tx, keys, settled=False)
    return len(found)


async def settle(tx: Tx, keys: Keys, settled: bool) -> None:
    """Have the current master key say whether every older data key was destroyed: if so, one that is back is refused."""
    for row in await tx.master_keys.list():
        if row.state == CURRENT:
            await tx.master_keys.carry(row.id, keys.carried(settled), row.carried)


class MasterKeys:
    def __init__(self, gate: Gate, journal: Journal, keys: Keys) -> None:
        self._gate = gate
        self._journal = journal
        self._keys = keys

    async def status(self, caller: Caller) -> Standing:
        """How the master keys stand. Raises NotAllowed, Unavailable."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> Standing:
            rows = await self._rows(tx)
            left = await tx.conversations.sealed_elsewhere(self._keys.current, EVERY)
            aged = await tx.conversations.aged(EVERY)
            known = {row.id for row in rows}
            waiting = [(key, WAITING, verifier) for key, verifier in self._keys.ring.items() if key not in known]
            return Standing(
                [*waiting, *((row.id, row.state, row.verifier_key) for row in reversed(rows))],
                len(left),
                [*self._keys.ring],
                len(aged),
                sum(one.messages for one in aged),
                await tx.reseals.newest(),
            )

        return await self._gate.own(caller, "master_key.list", looked)

    async def rotate(self, caller: Caller) -> MasterKey:
        """Hand over to the key of the ring that waits: from this commit on everything is made under it.

        The entry says so, signed by the old key and the new. Raises Conflict when none waits or several do, or when the last
        rotation has not ended; NotAllowed, Unavailable.
        """

        async def handed(tx: Tx, now: int, ticket: Ticket) -> tuple[MasterKey, Sequence[MasterKey]]:
            rows = await self._rows(tx)
            following = self._following(rows)
            head = await tx.journal.head()
            row, signed, accepted = self._keys.hand_over(following, head.size + 1, head.last)
            if await tx.master_keys.list():
                await tx.master_keys.change(replace(rows[-1], state=ACCEPTED, carried=b""), CURRENT)
            else:
                await tx.master_keys.add(replace(rows[-1], state=ACCEPTED))
            await tx.master_keys.add(row)
            facts: dict[str, Fact] = {"follows": row.verifier_key, "signed": signed, "accepted": accepted}
            entry = await self._journal.record(tx, ticket, now, HAND_OVER, row.id, facts)
            if (entry.seq, entry.prev) != (head.size + 1, head.last):
                raise Conflict("the journal went on meanwhile", "repeat the command")
            return row, await tx.master_keys.list()

        row, rows = await self._gate.own(caller, HAND_OVER, handed)
        self._keys.follow(rows)
        return row

    async def rewrap(self, caller: Caller, limit: int = BATCH) -> int:
        """Give up to `limit` conversations a new data key whose data keys are under another master key than the current, and
        wrap those they have anew. Returns how many were.

        What is written from then on is sealed under the new one; the others open what they sealed, until `Reseals` has brought
        it under the new one. Raises NotAllowed, Unavailable for one whose master key is not at hand, Tampered.
        """

        async def wrapped(tx: Tx, now: int, ticket: Ticket) -> int:
            await self._rows(tx)
            count = await renewed(tx, self._keys, limit)
            if count:
                facts = {"data_keys": count}
                await self._journal.record(tx, ticket, now, REWRAP, self._keys.current, facts)
            return count

        return await self._gate.own(caller, REWRAP, wrapped)

    async def retire(self, caller: Caller) -> Sequence[str]:
        """End the overlap: tokens and codes made under the old key open nothing any more. Returns the ids that ended.

        Raises Conflict when no rotation is under way, or a data key is still wrapped under the old one; NotAllowed.
        """

        async def ended(tx: Tx, now: int, ticket: Ticket) -> tuple[Sequence[str], Sequence[MasterKey]]:
            old = [row for row in await self._rows(tx) if row.state == ACCEPTED]
            if not old:
                raise Conflict("no rotation of the master key is under way", "mab master-key rotate begins one")
            if await tx.conversations.sealed_elsewhere(self._keys.current, 1):
                raise Conflict("there are data keys under the old master key", "mab master-key rotate wraps them anew")
            for row in old:
                await tx.master_keys.change(replace(row, state=RETIRED), ACCEPTED)
                await self._journal.record(tx, ticket, now, "master_key.retire", row.id)
            return [row.id for row in old], await tx.master_keys.list()

        gone, rows = await self._gate.own(caller, "master_key.retire", ended)
        self._keys.follow(rows)
        return gone

    async def _rows(self, tx: Tx) -> Sequence[MasterKey]:
        """What the store says, or the first key where it says nothing yet; the keys stand accordingly."""
        rows = await tx.master_keys.list()
        self._keys.follow(rows)
        return rows or [self._keys.first()]

    def _following(self, rows: Sequence[MasterKey]) -> str:
        if any(row.state == ACCEPTED for row in rows):
            raise Conflict("the last rotation of the master key has not ended", "mab master-key retire ends it")
        known = {row.id for row in rows}
        waiting = [key for key in self._keys.ring if key not in known]
        if len(waiting) != 1:
            found = "none waits" if not waiting else f"{len(waiting)} wait"
            raise Conflict(f"one new master key must wait in the ring, and {found}", "mab master-key stage adds one")
        return waiting[0]
