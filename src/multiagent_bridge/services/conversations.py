"""Conversations: open one, join it, see them, renew and end them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from multiagent_bridge.errors import BridgeError, Invalid, NotFound, Refused
from multiagent_bridge.guard import text
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.sessions import Session, session_name
from multiagent_bridge.ports import Bell, Ids, Keys, Tx
from multiagent_bridge.services.bounces import Bounces
from multiagent_bridge.services.erasures import Erased, Erasures
from multiagent_bridge.services.gate import Gate, Standing, Ticket, origin
from multiagent_bridge.services.invites import Invites
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.topics import inbox

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Created:
    conversation: Conversation
    sessions: Sequence[Session]
    tokens: Sequence[str] = field(repr=False)
    invites: Sequence[str | None] = field(repr=False)

    def fields(self) -> Fields:
        """The result of `create_conversation` (SPEC section 2); the creator's own session needs no invite."""
        seats = zip(self.sessions, self.invites, strict=True)
        return {
            "conversation_id": self.conversation.id,
            "session_id": self.sessions[0].id,
            **{f"session_{s.id}_token": t for s, t in zip(self.sessions, self.tokens, strict=True)},
            "sessions": [{"session_id": s.id, "role": s.role, "invite": invite} for s, invite in seats],
            "expires_at": microseconds_to_iso(self.conversation.expires_at),
        }


@dataclass(frozen=True, slots=True)
class Place:
    """One conversation as one of its sessions sees it."""

    conversation: Conversation
    session: Session
    partners: Sequence[Session]

    def fields(self) -> Fields:
        """One row of `list_conversations`, and with its credentials the result of `join_conversation`."""
        return {
            "conversation_id": self.conversation.id,
            "session_id": self.session.id,
            "role": self.session.role,
            "partners": [{"session_id": p.id, "role": p.role} for p in self.partners],
            "unread": self.session.unread,
            "expires_at": microseconds_to_iso(self.conversation.expires_at),
        }


@dataclass(frozen=True, slots=True)
class Places:
    agent: str
    places: Sequence[Place]

    def fields(self) -> Fields:
        return {"agent": self.agent, "conversations": [place.fields() for place in self.places]}


