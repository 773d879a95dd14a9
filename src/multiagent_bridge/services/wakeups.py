"""Wake-ups: what the hooks of a client may know of waiting mail, and whether its idle agent is set going for it.

The journal is the memory: each wake-up, pause and reset is an entry, read back where the next one is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import Fact, Invalid
from multiagent_bridge.guard import wakeups as guard
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.wakeups import AUTOMATIC, EVENTS, Past, Verdict, Waiting
from multiagent_bridge.ports import Bell, Clock, Store, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.ringing import JOURNAL
from multiagent_bridge.services.topics import inbox

LOOKED_BACK, PAGES = 400, 20
"""Entries of a conversation in which wake-ups are looked for, at once and how often: what else its sessions write in the time of
a pause must not hide one.
"""

SENDERS = 50
"""Unread messages whose senders are named."""

SETTLE_SECONDS = 0.004
"""Left to an agent that waits for its mail by itself, to ask for it: writes follow each other, so that ours, which judges,
comes after, and nobody is woken for mail that was handed over."""

TICK_SECONDS = 5.0
"""How often a waker looks without having been rung."""

RETRY_SECONDS = 60
"""How often a waker looks whether a pause is over."""

Seat = tuple[Conversation, Session]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one event came to, and whose inboxes are to be rung for it."""

    verdict: Verdict
    topics: Sequence[str]


