"""Credentials for workers elsewhere: the owner pushes them, a worker takes them up once they are proven."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Fact, Invalid, NotFound, Refused, Tampered
from multiagent_bridge.guard import parcels as guard
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.journal import microseconds_to_iso
from multiagent_bridge.model.parcels import Address, Letter, Parcel, Seen, Signed, path_of
from multiagent_bridge.ports import Clock, Keys, Letterbox, Post, Source, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal

Fields = dict[str, object]

MOST = 100
"""Workers of one push."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What has left, and the version of the repository that has it."""

    parcels: Sequence[Parcel]
    version: str

    def fields(self) -> Fields:
        """Of one worker its fields stand at the top too."""
        rows = [fields(parcel) | {"file": path_of(parcel.worker)} for parcel in self.parcels]
        return (rows[0] if len(rows) == 1 else {}) | {"commit": self.version, "workers": rows}


@dataclass(frozen=True, slots=True)
class Pulled:
    """A worker's credentials as they are now; `fresh` when it did not have them before."""

    parcel: Parcel
    fresh: bool


def fields(parcel: Parcel) -> Fields:
    """What may be shown of a parcel: neither token nor key."""
    return {
        "worker": parcel.worker,
        "conversation_id": parcel.conversation_id,
        "session_id": parcel.session_id,
        "role": parcel.role,
        "generation": parcel.generation,
        "sequence": parcel.sequence,
        "hub": parcel.hub or None,
        "issued_at": microseconds_to_iso(parcel.issued_at),
        "expires_at": microseconds_to_iso(parcel.expires_at),
    }


class Parcels:
    """The owner's side."""

    def __init__(self, gate: Gate, journal: Journal, clock: Clock, keys: Keys) -> None:
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._keys = keys

    @property
    def publisher(self) -> str:
        """The key by which workers know what comes from here."""
        return guard.publisher_text(self._keys.publisher_key)

    async def push(
        self, owner: Caller, addresses: Sequence[Address], hub: str, post: Post, hub_key: str = ""
    ) -> Pushed:
        """Send each worker the token of its session, signed here and encrypted by `post`. Two pushes never run at once.

        `hub` and `hub_key`: where workers elsewhere reach this hub, and the API key that they show there.
        The entries are written before anything leaves; what could not leave is an entry too. Raises Invalid, NotFound,
        Refused (expired, revoked), and what `post` raises.
        """
        try:
            self._looked(addresses, hub, hub_key)
        except BridgeError as refusal:
            raise await self._gate.refuse(owner, NO_CREDENTIALS, "credentials.push", refusal, seated=False) from refusal

        async def signed(tx: Tx, now: int, ticket: Ticket) -> Sequence[Parcel]:
            return [await self._made(tx, now, ticket, address, hub, hub_key) for address in addresses]

        parcels = await self._gate.own(owner, "credentials.push", signed)
        try:
            version = await post.send([self._letter(parcel) for parcel in parcels])
        except BridgeError as error:
            for parcel in parcels:
                facts: dict[str, Fact] = {"session": parcel.session_id, "reason": self._journal.safe(error.sentence)}
                target = f"worker {parcel.worker}"
                await self._journal.note(owner, "credentials.fail", target, facts, parcel.conversation_id)
            raise
        return Pushed(parcels, version)

    def _looked(self, addresses: Sequence[Address], hub: str, hub_key: str) -> None:
        if not 0 < len(addresses) <= MOST:
            raise Invalid(f"{len(addresses)} workers at once", f"1 to {MOST}")
        if len({address.worker for address in addresses}) < len(addresses):
            raise Invalid("a worker is named twice", "each has one file")
        for address in addresses:
            guard.worker(address.worker)
            guard.recipient(address.recipient)
        if hub:
            guard.hub_url(hub)
        if hub_key:
            guard.hub_key(hub_key)
        if hub_key and not hub:
            raise Invalid("a key for the hub is of no use without its address", "--hub URL")

    async def _made(self, tx: Tx, now: int, ticket: Ticket, address: Address, hub: str, hub_key: str) -> Parcel:
        conversation = await tx.conversations.get(address.conversation_id)
        if conversation is None:
            raise NotFound("no such conversation", "mab list shows them")
        ticket.conversation = conversation.id
        session = await tx.sessions.get(conversation.id, address.session_id)
        if session is None:
            raise NotFound("no such session in that conversation", f"mab show {conversation.id}")
        if conversation.expired(now):
            raise Refused("the conversation has expired", f"mab extend {conversation.id}")
        if session.revoked:
            raise Refused("that session is revoked", f"mab rotate {conversation.id} {session.id} gives it a new token")
        facts: dict[str, Fact] = {
            "session": session.id,
            "generation": session.generation,
            "recipient": address.recipient,
            "hub": hub or None,
        }
        # a person may have typed anything in the place of a name
        target = self._journal.safe(f"worker {address.worker}")
        entry = await self._journal.record(tx, ticket, now, "credentials.push", target, facts)
        return Parcel(
            worker=address.worker,
            recipient=address.recipient,
            conversation_id=conversation.id,
            session_id=session.id,
            role=session.role,
            generation=session.generation,
            token=self._keys.token(conversation.id, session.id, session.generation),
            hub=hub,
            hub_key=hub_key,
            sequence=entry.seq,
            issued_at=now,
            expires_at=conversation.expires_at,
        )

    def _letter(self, parcel: Parcel) -> Letter:
        body = guard.body_of(parcel)
        signed = Signed(body, self._keys.publisher_key, self._keys.publish(guard.message(body)))
        return Letter(parcel.worker, parcel.recipient, guard.wrapped(signed))