class Conversations:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        keys: Keys,
        ids: Ids,
        redaction: Redaction,
        limits: Limits,
        bounces: Bounces,
        erasures: Erasures,
        bell: Bell,
    ) -> None:
        self._invites = Invites(keys, ids, limits)
        self._bounces = bounces
        self._erasures = erasures
        self._bell = bell
        self._gate = gate
        self._journal = journal
        self._keys = keys
        self._ids = ids
        self._redaction = redaction
        self._limits = limits

    async def create(
        self,
        caller: Caller,
        my_role: object,
        partner_role: object,
        more_roles: object = None,
        ttl_seconds: object = None,
    ) -> Created:
        """Open a conversation with one session a role; the caller is bound to `a`.

        Raises Invalid for a role that is not 3 to 100 plain characters, TooFast when opening too many.
        """
        nobody = NO_CREDENTIALS
        try:
            roles = self._roles(my_role, partner_role, more_roles)
            seconds = self._lifetime(ttl_seconds)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, nobody, "conversation.create", refusal, seated=False) from refusal

        async def opened(tx: Tx, now: int, ticket: Ticket) -> Created:
            conversation_id = self._ids.conversation()
            ticket.conversation = conversation_id
            conversation = Conversation(
                conversation_id, now, now + seconds * SECOND, self._keys.new_key(conversation_id)
            )
            await tx.conversations.add(conversation)
            sessions = [Session(conversation_id, session_name(i), role) for i, role in enumerate(roles)]
            for session in sessions:
                await tx.sessions.add(session)
            first = replace(sessions[0], status="working", last_heartbeat=now)
            if not caller.operator:
                await tx.sessions.heartbeat(conversation_id, first.id, now)
                await self._gate.bind(tx, caller, conversation_id, first, now)
                ticket.session, ticket.authenticated = first.id, True
            invites: list[str | None] = [None]
            for session in sessions[1:]:
                invites.append(await self._invites.made(tx, session, now, conversation.expires_at))
            facts = {"sessions": len(sessions), "seconds": seconds}
            await self._journal.record(tx, ticket, now, "conversation.create", conversation_id, facts)
            tokens = [self._keys.token(conversation_id, s.id, s.generation) for s in sessions]
            return Created(conversation, [first, *sessions[1:]], tokens, invites)

        key = f"{caller.agent}:create"
        return await self._gate.knock(caller, nobody, "conversation.create", key, self._limits.creations, opened)

    async def join(self, caller: Caller, given: Credentials, invite: object = None) -> Place:
        """Take up a session by invite code (once) or credentials, and bind the connection to it.

        Raises NotAllowed for a code or credentials that open nothing, Refused for an expired conversation or a
        connection that already is somebody else in it.
        """
        if invite is None and not given.conversation_id:
            missing = Invalid("there is nothing to join with", "pass the invite that the other side was shown")
            raise await self._gate.refuse(caller, given, "conversation.join", missing, seated=False) from None
        if invite is None:
            return await self._gate.enter(caller, given, "conversation.join", self._limits.reads, self._seated)
        if not isinstance(invite, str) or given.token:
            invalid = Invalid("pass either an invite or the three credentials", "an invite is text such as abcde-12345")
            raise await self._gate.refuse(caller, given, "conversation.join", invalid, seated=False) from None
        digest = self._invites.digest(invite)

        async def by_code(tx: Tx, now: int, ticket: Ticket) -> Place:
            conversation, session = await self._invites.taken(tx, now, ticket, given, digest)
            await tx.sessions.heartbeat(conversation.id, session.id, now)
            sessions = await tx.sessions.of(conversation.id)
            return await self._seated(Standing(tx, now, conversation, session, sessions, ticket, self._journal))

        return await self._gate.knock(
            caller, given, "conversation.join", f"{origin(caller)}:join", self._limits.invites, by_code
        )

    async def _seated(self, me: Standing) -> Place:
        if not me.ticket.caller.operator:
            await self._gate.bind(me.tx, me.ticket.caller, me.conversation.id, me.session, me.now)
        await me.record("conversation.join", me.session.id)
        return Place(me.conversation, me.session, me.partners)

    async def list(self, caller: Caller, given: Credentials = NO_CREDENTIALS) -> Places:
        """The caller's live conversations, and the one it gave a token for. An operator is shown every one, as `a`."""

        async def listed(tx: Tx, now: int, ticket: Ticket) -> Places:
            seats: dict[tuple[str, str], None] = {}
            if caller.oversees:
                seats = {(c.id, "a"): None for c in await tx.conversations.list()}
            else:
                bound = list(await tx.bindings.of(caller.agent)) if caller.agent else []
                if alias := self._gate.alias(caller):
                    bound += await self._gate.free(tx, await tx.bindings.of(alias))
                seats = {(b.conversation_id, b.session_id): None for b in bound}
                if given.token:
                    me = await self._gate.standing(tx, caller, given, now)
                    seats[me.conversation.id, me.session.id] = None
            places = []
            for conversation_id, session_id in seats:
                found = await tx.conversations.get(conversation_id)
                mine = await tx.sessions.get(conversation_id, session_id)
                if found and mine and (caller.oversees or not found.expired(now)):
                    places.append(Place(found, mine, await partners(tx, mine)))
            return Places(self._redaction.text(caller.name).text, places)

        key = f"{caller.agent}:list"
        return await self._gate.knock(caller, given, "conversation.list", key, self._limits.reads, listed)

    async def show(self, caller: Caller, conversation_id: str) -> tuple[Conversation, Sequence[Session]]:
        """The conversation and its sessions, for its owner. Raises NotFound."""

        async def shown(tx: Tx, now: int, ticket: Ticket) -> tuple[Conversation, Sequence[Session]]:
            conversation = await self._existing(tx, ticket, conversation_id)
            return conversation, await tx.sessions.of(conversation_id)

        return await self._gate.own(caller, "conversation.show", shown)

    async def count(self, caller: Caller) -> int:
        """How many there are, expired ones included, for who may see every one; without an entry. Raises NotAllowed."""

        async def counted(tx: Tx, now: int) -> int:
            return len(await tx.conversations.list())

        return await self._gate.look(caller, "conversation.show", counted)

    async def tokens(self, caller: Caller, conversation_id: str) -> Sequence[tuple[Session, str]]:
        """Every session with its current token, for the owner; the showing itself is an entry. Raises NotFound."""

        async def shown(tx: Tx, now: int, ticket: Ticket) -> Sequence[tuple[Session, str]]:
            await self._existing(tx, ticket, conversation_id)
            await self._journal.record(tx, ticket, now, "token.show", conversation_id)
            sessions = await tx.sessions.of(conversation_id)
            return [(s, self._keys.token(conversation_id, s.id, s.generation)) for s in sessions if not s.revoked]

        return await self._gate.own(caller, "token.show", shown)

    async def invite(self, caller: Caller, conversation_id: str, session_id: str) -> str:
        """A new one-time code for the session. Raises NotFound, and Refused once the conversation has expired."""

        async def invited(tx: Tx, now: int, ticket: Ticket) -> str:
            conversation = await self._existing(tx, ticket, conversation_id)
            session = await self._member(tx, conversation_id, session_id)
            if conversation.expired(now):
                raise Refused("the conversation has expired", f"mab extend {conversation_id}")
            if session.revoked:
                raise Refused(
                    "that session is revoked", f"mab rotate {conversation_id} {session_id} gives it a new token"
                )
            await self._journal.record(tx, ticket, now, "invite.create", session_id)
            return await self._invites.made(tx, session, now, conversation.expires_at)

        return await self._gate.own(caller, "invite.create", invited)

    async def rotate(
        self, caller: Caller, conversation_id: str, session_id: str | None
    ) -> Sequence[tuple[Session, str]]:
        """End the tokens, invites and bindings of one session, or of all, and return the new tokens. Raises NotFound."""

        async def rotated(tx: Tx, now: int, ticket: Ticket) -> Sequence[tuple[Session, str]]:
            fresh = []
            for session in await self._chosen(tx, ticket, conversation_id, session_id):
                generation = await tx.sessions.rotate(conversation_id, session.id)
                await tx.renewals.restart(conversation_id, session.id, generation, now)
                await self._journal.record(tx, ticket, now, "token.rotate", session.id, {"generation": generation})
                fresh.append(
                    (replace(session, generation=generation), self._keys.token(conversation_id, session.id, generation))
                )
            return fresh

        fresh = await self._gate.own(caller, "token.rotate", rotated)
        for session, _ in fresh:
            # who waits or follows sees at once that it may no longer
            self._bell.ring(inbox(conversation_id, session.id))
        return fresh

    async def revoke(self, caller: Caller, conversation_id: str, session_id: str | None) -> Sequence[Session]:
        """End the tokens, invites and bindings of one session, or of all; `rotate` brings a session back.

        Who sent what it has not read hears of it. Raises NotFound.
        """

        async def revoked(tx: Tx, now: int, ticket: Ticket) -> tuple[Sequence[Session], set[str]]:
            sessions = await self._chosen(tx, ticket, conversation_id, session_id)
            conversation = await self._existing(tx, ticket, conversation_id)
            for session in sessions:
                await tx.sessions.revoke(conversation_id, session.id)
                await self._journal.record(tx, ticket, now, "token.revoke", session.id)
            readers: set[str] = set()
            for session in sessions if not conversation.expired(now) else ():
                readers |= set(await self._bounces.of(tx, ticket, now, conversation, session, "was revoked"))
            return sessions, readers

        ended, readers = await self._gate.own(caller, "token.revoke", revoked)
        for reader in sorted(readers | {session.id for session in ended}):
            self._bell.ring(inbox(conversation_id, reader))
        return ended

    async def extend(self, caller: Caller, conversation_id: str, seconds: int | None) -> Conversation:
        """Let it live `seconds` from now (default: a whole lifetime), expired or not.

        Who had sent what nobody read before it expired hears of it. Raises NotFound, Invalid.
        """
        try:
            lifetime = self._lifetime(seconds)
        except BridgeError as refusal:
            given = Credentials(conversation_id)
            raise await self._gate.refuse(caller, given, "conversation.extend", refusal, seated=False) from refusal

        async def extended(tx: Tx, now: int, ticket: Ticket) -> tuple[Conversation, set[str]]:
            conversation = await self._existing(tx, ticket, conversation_id)
            until = now + lifetime * SECOND
            await tx.conversations.extend(conversation_id, until)
            await self._journal.record(tx, ticket, now, "conversation.extend", conversation_id, {"seconds": lifetime})
            renewed, readers = replace(conversation, expires_at=until), set[str]()
            for session in await tx.sessions.of(conversation_id) if conversation.expired(now) else ():
                if session.unread:
                    readers |= set(await self._bounces.of(tx, ticket, now, renewed, session, "had expired"))
            return renewed, readers

        renewed, readers = await self._gate.own(caller, "conversation.extend", extended)
        for reader in sorted(readers):
            self._bell.ring(inbox(conversation_id, reader))
        return renewed

    async def cleanup(self, caller: Caller, older_than: int) -> Sequence[Conversation]:
        """Erase conversations that expired more than `older_than` seconds ago, their keys with them; the journal stays."""

        async def cleaned(tx: Tx, now: int, ticket: Ticket) -> Sequence[Erased]:
            gone = [c for c in await tx.conversations.list() if c.expires_at <= now - older_than * SECOND]
            erased = [await self._erasures.of(tx, ticket, now, conversation) for conversation in gone]
            await self._tidied(tx, now)
            return erased

        erased = await self._gate.own(caller, "conversation.erase", cleaned)
        self._erasures.committed(erased)
        return [one.conversation for one in erased]

    async def tidy(self, caller: Caller) -> None:
        """Remove what only takes room: spent invites, full rate buckets, bindings of connections long gone."""
        await self._gate.own(caller, "conversation.tidy", lambda tx, now, ticket: self._tidied(tx, now))

    async def _tidied(self, tx: Tx, now: int) -> None:
        await tx.invites.sweep(now)
        await tx.buckets.sweep(now)
        await tx.bindings.sweep(now - self._limits.conversation_seconds_max * SECOND, "key:")

    async def _existing(self, tx: Tx, ticket: Ticket, conversation_id: str) -> Conversation:
        conversation = await tx.conversations.get(conversation_id)
        if conversation is None:
            raise NotFound("no such conversation", "mab list shows them")
        ticket.conversation = conversation_id
        return conversation

    async def _member(self, tx: Tx, conversation_id: str, session_id: str) -> Session:
        session = await tx.sessions.get(conversation_id, session_id)
        if session is None:
            raise NotFound("no such session in that conversation", f"mab show {conversation_id}")
        return session

    async def _chosen(self, tx: Tx, ticket: Ticket, conversation_id: str, session_id: str | None) -> Sequence[Session]:
        await self._existing(tx, ticket, conversation_id)
        if session_id is None:
            return await tx.sessions.of(conversation_id)
        return [await self._member(tx, conversation_id, session_id)]

    def _roles(self, my_role: object, partner_role: object, more_roles: object) -> Sequence[str]:
        more = [more_roles] if more_roles and isinstance(more_roles, str) else more_roles or []
        if not isinstance(more, (list, tuple)):
            raise Invalid("more_roles must be a list", 'pass a list of roles, such as ["reviewer"]')
        if len(more) + 2 > self._limits.sessions:
            raise Invalid(f"{len(more) + 2} sessions are too many", f"at most {self._limits.sessions}")
        named: Sequence[tuple[str, object]] = [
            ("my_role", my_role),
            ("partner_role", partner_role),
            *(("more_roles", role) for role in more),
        ]
        return [
            self._redaction.text(text.line(name, role, self._limits.role_min, self._limits.role_max)).text
            for name, role in named
        ]

    def _lifetime(self, seconds: object) -> int:
        if seconds is None:
            return self._limits.conversation_seconds
        return text.whole("ttl_seconds", seconds, 1, self._limits.conversation_seconds_max)


async def partners(tx: Tx, session: Session) -> Sequence[Session]:
    """Every other session of the conversation."""
    return [other for other in await tx.sessions.of(session.conversation_id) if other.id != session.id]
