"""The audit journal as services write, read, vouch for and verify it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from multiagent_bridge.errors import BridgeError, Fact
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.journal import Draft, Entry, Head, Verifier
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.signers import Signers
from multiagent_bridge.ports import Clock, Keys, Store, Tx
from multiagent_bridge.services.redaction import Redaction

PAGE = 1000
"""Entries read in one transaction."""


class Request(Protocol):
    """What the journal must know of a request."""

    caller: Caller
    action: str
    started: int
    conversation: str
    session: str

    @property
    def actor(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Verified:
    """A journal that verifies: how far, and what vouches for it."""

    size: int
    root: bytes
    checkpoints: int
    last_checkpoint: int


class Journal:
    def __init__(self, store: Store, clock: Clock, keys: Keys, redaction: Redaction, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def record(
        self,
        tx: Tx,
        request: Request,
        now: int,
        action: str,
        target: str = "",
        facts: Mapping[str, Fact] | None = None,
        digest: str = "",
    ) -> Entry:
        """Write the entry of an act that is done, in the transaction that does it."""
        return await self.append(
            tx,
            Draft(
                at=now,
                conversation=request.conversation,
                session=request.session,
                actor=request.actor,
                action=action,
                target=target,
                latency_us=max(0, self._clock.monotonic() - request.started),
                facts=_whole(facts or {}),
                digest=digest,
            ),
        )

    async def refusal(self, tx: Tx, request: Request, now: int, conversation: str, error: BridgeError) -> Entry:
        """Write the entry of a request that was refused. What it quotes of the request's words is redacted first."""
        return await self.append(
            tx,
            Draft(
                at=now,
                conversation=request.conversation or conversation,
                session=request.session,
                actor=request.actor,
                action=request.action,
                outcome="refused",
                code=error.code,
                latency_us=max(0, self._clock.monotonic() - request.started),
                facts={"reason": self.safe(error.sentence)},
            ),
        )

    async def append(self, tx: Tx, draft: Draft) -> Entry:
        """Chain one entry; every so many entries a signed checkpoint goes with it."""
        if draft.actor.startswith("agent "):
            # sessions and operators are named by us; an agent's name was chosen outside
            draft = replace(draft, actor=self.safe(draft.actor))
        entry, head = await tx.journal.append(draft)
        if head.size % self._limits.checkpoint_entries == 0:
            # signed under the key that is current in this very transaction, whatever this process has heard of
            self._keys.follow(await tx.master_keys.list())
            await tx.journal.add_checkpoint(head.size, self._signed(head))
        return entry

    async def refused(self, caller: Caller, action: str, error: BridgeError) -> None:
        """Write down what a connection was refused before it named a session."""

        async def written(tx: Tx) -> None:
            now = self._clock.now()
            draft = Draft(
                at=now,
                conversation="",
                session="",
                actor=caller.label,
                action=action,
                outcome="refused",
                code=error.code,
                facts={"reason": self.safe(error.sentence)},
            )
            await self.append(tx, draft)

        await self._store.write(written)

    async def note(
        self,
        caller: Caller,
        action: str,
        target: str = "",
        facts: Mapping[str, Fact] | None = None,
        conversation: str = "",
    ) -> Entry:
        """Write down an act that changes nothing else, such as an export."""

        async def written(tx: Tx) -> Entry:
            draft = Draft(
                at=self._clock.now(),
                conversation=conversation,
                session="",
                actor=caller.label,
                action=action,
                # a person may have typed anything in the place of an id
                target=self.safe(target) if target else "",
                facts=_whole(facts or {}),
            )
            return await self.append(tx, draft)

        return await self._store.write(written)

    async def entries(self, after: int = 0, limit: int = PAGE, conversation_id: str | None = None) -> Sequence[Entry]:
        """Entries above `after`, in order."""
        return await self._store.read(lambda tx: tx.journal.entries(after, limit, conversation_id))

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries (of one conversation), oldest first."""
        return await self._store.read(lambda tx: tx.journal.newest(limit, conversation_id))

    async def head(self) -> Head:
        return await self._store.read(lambda tx: tx.journal.head())

    async def checkpoint(self) -> str:
        """Sign what the journal is now and keep the note. Returns it: to be kept where nobody here can reach it."""

        async def signed(tx: Tx) -> str:
            head = await tx.journal.head()
            self._keys.follow(await tx.master_keys.list())
            note = self._signed(head)
            if head.size and all(size != head.size for size, _ in await tx.journal.checkpoints()):
                await tx.journal.add_checkpoint(head.size, note)
            return note

        return await self._store.write(signed)

    async def lines(self, limit: int = PAGE) -> AsyncIterator[str]:
        """Every stored line as it lies there, in order, up to where the journal ended at the first look.

        `limit` are held at once.
        """
        size, after = (await self.head()).size, 0
        while after < size and (page := (await self._looked(after, limit))[1]):
            for after, line in page:
                if after <= size:
                    yield line

    async def verify(
        self, kept: Sequence[str] = (), read: Callable[[Entry], None] = lambda _: None, limit: int = PAGE
    ) -> Verified:
        """Check every stored line, link, checkpoint and the head; `kept` are checkpoint notes from elsewhere.

        `read` is shown each entry that verified; `limit` are read at once. Raises Tampered naming the first wrong entry,
        Invalid for a note that is no checkpoint of this journal.
        """
        notes, signers = await self._store.read(self._signers)
        signed = [signers.checked(note) for _, note in notes]
        verifier = Verifier(checkpoints=[*signed, *(signers.checked(note) for note in kept)])
        after = 0
        while True:
            # head and lines of one snapshot: whatever lies beyond the head then is not ours
            head, page = await self._looked(after, limit)
            if not page:
                break
            after = page[-1][0]
            for _, line in page:
                entry = verifier.feed(line)
                signers.read(entry)
                read(entry)
        signers.finish()
        reached = verifier.finish(head)
        return Verified(reached.size, reached.root(), len(signed), max((c.size for c in signed), default=0))

    @property
    def verifier_key(self) -> str:
        """What checks our checkpoints, in C2SP form."""
        return self._keys.verifier_key

    async def _looked(self, after: int, limit: int) -> tuple[Head, Sequence[tuple[int, str]]]:
        """The head and the next page of lines, of one snapshot."""

        async def looked(tx: Tx) -> tuple[Head, Sequence[tuple[int, str]]]:
            return await tx.journal.head(), await tx.journal.lines(after, limit)

        return await self._store.read(looked)

    def _signed(self, head: Head) -> str:
        # C2SP asks that the origin is unique and the name of the key
        checkpoint = Checkpoint(self._keys.signer, head.size, head.root())
        return sign(checkpoint, self._keys.signer, self._keys.public_key, self._keys.sign)

    async def _signers(self, tx: Tx) -> tuple[Sequence[tuple[int, str]], Signers]:
        """The stored checkpoints, and who could sign which."""
        rows = await tx.master_keys.list()
        self._keys.follow(rows)
        size = (await tx.journal.head()).size
        signers = Signers(rows or [self._keys.first()], size, self._keys.check, self._keys.verifier_key)
        return await tx.journal.checkpoints(), signers

    def safe(self, sentence: str) -> str:
        """A sentence of ours without the secrets that it may repeat of the words it answers."""
        try:
            return self._redaction.text(sentence).text
        except BridgeError:
            return "withheld: it could not be checked for secrets"


def _whole(facts: Mapping[str, Fact]) -> dict[str, str | int | bool | None]:
    """Facts as the journal's format has them: no fractions."""
    return {name: round(value) if isinstance(value, float) else value for name, value in facts.items()}
