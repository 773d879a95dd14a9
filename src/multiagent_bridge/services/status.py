"""Status: what each session says it is doing, and whether it is alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Invalid
from multiagent_bridge.guard import text
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.journal import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.messages import Delivery
from multiagent_bridge.model.sessions import STATUSES, Session
from multiagent_bridge.ports import Bell, Keys
from multiagent_bridge.services.gate import Gate, Standing
from multiagent_bridge.services.redaction import Redaction

Fields = dict[str, object]

NEWEST = 20
"""Messages of a conversation whose delivery a sender is told of."""


@dataclass(frozen=True, slots=True)
class Reported:
    status: str
    unread: int

    def fields(self) -> Fields:
        """The result of `update_my_status` (SPEC section 2)."""
        return {"status": self.status, "unread": self.unread}


@dataclass(frozen=True, slots=True)
class Seen:
    """One session as its partners see it. `age` is microseconds since its heartbeat, None when it never had one."""

    session: Session
    note: str
    age: int | None
    alive: bool
    sent: Sequence[Delivery] = ()
    """Where the caller's own newest messages stand that it has not acknowledged."""

    def fields(self) -> Fields:
        heartbeat = self.session.last_heartbeat
        return {
            "session_id": self.session.id,
            "role": self.session.role,
            "status": self.session.status,
            "note": self.note,
            "last_heartbeat": None if heartbeat is None else microseconds_to_iso(heartbeat),
            "age_seconds": None if self.age is None else round(self.age / SECOND, 1),
            "alive": self.alive,
            "unread": self.session.unread,
            "sent": [{"message_id": d.message_id, "state": d.state} for d in self.sent],
        }


@dataclass(frozen=True, slots=True)
class Partners:
    seen: Sequence[Seen]

    def fields(self) -> Fields:
        """The result of `check_partner_status`: with one partner its fields also stand at the top (SPEC section 2)."""
        rows = [partner.fields() for partner in self.seen]
        return {"partners": rows, **(rows[0] if len(rows) == 1 else {})}


def board(conversation_id: str) -> str:
    """The bell's topic for the statuses of one conversation."""
    return f"status:{conversation_id}"


class Status:
    def __init__(self, gate: Gate, bell: Bell, keys: Keys, redaction: Redaction, limits: Limits) -> None:
        self._gate = gate
        self._bell = bell
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def update(self, caller: Caller, given: Credentials, status: object, note: object = None) -> Reported:
        """Say what the session is doing; the note is redacted, encrypted, and replaces the one before.

        Raises Invalid, NotAllowed, Refused, TooFast (a status is charged as a read: it must not eat the budget for mail).
        """
        try:
            word = text.choice("status", status, STATUSES)
            words = None if note in (None, "") else text.body("the note", note, self._limits.note_characters)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "status.update", refusal) from refusal

        async def reported(me: Standing) -> tuple[str, Reported]:
            mine, session = me.conversation.id, me.session.id
            said = self._redaction.said(mine, words) if words else None
            sealed = self._keys.seal(me.conversation, f"sessions/note/{session}", said.text) if said else b""
            await me.tx.sessions.report(mine, session, word, sealed)
            digest = self._keys.digest(said.text) if said else ""
            facts = {"status": word, "redactions": ",".join(said.kinds) if said else ""}
            await me.record("status.update", f"session {session}", facts, digest)
            return mine, Reported(word, me.session.unread)

        mine, done = await self._gate.enter(caller, given, "status.update", self._limits.reads, reported)
        self._bell.ring(board(mine))
        return done

    async def heartbeat(self, caller: Caller, given: Credentials) -> int:
        """Say only that the session is alive. Returns its unread count. An operator's heartbeat counts for the session."""

        async def beaten(me: Standing) -> int:
            await me.tx.sessions.heartbeat(me.conversation.id, me.session.id, me.now)
            await me.record("status.heartbeat", f"session {me.session.id}")
            return me.session.unread

        return await self._gate.enter(caller, given, "status.heartbeat", self._limits.reads, beaten)

    async def partners(self, caller: Caller, given: Credentials, partner: object = None) -> Partners:
        """Every partner, or the one that `partner` (session id or role) names. Raises Invalid when nobody has that name."""

        async def looked(me: Standing) -> Partners:
            others = me.partners
            if partner is not None:
                name = text.line("partner", partner, 1, self._limits.role_max)
                others = [s for s in others if s.id == name or s.role.casefold() == name.casefold()]
                if not others:
                    raise Invalid("there is no such partner", "leave partner out to see all")
            sent = await self._sent(me)
            return Partners([self._seen(me, other, sent) for other in others])

        return await self._gate.enter(caller, given, "status.check", self._limits.reads, looked)

    async def _sent(self, me: Standing) -> Sequence[Delivery]:
        """Of the conversation's newest messages the session's own, where they stand."""
        mine = me.conversation
        newest = await me.tx.messages.list(mine.id, mine.last_message - NEWEST, NEWEST)
        told = await me.tx.sessions.told(mine.id)
        return [
            replace(stands, notified=stands.message_id <= told.get(stands.recipient, 0))
            for message in newest
            if message.sender == me.session.id
            for stands in await me.tx.messages.deliveries(mine.id, message.id)
        ]

    def _seen(self, me: Standing, other: Session, sent: Sequence[Delivery]) -> Seen:
        note = ""
        if other.sealed_note:
            note = self._keys.open(me.conversation, f"sessions/note/{other.id}", other.sealed_note)
        age = None if other.last_heartbeat is None else max(0, me.now - other.last_heartbeat)
        waiting = [d for d in sent if d.recipient == other.id and d.state != "acknowledged"]
        return Seen(other, note, age, other.alive(me.now, self._limits.alive_seconds * SECOND), waiting)