class Wakeups:
    """Acts for the sessions that the caller's name is bound to, also while a connection of that name acts as them."""

    def __init__(
        self, gate: Gate, journal: Journal, notices: Notices, store: Store, bell: Bell, clock: Clock, limits: Limits
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._notices = notices
        self._store = store
        self._bell = bell
        self._clock = clock
        self._limits = limits

    async def noticed(self, caller: Caller, event: object) -> Verdict:
        """Judge one event of the client (`EVENTS`): what waits, and whether its agent goes on for it.

        An agent is woken once for each new message. After `guard.allowed` wake-ups in a row the conversation is paused, its
        sessions are told, and only a person's prompt or half an hour ends that. Raises Invalid, TooFast, Unavailable.
        """
        if not isinstance(event, str) or event not in EVENTS or not caller.alias:
            fault = Invalid("that is no event of a named agent's client", "mab hook EVENT --as NAME")
            raise await self._gate.refuse(caller, NO_CREDENTIALS, "wakeup.look", fault, seated=False)

        async def judged(tx: Tx, now: int, ticket: Ticket) -> _Told:
            waiting, wake, paused, topics = [], [], [], []
            for conversation, session in await self._seats(tx, caller, now):
                here = Ticket(caller, "wakeup.look", ticket.started, conversation.id, session.id)
                one = await self._waiting(tx, session) if session.unread else None
                if one is not None:
                    waiting.append(one)
                    if event not in AUTOMATIC:
                        await self._notified(tx, here, now, await _newest(tx, session))
                if event == "prompt":
                    await self._reset(tx, here, now)
                elif event in AUTOMATIC and one is not None:
                    what = await self._judged(tx, here, now, conversation, session, event)
                    if what == "wake":
                        wake.append(one)
                    elif what != "told":
                        paused.append(conversation.id)
                    if what == "pause":
                        topics += [inbox(conversation.id, each.id) for each in await tx.sessions.of(conversation.id)]
            return _Told(Verdict(waiting, wake, list(dict.fromkeys(paused))), topics)

        key = f"{self._gate.alias(caller)}:hooks"
        told = await self._gate.knock(caller, NO_CREDENTIALS, "wakeup.look", key, self._limits.reads, judged)
        for topic in told.topics:
            self._bell.ring(topic)
        return told.verdict

    async def wait(self, caller: Caller, seconds: float) -> Verdict:
        """Wait until the agent is to be woken, `seconds` at most; then the verdict wakes nobody. Raises as `noticed`."""
        ends = self._clock.monotonic() + int(seconds * SECOND)
        judged: frozenset[tuple[str, str, int]] = frozenset()
        again: int | None = None
        async with self._bell.listen(JOURNAL) as ear:
            while True:
                news = await self._store.read(lambda tx: self._news(tx, caller))
                now = self._clock.monotonic()
                if news - judged or (news and again is not None and now >= again):
                    await ear.wait(SETTLE_SECONDS)
                    verdict = await self.noticed(caller, "wake")
                    if verdict.wake:
                        return verdict
                    if verdict.waiting:
                        # a pause may end by itself, and the same mail is looked at again
                        judged, again = news, now + RETRY_SECONDS * SECOND if verdict.paused else None
                left = (ends - self._clock.monotonic()) / SECOND
                if left <= 0:
                    return Verdict()
                await ear.wait(min(left, TICK_SECONDS))

    async def _news(self, tx: Tx, caller: Caller) -> frozenset[tuple[str, str, int]]:
        """Conversation, session and newest message of each session that has unread mail."""
        seats = await self._seats(tx, caller, self._clock.now())
        return frozenset([(c.id, s.id, await _newest(tx, s)) for c, s in seats if s.unread])

    async def _seats(self, tx: Tx, caller: Caller, now: int) -> Sequence[Seat]:
        seats = []
        for binding in await tx.bindings.of(self._gate.alias(caller)):
            conversation = await tx.conversations.get(binding.conversation_id)
            session = await tx.sessions.get(binding.conversation_id, binding.session_id)
            if conversation is not None and session is not None and not conversation.expired(now):
                seats.append((conversation, session))
        return seats

    async def _waiting(self, tx: Tx, session: Session) -> Waiting:
        found = await tx.messages.unread(session.conversation_id, session.id, SENDERS, 0)
        senders = tuple(dict.fromkeys(message.sender for message in found))
        return Waiting(session.conversation_id, session.id, session.unread, senders)

    async def _judged(
        self, tx: Tx, here: Ticket, now: int, conversation: Conversation, session: Session, event: str
    ) -> guard.Judgement:
        """Whether this session is woken; a wake-up and a pause are written down, a pause is told to every session."""
        sessions = await tx.sessions.of(conversation.id)
        newest, since = await _newest(tx, session), now - guard.PAUSE
        if newest <= (await tx.sessions.told(conversation.id)).get(session.id, 0):
            # it may have been woken for this message, at any time since it came
            message = await tx.messages.get(conversation.id, newest)
            since = min(since, message.at if message else since)
        what = guard.judged(await _past(tx, conversation.id, since), session.id, newest, len(sessions), now)
        if what == "wake":
            facts: dict[str, Fact] = {"event": event, "through": newest, "unread": session.unread}
            await self._journal.record(tx, here, now, "wakeup.wake", f"session {session.id}", facts)
            await self._notified(tx, here, now, newest)
        elif what == "pause":
            most, minutes = guard.allowed(len(sessions)), guard.PAUSE // (60 * SECOND)
            await self._journal.record(tx, here, now, "wakeup.pause", conversation.id, {"wakeups": most})
            text = (
                f"Automatic wake-ups of this conversation are paused for {minutes} minutes: its agents were woken {most} "
                "times in a row while no person typed. Send only what the other side needs; do not answer thanks with "
                "thanks. A person who types to one of the agents ends the pause."
            )
            await self._notices.post(tx, here, now, conversation, text, [each.id for each in sessions])
        return what

    async def _notified(self, tx: Tx, here: Ticket, now: int, through: int) -> None:
        """The client was told of its mail up to message `through`: its sender sees it as notified."""
        if through > (await tx.sessions.told(here.conversation)).get(here.session, 0):
            await tx.sessions.tell(here.conversation, here.session, through)
            await self._journal.record(tx, here, now, "message.notify", f"message {through}", {"through": through})

    async def _reset(self, tx: Tx, here: Ticket, now: int) -> None:
        """A person typed: the row of wake-ups and the pause are over."""
        past = await _past(tx, here.conversation, now - guard.PAUSE)
        if past and past[-1].kind != "reset":
            await self._journal.record(tx, here, now, "wakeup.reset", here.conversation)


async def _newest(tx: Tx, session: Session) -> int:
    found = await tx.messages.received(session.conversation_id, session.id, None, 1)
    return found[0].id if found else 0


async def _past(tx: Tx, conversation_id: str, since: int) -> Sequence[Past]:
    """What was written about wake-ups since that instant, and a little before it, oldest first."""
    found: list[Past] = []
    before = (await tx.journal.head()).size + 1
    for _ in range(PAGES):
        page = await tx.journal.older(before, LOOKED_BACK, conversation_id)
        found += [
            Past(entry.at, entry.action.removeprefix("wakeup."), entry.session, int(entry.facts.get("through") or 0))
            for entry in page
            if entry.action in ("wakeup.wake", "wakeup.pause", "wakeup.reset") and entry.outcome == "done"
        ]
        if len(page) < LOOKED_BACK or page[-1].at < since:
            break
        before = page[-1].seq
    return found[::-1]
