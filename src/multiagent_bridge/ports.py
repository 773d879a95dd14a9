"""What the services ask of the world. Each docstring states a law that `testing` holds every adapter to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from multiagent_bridge.model.conversations import Binding, Conversation, Invite
from multiagent_bridge.model.journal import Draft, Entry, Head
from multiagent_bridge.model.limits import Window
from multiagent_bridge.model.messages import Delivery, Message
from multiagent_bridge.model.sessions import Session

T = TypeVar("T")


class Conversations(Protocol):
    async def add(self, conversation: Conversation) -> None:
        """Raises Conflict when the id is taken."""

    async def get(self, conversation_id: str) -> Conversation | None: ...

    async def count_message(self, conversation_id: str, size: int) -> int:
        """Take the next message id and count one message of `size` bytes towards the quota. Returns the id."""
        ...

    async def extend(self, conversation_id: str, expires_at: int) -> None: ...

    async def list(self) -> Sequence[Conversation]:
        """All, oldest first."""
        ...

    async def remove(self, conversation_id: str) -> None:
        """Remove it with its sessions, messages, deliveries, invites, bindings and rate buckets; the journal stays."""


class Sessions(Protocol):
    async def add(self, session: Session) -> None: ...

    async def get(self, conversation_id: str, session_id: str) -> Session | None: ...

    async def of(self, conversation_id: str) -> Sequence[Session]:
        """In the order they were added (a, b, ... z, aa)."""
        ...

    async def heartbeat(self, conversation_id: str, session_id: str, at: int) -> None:
        """Move the heartbeat to `at`, also backwards (a clock that was set back must not look alive for an hour).

        The first heartbeat moves the status from `unknown` to `working`.
        """

    async def report(self, conversation_id: str, session_id: str, status: str, sealed_note: bytes) -> None: ...

    async def rotate(self, conversation_id: str, session_id: str) -> int:
        """Move to the next generation, lift a revocation, drop its bindings and invites. Returns the new generation."""
        ...

    async def revoke(self, conversation_id: str, session_id: str) -> None:
        """End every token, binding and invite of the session."""


class Messages(Protocol):
    """Deliveries go unread -> claimed -> read. `Session.unread` always equals the deliveries that are unread."""

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        """Store it with one unread delivery a recipient. Raises Conflict when (conversation, sender, key) is taken."""

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None: ...

    async def get(self, conversation_id: str, message_id: int) -> Message | None: ...

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        """The oldest `limit` that are unread or whose claim is older than `stale_before` (its writer died), by id."""
        ...

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        """Hand these over under `claim`: no longer unread, not yet read. A stale claim on them is taken over."""

    async def confirm(self, claim: str, now: int) -> int:
        """The answer was written: everything under `claim` is read. Returns how many."""
        ...

    async def release(self, claim: str) -> int:
        """The answer was not written: everything under `claim` is unread again. Returns how many."""
        ...

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        """Make read messages unread again: their answer crossed with its cancellation. Returns how many."""
        ...

    async def release_owner(self, owner: str) -> int:
        """Release every claim that begins with `owner` + ":". Returns how many messages came back."""
        ...

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        """Mark every message up to and including id `through` read. Returns how many were unread or claimed."""
        ...

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` read ones with an id below `before`, oldest first."""
        ...

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` delivered to the recipient, read or not, with an id below `before`, newest first."""
        ...

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        """All messages of the conversation with an id above `after`, by id."""
        ...

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]: ...


class Invites(Protocol):
    async def add(self, invite: Invite) -> None: ...

    async def take(self, digest: bytes) -> Invite | None:
        """Remove and return it: of many takers one gets it."""
        ...

    async def sweep(self, now: int) -> int:
        """Remove those expired at `now`. Returns how many."""
        ...


class Bindings(Protocol):
    async def bind(self, binding: Binding) -> None:
        """Add, or replace the one of the same agent, conversation and session."""

    async def of(self, agent: str) -> Sequence[Binding]:
        """The agent's bindings whose session exists, is not revoked and is still of that generation; oldest first."""
        ...

    async def holders(self, conversation_id: str, session_id: str) -> Sequence[str]:
        """Every agent that has a binding as `of` would list it to this session."""
        ...

    async def sweep(self, before: int, prefix: str) -> int:
        """Remove bindings made before `before` of agents whose key begins with `prefix`. Returns how many."""
        ...


class Journal(Protocol):
    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        """Chain the entry to the head, store both. The entry becomes durable with the transaction or not at all."""
        ...

    async def head(self) -> Head: ...

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """Entries with a sequence number above `after`, in order; of one conversation if given."""
        ...

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries (of one conversation if given), oldest first."""
        ...

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """(sequence number, stored line) as they lie in the store, unparsed: what a verifier must look at."""
        ...

    async def add_checkpoint(self, size: int, note: str) -> None: ...

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        """(size, signed note), by size."""
        ...


class Buckets(Protocol):
    async def charge(self, key: str, windows: Sequence[Window], now: int) -> int:
        """Charge one act to every window of `key`, or to none. Returns 0 when admitted, else microseconds to wait.

        One statement, exact among racing processes; forgets a state that lies in the future because the clock was set back.
        """
        ...

    async def sweep(self, now: int) -> int:
        """Remove buckets that are full again at `now`: they say nothing that a missing one does not. Returns how many."""
        ...


class Tx(Protocol):
    """One transaction. Awaiting anything else inside a transaction is a programming error that adapters refuse."""

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


class Store(Protocol):
    """The truth. `write` is serialisable and durable before it returns; what raised left nothing behind.

    `work` may be run again after a lost race, so it has no effect but through its Tx. Errors of the bridge pass unchanged;
    those of a driver become Unavailable (or Tampered for a damaged file) with the driver's error as cause.
    """

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T: ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """A consistent snapshot; writing in it raises."""
        ...

    async def close(self) -> None: ...


class Ear(Protocol):
    async def wait(self, seconds: float) -> bool:
        """Until the topic rings or `seconds` pass; True when it rang since the last wait, or may have."""
        ...


class Bell(Protocol):
    """Says that something changed, never what. Rings between processes of one store; a lost ring costs at most a second."""

    def ring(self, topic: str) -> None:
        """Wake everyone who listens to `topic`, here and in other processes. Never blocks, never raises."""

    def listen(self, topic: str) -> AbstractAsyncContextManager[Ear]:
        """From entry on no ring is missed: listen first, then look."""
        ...


class Meter(Protocol):
    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        """As Buckets.charge: inside the transaction where the meter lives in the store, beside it where it does not."""
        ...


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch, UTC; may jump."""
        ...

    def monotonic(self) -> int:
        """Microseconds from an arbitrary start; never jumps."""
        ...


class Ids(Protocol):
    def conversation(self) -> str:
        """A new conversation id: `conv_` and 12 characters; not a secret, never repeated."""
        ...

    def invite(self) -> str:
        """A new invite code of 50 random bits, in an alphabet that survives being read aloud."""
        ...

    def claim(self) -> str:
        """A new claim id that begins with this process's owner name and a colon."""
        ...


class Keys(Protocol):
    """The master key and what is derived from it. No method ever returns a key in clear."""

    verifier_key: str
    """Public part of the audit signing key, in C2SP form."""

    signer: str
    """Name of the signer in checkpoints, and their origin: unique to this master key."""

    public_key: bytes
    """The 32 bytes of it."""

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        """64 hex characters: HMAC-SHA256, bound to all three."""
        ...

    def code_digest(self, code: str) -> bytes:
        """Keyed digest under which an invite code is stored."""
        ...

    def new_key(self, conversation_id: str) -> bytes:
        """A new data key for the conversation, wrapped under the master key and bound to the conversation id."""
        ...

    def seal(self, conversation: Conversation, place: str, text: str) -> bytes:
        """AES-GCM under the conversation's key; `place` (table, column, row) is bound to it."""
        ...

    def open(self, conversation: Conversation, place: str, sealed: bytes) -> str:
        """The text. Raises Tampered when key, place or bytes do not fit."""
        ...

    def digest(self, text: str) -> str:
        """Hex HMAC-SHA256 under the audit key: lets an entry vouch for a text without holding it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 under the audit signing key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...
