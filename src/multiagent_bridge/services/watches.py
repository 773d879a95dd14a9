"""Watches: following along what happens to a session, a conversation or all of them, without a body and without reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import BridgeError, Refused
from multiagent_bridge.guard.resources import Resource
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.events import Event, concerns, event_of
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import SECOND, Window
from multiagent_bridge.ports import Clock, Store, Tx
from multiagent_bridge.services.gate import Gate, Standing

PAGE = 200
"""Entries looked at in one transaction."""

COUNTED = 100
"""Unread messages whose senders are counted, the oldest."""

LOOK = "session.look"
"""The gate's word for what a session's client sees of it without reading."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What happened since the last look. `cursor` is where the next one begins; `unread` counts the session's mail."""

    events: Sequence[Event]
    cursor: int
    unread: int


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits for one session, by ids and counts alone: no word that an agent wrote.

    `senders` counts the oldest `COUNTED` by who sent them.
    """

    conversation_id: str
    session_id: str
    unread: int
    senders: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a follower of a resource is: the newest message it was told of, the last entry it looked at."""

    message: int
    entry: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One look of a follower: whether there is news, where the next look begins, seconds until the conversation is over."""

    news: bool
    mark: Mark
    left: float


class Watches:
    def __init__(self, gate: Gate, store: Store, clock: Clock) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock

    async def follow(self, caller: Caller, given: Credentials, after: int) -> Followed:
        """The events above the entry `after`: of one session, of a conversation, or, of neither, of all.

        Reads nothing, marks nothing and is no heartbeat; listen to the bell first. Whoever is not the owner follows the session
        of its token. Raises Refused (the session was revoked, the conversation has expired), NotAllowed, NotFound.
        """
        found: list[Event] = []
        while True:
            page, more = await self._store.read(lambda tx, after=after: self._page(tx, caller, given, after))  # type: ignore[misc]
            found += page.events
            after = page.cursor
            if not more:
                return Followed(found, after, page.unread)

    async def told(self, caller: Caller, given: Credentials, through: int) -> None:
        """The session's client was told of its mail up to message id `through`: the sender sees it as notified."""

        async def written(tx: Tx) -> None:
            me = await self._gate.standing(tx, caller, given, self._clock.now(), "message.notify")
            before = (await tx.sessions.told(me.conversation.id)).get(me.session.id, 0)
            if through > before:
                await tx.sessions.tell(me.conversation.id, me.session.id, through)
                await me.record("message.notify", f"message {through}", {"through": through})

        await self._store.write(written)

    async def inbox(self, caller: Caller, given: Credentials, windows: Sequence[Window]) -> Inbox:
        """What waits for the session, charged to `windows`. Marks nothing, notifies nobody of anything.

        Raises NotAllowed, Refused (the conversation has expired), TooFast, Unavailable.
        """

        async def looked(me: Standing) -> Inbox:
            mine, session = me.conversation.id, me.session
            waiting = await me.tx.messages.unread(mine, session.id, COUNTED, 0) if session.unread else ()
            return Inbox(mine, session.id, session.unread, Counter(message.sender for message in waiting))

        return await self._gate.enter(caller, given, LOOK, windows, looked)

    async def begin(self, caller: Caller, resource: Resource, windows: Sequence[Window]) -> Mark:
        """Let the session's client follow `resource`, which is an entry: where its first look begins. Raises as `inbox`.

        Mail counts as news from what the client was last told of, so that none falls between two subscriptions.
        """

        async def begun(me: Standing) -> Mark:
            await me.record("session.follow", resource.kind)
            told = (await me.tx.sessions.told(me.conversation.id)).get(me.session.id, 0)
            return Mark(told, (await me.tx.journal.head()).size)

        return await self._gate.enter(caller, resource.seat, LOOK, windows, begun)

    async def moved(self, caller: Caller, resource: Resource, mark: Mark) -> Moved:
        """One look without charge or heartbeat; listen to the bell first. Raises when the session may no longer look."""

        async def looked(tx: Tx) -> Moved:
            me = await self._gate.standing(tx, caller, resource.seat, self._clock.now())
            left = (me.conversation.expires_at - me.now) / SECOND
            if resource.kind == "inbox":
                found = (
                    await tx.messages.received(me.conversation.id, me.session.id, None, 1) if me.session.unread else ()
                )
                # mail that was handed over meanwhile is no news, unless it comes back
                news = bool(found) and found[0].id > mark.message
                return Moved(news, Mark(found[0].id, mark.entry) if news else mark, left)
            news, last = False, mark.entry
            while page := await tx.journal.entries(last, PAGE, me.conversation.id):
                news = news or any(_concerns(entry, resource) for entry in page)
                last = page[-1].seq
            return Moved(news, Mark(mark.message, last), left)

        return await self._store.read(looked)

    async def ended(self, caller: Caller, resource: Resource, why: BridgeError) -> None:
        """Write down that the session may no longer follow `resource`. Raises Unavailable."""
        await self._gate.refuse(caller, resource.seat, LOOK, why, seated=False)

    async def _page(self, tx: Tx, caller: Caller, given: Credentials, after: int) -> tuple[Followed, bool]:
        me = await self._seat(tx, caller, given)
        of = given.conversation_id if caller.operator else me and me.conversation.id
        entries = await tx.journal.entries(after, PAGE, of or None)
        roles: dict[str, dict[str, str]] = {}
        events = []
        for entry in entries:
            if entry.conversation and entry.conversation not in roles:
                roles[entry.conversation] = {s.id: s.role for s in await tx.sessions.of(entry.conversation)}
            event = event_of(entry, roles.get(entry.conversation, {}))
            if event is not None and (me is None or concerns(entry, event, me.session.id)):
                events.append(event)
        cursor = entries[-1].seq if entries else after
        return Followed(events, cursor, me.session.unread if me else 0), len(entries) == PAGE

    async def _seat(self, tx: Tx, caller: Caller, given: Credentials) -> Standing | None:
        if caller.operator and not given.session_id:
            if given.conversation_id:
                # raises when there is no such conversation or its time is over
                await self._gate.standing(tx, caller, given, self._clock.now())
            return None
        me = await self._gate.standing(tx, caller, given, self._clock.now())
        if me.session.revoked:
            again = f"mab rotate {me.conversation.id} {me.session.id} gives it a new token"
            raise Refused("the session was revoked", again)
        return me


def _concerns(entry: Entry, resource: Resource) -> bool:
    """Whether the entry is news to a follower of the tasks, or of what partners say of themselves."""
    if resource.kind == "status":
        return (entry.action, entry.outcome) == ("status.update", "done") and entry.session != resource.session_id
    event = event_of(entry, {})
    return event is not None and event.event == "task" and concerns(entry, event, resource.session_id)
