"""The overview: who talks to whom and what just happened, in reads whose cost does not grow with the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.letters import OPERATOR
from multiagent_bridge.services.notices import BRIDGE

RECENT = 300
"""Entries that are looked at to see where something happens."""

SCENES = 20
"""Conversations shown at once."""

CHARGED = frozenset({"message.send", "task.assign", "task.update", "command.execute", "yolo.ask"})
"""Acts that are charged to what a session writes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One conversation as it stands. `sender`, `recipients` and `at` are of its last message, empty and None without any."""

    conversation: Conversation
    sessions: Sequence[Session]
    alive: frozenset[str]
    sender: str = ""
    recipients: Sequence[str] = ()
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Scenes:
    """`older` is the conversation before which the next page of all begins; empty at the end."""

    scenes: Sequence[Scene]
    older: str


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of its first limit one session has used: `used` of `limit` in the last `seconds`; `refused` for being too fast."""

    conversation_id: str
    session_id: str
    used: int
    limit: int
    seconds: int
    refused: int


@dataclass(frozen=True, slots=True)
class Happened:
    """The newest entries, newest first, and who of them writes close to a limit, the closest first."""

    entries: Sequence[Entry]
    rates: Sequence[Rate]


@dataclass(frozen=True, slots=True)
class Latest:
    """Conversations with their sessions, newest activity first; the newest entries, oldest first; how many entries there are."""

    rows: Sequence[tuple[Conversation, Sequence[Session]]]
    entries: Sequence[Entry]
    size: int


class Overview:
    def __init__(self, gate: Gate, limits: Limits) -> None:
        self._gate = gate
        self._limits = limits

    async def scenes(self, caller: Caller, every: bool = False, before: str | None = None) -> Scenes:
        """Conversations where something happened lately, then the newest; `every`: all, newest first, those older than `before`.

        Looks at `RECENT` entries and `SCENES` conversations, however many there are. Raises NotAllowed.
        """

        async def looked(tx: Tx, now: int) -> Scenes:
            page = await tx.conversations.newest(SCENES, before if every else None)
            found = {} if every else await self._busy(tx, now)
            for conversation in page:
                if len(found) < SCENES:
                    found.setdefault(conversation.id, conversation)
            scenes = [await self._scene(tx, one, now) for one in found.values()]
            return Scenes(scenes, page[-1].id if every and len(page) == SCENES else "")

        return await self._gate.look(caller, "conversation.show", looked)

    async def latest(self, caller: Caller, most: int) -> Latest:
        """The `most` conversations in which something was done last, expired ones too, then the newest. Raises NotAllowed.

        Looks at `RECENT` entries and `most` conversations, however many there are.
        """

        async def looked(tx: Tx, now: int) -> Latest:
            entries = await tx.journal.newest(RECENT)
            found: dict[str, Conversation] = {}
            done = (entry.conversation for entry in reversed(entries) if entry.conversation and entry.outcome == "done")
            for one in dict.fromkeys(done):
                conversation = await tx.conversations.get(one) if len(found) < most else None
                if conversation is not None:
                    found[one] = conversation
            for conversation in await tx.conversations.newest(most) if len(found) < most else ():
                if len(found) < most:
                    found.setdefault(conversation.id, conversation)
            rows = [(conversation, await tx.sessions.of(conversation.id)) for conversation in found.values()]
            return Latest(rows, entries, (await tx.journal.head()).size)

        return await self._gate.look(caller, "conversation.show", looked)

    async def happened(self, caller: Caller) -> Happened:
        """The newest `RECENT` entries, and the rates that follow from them. Raises NotAllowed."""

        async def looked(tx: Tx, now: int) -> Happened:
            entries = (await tx.journal.newest(RECENT))[::-1]
            return Happened(entries, self._rates(entries, now))

        return await self._gate.look(caller, "journal.read", looked)

    async def _busy(self, tx: Tx, now: int) -> dict[str, Conversation]:
        """Live conversations of the newest entries, the busiest moment first."""
        found: dict[str, Conversation] = {}
        for one in dict.fromkeys(entry.conversation for entry in (await tx.journal.newest(RECENT))[::-1]):
            conversation = await tx.conversations.get(one) if one and len(found) < SCENES else None
            if conversation is not None and not conversation.expired(now):
                found[one] = conversation
        return found

    async def _scene(self, tx: Tx, conversation: Conversation, now: int) -> Scene:
        sessions = await tx.sessions.of(conversation.id)
        within = self._limits.alive_seconds * SECOND
        alive = frozenset(one.id for one in sessions if one.alive(now, within))
        last = conversation.last_message
        found = await tx.messages.list(conversation.id, last - 1, 1) if last else ()
        if not found:
            return Scene(conversation, sessions, alive)
        to = [one.recipient for one in await tx.messages.deliveries(conversation.id, found[0].id)]
        return Scene(conversation, sessions, alive, found[0].sender, to, found[0].at)

    def _rates(self, entries: Sequence[Entry], now: int) -> Sequence[Rate]:
        """Who wrote in the last span of the first limit: from what was written down, so that it holds for every meter."""
        window = self._limits.writes[0]
        # the person and the bridge itself have no such limit
        seated = [one for one in entries if one.session and one.session not in (OPERATOR, BRIDGE)]
        young = [one for one in seated if one.at > now - window.seconds * SECOND]
        used = Counter(
            (one.conversation, one.session) for one in young if one.action in CHARGED and one.outcome == "done"
        )
        refused = Counter((one.conversation, one.session) for one in young if one.code == "too_fast")
        rates = [
            Rate(*who, used[who], window.limit, window.seconds, refused[who]) for who in used.keys() | refused.keys()
        ]
        return sorted(rates, key=lambda one: (-one.refused, -one.used, one.conversation_id, one.session_id))[:SCENES]
