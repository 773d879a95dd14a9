"""Sealing anew: what older data keys sealed is brought under the newest, then the older ones are destroyed (docs/guide/keys.md).

A few texts a transaction, which says in the store how far it is: whoever comes after a kill goes on from there, and several at
once take turns. Writes stand in one line and read the conversation in their transaction, so nothing is sealed under an older data
key once the newest is in place; that none is left is looked at in the very transaction that destroys it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import BridgeError, Conflict, Fact
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.master_keys import REWRAP
from multiagent_bridge.model.reseals import DESTROYED, UNDER_WAY, Reseal, SealedText
from multiagent_bridge.ports import Keys, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.master_keys import BATCH, EVERY, renewed, settle

ACTION = "master_key.reseal"

TEXTS, BYTES = 100, 1 << 18
"""Texts, and about so many bytes of them, that are sealed anew in one transaction: who writes waits for no more."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction did. `more`: something is left to do; `wrong`: what keeps one conversation from it."""

    more: bool = False
    texts: int = 0
    data_keys: int = 0
    place: tuple[str, int] = ("", 0)
    """The conversation, and the message up to which its messages need no second look."""
    wrong: BridgeError | None = None


class Reseals:
    """One a process: it remembers where it stands within a conversation, and which it could not go on with."""

    def __init__(self, gate: Gate, journal: Journal, keys: Keys) -> None:
        self._gate = gate
        self._journal = journal
        self._keys = keys
        self._place = ("", 0)
        self._stuck: dict[str, BridgeError] = {}

    async def begin(self, caller: Caller) -> Reseal:
        """Begin to bring everything under the newest data keys, or go on with what was begun. `step` does the work.

        Raises Conflict when no data key is older than the last rotation, or one is under another master key still;
        NotAllowed, Unavailable.
        """

        async def begun(tx: Tx, now: int, ticket: Ticket) -> Reseal:
            rows = await tx.master_keys.list()
            self._keys.follow(rows)
            found = await tx.reseals.newest()
            if found is not None and found.state == UNDER_WAY:
                return found
            if await tx.conversations.sealed_elsewhere(self._keys.current, 1):
                raise Conflict("there are data keys under another master key", "mab master-key rotate comes first")
            aged = await tx.conversations.aged(EVERY)
            if not aged and (not rows or self._keys.settled):
                raise Conflict("no data key is left to replace", "mab master-key rotate makes new ones")
            facts: dict[str, Fact] = {"conversations": len(aged), "messages": sum(one.messages for one in aged)}
            entry = await self._journal.record(tx, ticket, now, ACTION, self._keys.current, facts)
            await tx.reseals.begin(entry.seq)
            return Reseal(entry.seq, UNDER_WAY)

        return await self._gate.own(caller, ACTION, begun)

    async def under_way(self, caller: Caller) -> bool:
        """Whether there is anything for `step` to do: a read. Raises NotAllowed, Unavailable."""

        async def looked(tx: Tx, now: int) -> bool:
            found = await tx.reseals.newest()
            return found is not None and found.state == UNDER_WAY

        return await self._gate.look(caller, ACTION, looked)

    async def step(self, caller: Caller) -> Step:
        """Seal some texts anew, or destroy the older data keys of a conversation that has none left under them, or end it all.

        Raises what kept the last conversations from it (Tampered, Unavailable), once all others are done; NotAllowed.
        """

        async def taken(tx: Tx, now: int, ticket: Ticket) -> Step:
            self._keys.follow(await tx.master_keys.list())
            found = await tx.reseals.newest()
            if found is None or found.state != UNDER_WAY:
                return Step()
            aged = await tx.conversations.aged(len(self._stuck) + 1)
            due = [one for one in aged if one.id not in self._stuck]
            if not due:
                return await self._ended(tx, now, ticket, found, left=bool(aged))
            done = await self._done(tx, due[0])
            if done.texts or done.data_keys:
                await tx.reseals.count(done.texts, done.data_keys)
            return done

        done = await self._gate.own(caller, ACTION, taken)
        self._place = done.place
        if done.wrong is not None:
            self._stuck[done.place[0]] = done.wrong
        if not done.more and self._stuck:
            wrong = next(iter(self._stuck.values()))
            # the next time it is tried again
            self._stuck.clear()
            raise wrong
        return done

    async def _done(self, tx: Tx, conversation: Conversation) -> Step:
        """The next texts of one conversation; when there are none, its older data keys are destroyed."""
        try:
            names = self._keys.names(conversation)
            after = self._place[1] if self._place[0] == conversation.id else 0
            found = await self._texts(tx, conversation, names[0], after)
            if not found and after:
                after, found = 0, await self._texts(tx, conversation, names[0], 0)
            fresh = [(one, self._anew(conversation, one)) for one in found]
        except BridgeError as error:
            sentence = f"{conversation.id} cannot be sealed anew: {error.sentence}"
            return Step(more=True, place=(conversation.id, 0), wrong=type(error)(sentence, error.hint))
        if not found:
            await tx.conversations.reseal(conversation.id, self._keys.newest(conversation), conversation.sealed_key)
            return Step(more=True, data_keys=len(names) - 1)
        await tx.reseals.replace_all(fresh)
        last = max([after, *(text.id for text in found if isinstance(text.id, int))])
        return Step(more=True, texts=len(found), place=(conversation.id, last))

    async def _texts(self, tx: Tx, conversation: Conversation, name: bytes, after: int) -> Sequence[SealedText]:
        """Some that another data key sealed than `name`, at most `BYTES` of them or one."""
        usual = max(1, conversation.bytes // max(1, conversation.messages))
        found = await tx.reseals.texts(conversation.id, name, after, max(1, min(TEXTS, BYTES // usual)))
        taken: list[SealedText] = []
        weight = 0
        for text in found:
            weight += len(text.sealed)
            if taken and weight > BYTES:
                break
            taken.append(text)
        return taken

    def _anew(self, conversation: Conversation, text: SealedText) -> bytes:
        return self._keys.seal(conversation, text.bound, self._keys.open(conversation, text.bound, text.sealed))

    async def _ended(self, tx: Tx, now: int, ticket: Ticket, found: Reseal, left: bool) -> Step:
        """No conversation is due: the store says so, and that an older data key is none from now on."""
        if left:
            return Step()
        try:
            # a hub that had not heard of the rotation may have made a conversation meanwhile
            count = await renewed(tx, self._keys, BATCH)
        except BridgeError as error:
            return Step(wrong=error)
        if count:
            await self._journal.record(tx, ticket, now, REWRAP, self._keys.current, {"data_keys": count})
            return Step(more=True)
        await settle(tx, self._keys, settled=True)
        await tx.reseals.finish()
        facts: dict[str, Fact] = {"began": found.began, "texts": found.texts, "data_keys": found.data_keys}
        await self._journal.record(tx, ticket, now, DESTROYED, self._keys.current, facts)
        return Step()
