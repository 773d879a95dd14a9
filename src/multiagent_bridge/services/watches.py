"""Watches: following along what happens to a session, a conversation or all of them, without a body and without reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import Refused
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.events import Event, concerns, event_of
from multiagent_bridge.ports import Clock, Store, Tx
from multiagent_bridge.services.gate import Gate, Standing

PAGE = 200
"""Entries looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What happened since the last look. `cursor` is where the next one begins; `unread` counts the session's mail."""

    events: Sequence[Event]
    cursor: int
    unread: int


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
