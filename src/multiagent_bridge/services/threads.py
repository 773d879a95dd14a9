"""Threads: conversations as a person reads them, page by page, in reads whose cost does not grow with what there is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import NotFound
from multiagent_bridge.guard import messages as guard
from multiagent_bridge.guard import text
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.mail import Letter
from multiagent_bridge.model.messages import ACTION_TYPES, Delivery
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Clock, Keys, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.letters import opened
from multiagent_bridge.services.redaction import Redaction

LISTED = 50
"""Conversations on one page."""

LOOKED = 200
"""Conversations looked at for one page, however few of them fit."""

PAGE = 20
"""Messages on one page."""

SCAN = 64
"""Messages decrypted in one transaction while searching."""

SEARCHED, SEARCHED_BYTES = 1_024, 8_000_000
"""Messages, and bytes of them, that one search goes through before it asks whether to look further back."""

OPENED_SECONDS = 900
"""Who reads on in the same conversation is one entry for so long."""

OPENED = 4_096
"""Readings that are remembered."""

STATES = ("live", "expired", "every")
"""Which conversations are listed."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One conversation in the list. `alive` are sessions heard of lately."""

    conversation: Conversation
    sessions: Sequence[Session]
    alive: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of conversations, newest first. `older` is the one before which the next page begins, empty at the end."""

    scenes: Sequence[Scene]
    older: str


@dataclass(frozen=True, slots=True)
class Member:
    """One session as a person sees it; `note` in clear."""

    session: Session
    note: str
    alive: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One message, and where it stands for each recipient."""

    letter: Letter
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Thread:
    """A page of one conversation, newest first. `older` is the id before which the next page begins, None at the end."""

    conversation: Conversation
    members: Sequence[Member]
    lines: Sequence[Line]
    older: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, newest first: `query` is redacted, `older` where it may go on, `looked` how many it saw."""

    conversation: Conversation
    letters: Sequence[Letter]
    query: str
    older: int | None
    looked: int


class Threads:
    def __init__(
        self, gate: Gate, journal: Journal, clock: Clock, keys: Keys, redaction: Redaction, limits: Limits
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._keys = keys
        self._redaction = redaction
        self._limits = limits
        self._read: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def list(self, caller: Caller, state: str = "live", words: str = "", before: str | None = None) -> Listing:
        """Conversations in that state whose id or a role of which has every word, those older than `before`; no word: all.

        Looks at `LOOKED` of them. Raises NotAllowed.
        """
        wanted = words.casefold().split()

        async def looked(tx: Tx, now: int) -> Listing:
            page = await tx.conversations.newest(LOOKED, before)
            found: list[Scene] = []
            for place, conversation in enumerate(page):
                if state not in (_state(conversation, now), "every"):
                    continue
                sessions = await tx.sessions.of(conversation.id)
                hay = "\n".join([conversation.id, *(one.role for one in sessions)]).casefold()
                if all(word in hay for word in wanted):
                    found.append(Scene(conversation, sessions, self._alive(sessions, now)))
                if len(found) == LISTED:
                    more = place + 1 < len(page) or len(page) == LOOKED
                    return Listing(found, conversation.id if more else "")
            return Listing(found, page[-1].id if len(page) == LOOKED else "")

        return await self._gate.look(caller, "conversation.show", looked)

    async def open(self, caller: Caller, conversation_id: str) -> None:
        """Write down that the caller reads this conversation, once in `OPENED_SECONDS`. Raises NotAllowed, NotFound, TooFast."""
        reading, now = (caller.label, conversation_id), self._clock.monotonic()
        if reading in self._read and now - self._read[reading] < OPENED_SECONDS * SECOND:
            return

        async def noted(tx: Tx, now: int, ticket: Ticket) -> None:
            conversation = await _existing(tx, conversation_id)
            ticket.conversation = conversation_id
            facts = {"last": conversation.last_message}
            await self._journal.record(tx, ticket, now, "message.show", conversation_id, facts)

        await self._gate.own(caller, "message.show", noted)
        self._read[reading] = now
        self._read.move_to_end(reading)
        while len(self._read) > OPENED:
            self._read.popitem(last=False)

    async def read(self, caller: Caller, conversation_id: str, before: int | None = None, limit: int = PAGE) -> Thread:
        """The newest messages with an id below `before`, as many as fit a page, and who is there. `open` it first.

        Raises NotAllowed, NotFound, Tampered.
        """

        async def looked(tx: Tx, now: int) -> Thread:
            conversation = await _existing(tx, conversation_id)
            sessions, told = await tx.sessions.of(conversation_id), await tx.sessions.told(conversation_id)
            page = await tx.messages.newest(conversation_id, before, limit)
            fitting = guard.fitting(page, self._limits.page_characters, newest=False)
            lines = []
            for letter in opened(self._keys, conversation, sessions, fitting):
                stands = await tx.messages.deliveries(conversation_id, letter.message.id)
                lines.append(Line(letter, [_notified(one, told.get(one.recipient, 0)) for one in stands]))
            more = len(fitting) < len(page) or len(page) == limit
            alive = self._alive(sessions, now)
            members = [Member(one, self._note(conversation, one), one.id in alive) for one in sessions]
            return Thread(conversation, members, lines, fitting[-1].id if fitting and more else None)

        return await self._gate.look(caller, "message.show", looked)

    async def search(
        self,
        caller: Caller,
        conversation_id: str,
        query: object = "",
        sender: str = "",
        action_type: object = "",
        before: int | None = None,
    ) -> Found:
        """Messages with every word of `query` in the text or a file name, of that sender, of that type; each may be empty.

        Bounded: at most `PAGE` found or `SEARCHED` looked through. Each search is an entry, without its words.
        Raises Invalid, NotAllowed, NotFound, TooFast, Tampered.
        """

        async def noted(tx: Tx, now: int, ticket: Ticket) -> str:
            said = text.line("query", query, 1, self._limits.query_characters) if query else ""
            if action_type:
                text.choice("type", action_type, ACTION_TYPES)
            await _existing(tx, conversation_id)
            ticket.conversation = conversation_id
            await self._journal.record(tx, ticket, now, "message.search", conversation_id, {"before": before})
            return said

        said = self._redaction.text(await self._gate.own(caller, "message.show", noted)).text
        words = said.casefold().split()
        hits: list[Letter] = []
        looked = weight = 0
        at = before

        async def scanned(tx: Tx, now: int) -> tuple[Conversation, int, int, int | None, Sequence[Letter]]:
            conversation = await _existing(tx, conversation_id)
            page = await tx.messages.newest(conversation_id, at, SCAN)
            fits = [one for one in page if sender in ("", one.sender) and action_type in ("", one.action_type)]
            letters = opened(self._keys, conversation, await tx.sessions.of(conversation_id), fits)
            found = [letter for letter in letters if guard.mentions(letter, words)]
            last = page[-1].id if len(page) == SCAN else None
            return conversation, len(page), sum(one.size for one in fits), last, found

        while True:
            conversation, count, size, at, found = await self._gate.look(caller, "message.show", scanned)
            hits.extend(found)
            looked, weight = looked + count, weight + size
            if len(hits) > PAGE:
                # those left out are found again by who goes on
                return Found(conversation, hits[:PAGE], said, hits[PAGE - 1].message.id, looked)
            if at is None or looked >= SEARCHED or weight >= SEARCHED_BYTES:
                return Found(conversation, hits, said, at, looked)

    def _alive(self, sessions: Sequence[Session], now: int) -> frozenset[str]:
        return frozenset(one.id for one in sessions if one.alive(now, self._limits.alive_seconds * SECOND))

    def _note(self, conversation: Conversation, session: Session) -> str:
        if not session.sealed_note:
            return ""
        return self._keys.open(conversation, f"sessions/note/{session.id}", session.sealed_note)


def _notified(delivery: Delivery, told: int) -> Delivery:
    return replace(delivery, notified=delivery.message_id <= told)


def _state(conversation: Conversation, now: int) -> str:
    return "expired" if conversation.expired(now) else "live"


async def _existing(tx: Tx, conversation_id: str) -> Conversation:
    found = await tx.conversations.get(conversation_id)
    if found is None:
        raise NotFound("no such conversation", "mab list shows them")
    return found
