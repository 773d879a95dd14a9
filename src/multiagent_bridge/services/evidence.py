"""Evidence: whether what is stored is what the journal says was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.master_keys import HAND_OVER, REWRAP
from multiagent_bridge.model.messages import Message
from multiagent_bridge.model.reseals import DESTROYED
from multiagent_bridge.ports import Keys, Store, Tx
from multiagent_bridge.services.journal import PAGE as READ
from multiagent_bridge.services.journal import Journal

PAGE = 500
"""Messages opened in one transaction."""

RENEWING = (HAND_OVER, REWRAP)
"""Entries after which a conversation may have older data keys again."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A journal that verifies, and stored messages that are the ones it vouches for."""

    entries: int
    root: bytes
    checkpoints: int
    last_checkpoint: int
    messages: int

    def fields(self) -> dict[str, object]:
        return {
            "verified": True,
            "entries": self.entries,
            "root": self.root.hex(),
            "checkpoints": self.checkpoints,
            "last_checkpoint": self.last_checkpoint,
            "messages": self.messages,
        }


@dataclass(frozen=True, slots=True)
class Sending:
    """What the entry of one message says of it; `sender` is empty where the entry does not say (imported ones)."""

    seq: int
    digest: str
    sender: str = ""
    action_type: str = ""
    at: int = 0

    @staticmethod
    def of(entry: Entry) -> Sending:
        if entry.action != "message.send":
            return Sending(entry.seq, entry.digest)
        return Sending(entry.seq, entry.digest, entry.session, str(entry.facts.get("type", "")), entry.at)

    def fits(self, message: Message, digest: str) -> bool:
        """Whether the stored message is the one that was sent: its words, who said them, as what, and when."""
        if digest != self.digest:
            return False
        said = (message.sender, message.action_type, message.at)
        return not self.sender or said == (self.sender, self.action_type, self.at)


@dataclass(slots=True)
class Vouched:
    """What the entries read so far say is stored: each message of each living conversation."""

    sent: dict[str, dict[int, Sending]] = field(default_factory=dict)
    destroyed: int = 0
    """The entry that says that there is no older data key, 0 while there may be some."""

    def read(self, entry: Entry) -> None:
        if entry.outcome != "done":
            return
        if entry.action == DESTROYED:
            self.destroyed = entry.seq
        elif entry.action in RENEWING:
            self.destroyed = 0
        if entry.action in ("conversation.create", "conversation.import"):
            self.sent[entry.conversation] = {}
        elif entry.action in ("message.send", "message.import"):
            number = entry.facts.get("message_id")
            if isinstance(number, int):
                self.sent.setdefault(entry.conversation, {})[number] = Sending.of(entry)
        elif entry.action == "conversation.erase":
            self.sent.pop(entry.target, None)


class Evidence:
    def __init__(self, journal: Journal, store: Store, keys: Keys) -> None:
        self._journal = journal
        self._store = store
        self._keys = keys

    async def verify(
        self,
        kept: Sequence[str] = (),
        told: Callable[[int, int], None] = lambda entries, messages: None,
        limit: int = READ,
    ) -> Verified:
        """Check every line, link and checkpoint of the journal, then every stored message against its entry.

        `kept` are checkpoint notes from elsewhere. `told` hears how many entries and messages were looked at so far, and ends
        all by raising; `limit` are read at once. Raises Tampered naming the first wrong entry or message, Invalid for a note
        that is no checkpoint of this journal.
        """
        vouched = Vouched()

        def read(entry: Entry) -> None:
            vouched.read(entry)
            told(entry.seq, 0)

        chain = await self._journal.verify(kept, read, limit)
        if vouched.destroyed:
            await self._no_older_data_key(vouched.destroyed, chain.size)
        conversations = {c.id: c for c in await self._store.read(lambda tx: tx.conversations.list())}
        count = 0
        for conversation_id, sent in vouched.sent.items():
            conversation = conversations.get(conversation_id)
            if conversation is None:
                if await self._vanished(conversation_id, chain.size):
                    raise Tampered(
                        f"conversation {conversation_id} is gone, and no entry says who erased it",
                        "restore a backup, and look who can write to the database",
                    )
                continue
            count += await self._checked(conversation, sent, chain.size, min(limit, PAGE))
            told(chain.size, count)
        return Verified(chain.size, chain.root, chain.checkpoints, chain.last_checkpoint, count)

    async def _no_older_data_key(self, entry: int, size: int) -> None:
        aged = await self._store.read(lambda tx: tx.conversations.aged(1))
        if not aged:
            return
        if not await self._later(lambda one: one.action in RENEWING, size):
            raise Tampered(
                f"an older data key of {aged[0].id} is back, which entry {entry} says was destroyed",
                "look who can write to the database",
            )

    async def _vanished(self, conversation_id: str, size: int) -> bool:
        """Whether it is gone without an entry, also none that was written while we read."""
        return not await self._later(lambda one: one.action == "conversation.erase", size, conversation_id)

    async def _checked(self, conversation: Conversation, sent: dict[int, Sending], size: int, limit: int) -> int:
        """Compare the stored messages of one conversation with what was vouched for. Returns how many there are."""
        waiting, later = dict(sent), _Later(self._journal, conversation.id, size)
        after = 0
        while (found := await self._page(conversation, after, limit))[1]:
            # with the page, since its data keys may be replaced meanwhile
            conversation, page = found
            after = page[-1].id
            for message in page:
                vouched = waiting.pop(message.id, None)
                if vouched is None and not await later.sent(message.id):
                    raise Tampered(
                        f"message {message.id} of {conversation.id} is in no entry: it was never sent",
                        "look who can write to the database",
                    )
                text = self._keys.open(conversation, f"messages/body/{message.id}", message.body)
                digest = self._keys.digest(text)
                if digest != message.digest or (vouched is not None and not vouched.fits(message, digest)):
                    raise Tampered(
                        f"message {message.id} of {conversation.id} is not the one that was sent",
                        "restore a backup, and look who can write to the database",
                    )
        if waiting:
            number = min(waiting)
            if await self._store.read(lambda tx: tx.conversations.get(conversation.id)) is not None:
                raise Tampered(
                    f"message {number} of {conversation.id} is gone, though entry {waiting[number].seq} says it was sent",
                    "restore a backup, and look who can write to the database",
                )
        return len(sent)

    async def _page(self, conversation: Conversation, after: int, limit: int) -> tuple[Conversation, Sequence[Message]]:
        async def looked(tx: Tx) -> tuple[Conversation, Sequence[Message]]:
            now = await tx.conversations.get(conversation.id)
            return now or conversation, await tx.messages.list(conversation.id, after, limit)

        return await self._store.read(looked)

    async def _later(self, says: Callable[[Entry], bool], size: int, conversation_id: str | None = None) -> bool:
        """Whether an entry written while we read says so, however many there are: agents may be quick, and we slow."""
        while page := await self._journal.entries(size, PAGE, conversation_id):
            if any(map(says, page)):
                return True
            size = page[-1].seq
        return False


class _Later:
    """The entries of one conversation that were written while we read, each looked at once."""

    def __init__(self, journal: Journal, conversation_id: str, size: int) -> None:
        self._journal = journal
        self._conversation_id = conversation_id
        self._read = size
        self._sent: set[object] = set()

    async def sent(self, number: int) -> bool:
        """Whether one of them vouches for the message."""
        while number not in self._sent:
            page = await self._journal.entries(self._read, PAGE, self._conversation_id)
            if not page:
                return False
            self._read = page[-1].seq
            self._sent.update(entry.facts.get("message_id") for entry in page)
        return True