class Arrivals:
    """A worker's side: nothing is kept that was not opened, verified, addressed to it, and newer than what it has."""

    def __init__(self, worker: str, source: Source, box: Letterbox, clock: Clock) -> None:
        """Raises Invalid for what is no name of a worker."""
        self.worker = guard.worker(worker)
        self._source = source
        self._box = box
        self._clock = clock

    async def pull(
        self, publisher: str | None = None, noted: Callable[[Parcel], Awaitable[None]] | None = None
    ) -> Pulled:
        """Look once. Whoever is named as publisher first is trusted from then on. `noted` writes down what is new before it
        is kept: what cannot be written down is not taken, and is new to the next look.

        Raises NotFound when nothing is there yet, Refused (for somebody else, replayed, expired, of another publisher),
        Tampered (cut short, changed, forged), Unavailable, Invalid.
        """
        seen = self._box.seen(self.worker)
        trusted = guard.pinned(self.worker, seen, guard.publisher(publisher) if publisher else None)
        if seen is None or seen.publisher != trusted:
            self._box.trust(self.worker, trusted)
            seen = self._box.seen(self.worker)
        sealed = await self._source.fetch(self.worker)
        if sealed is None:
            raise NotFound(f"there are no credentials for {self.worker} yet", "the owner: mab credentials push")
        signed = guard.unwrapped(self._box.open(sealed))
        if signed.publisher != trusted:
            raise Refused(
                f"the credentials are signed by a publisher that {self.worker} does not trust",
                "ask the owner who pushed them",
            )
        if not self._box.verify(trusted, guard.message(signed.body), signed.signature):
            raise Tampered("the signature of the credentials does not verify", "they were forged or changed")
        parcel, taken = guard.parcel_of(signed.body), guard.digest(signed.body)
        fresh = guard.fresh(parcel, self.worker, self._box.recipient, seen, taken, self._clock.now())
        if fresh:
            if noted is not None:
                await noted(parcel)
            kept = replace(seen or Seen(trusted), sequence=parcel.sequence, issued_at=parcel.issued_at, digest=taken)
            self._box.keep(parcel, kept)
        return Pulled(parcel, fresh)
