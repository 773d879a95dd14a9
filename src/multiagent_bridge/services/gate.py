"""The door: every request is authenticated, limited and allowed here, and every refusal leaves an entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from multiagent_bridge.errors import BridgeError, Fact, NotFound, Refused, TooFast, Unavailable
from multiagent_bridge.guard import access, rate
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Binding, Conversation
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Clock, Keys, Meter, Store, Tx
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.presence import Presence
from multiagent_bridge.services.scope import within

PAGES = 20
"""A browser may read so many times as often as an agent."""

T = TypeVar("T")
Seat = tuple[Conversation, Session, Sequence[Session]]
"""A conversation, the session that asks, and every session of it."""


@dataclass(slots=True)
class Ticket:
    """What is known of one request while it is judged: enough to name it in the journal if it is refused."""

    caller: Caller
    action: str
    started: int
    conversation: str = ""
    session: str = ""
    authenticated: bool = False
    refusable: tuple[str, Sequence[Window]] | None = None
    """The bucket that a refusal of this request is charged to; a refused write costs a read, since it wrote nothing."""
    renewed: str = field(default="", repr=False)
    """The token that follows the one which the request brought."""

    @property
    def actor(self) -> str:
        if self.authenticated and not self.caller.operator:
            return f"session {self.conversation}/{self.session}"
        return self.caller.label


@dataclass(frozen=True, slots=True)
class Standing:
    """An admitted request: a transaction, the instant it counts as, and who asks for which session."""

    tx: Tx
    now: int
    conversation: Conversation
    session: Session
    sessions: Sequence[Session]
    ticket: Ticket
    journal: Journal

    @property
    def partners(self) -> Sequence[Session]:
        """Every other session of the conversation."""
        return [other for other in self.sessions if other.id != self.session.id]

    async def record(
        self, action: str, target: str = "", facts: Mapping[str, Fact] | None = None, digest: str = ""
    ) -> None:
        """Write the entry of what this request does, in its own transaction."""
        await self.journal.record(self.tx, self.ticket, self.now, action, target, facts or {}, digest)


def origin(caller: Caller) -> str:
    """Whose budget is spent before anybody is authenticated: the connection's own, so that nobody empties another's."""
    return caller.agent or caller.peer


def _over(windows: Sequence[Window], wait: int) -> TooFast:
    seconds = max(1, -(-wait // SECOND))
    return TooFast(f"over the limit of {rate.fullest(windows, wait)}", f"try again in {seconds} s", retry_after=seconds)


class Gate:
    """`enter` for what a session does, `knock` for what a connection does without one, `own` for the owner's acts."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keys: Keys,
        meter: Meter,
        journal: Journal,
        presence: Presence,
        limits: Limits,
        machine: str = "",
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._meter = meter
        self._journal = journal
        self._presence = presence
        self._limits = limits
        self._machine = machine

    async def enter(
        self,
        caller: Caller,
        given: Credentials,
        action: str,
        windows: Sequence[Window],
        verb: Callable[[Standing], Awaitable[T]],
        looking_back: bool = False,
    ) -> T:
        """Run `verb` as the session that `given` or the caller's bindings name.

        `looking_back` is open to the owner also once the conversation has expired (SPEC section 3).
        Raises NotAllowed (wrong credentials), Refused (expired), TooFast (a limit, or too many failures), Invalid, and what
        `verb` raises.
        """

        async def admitted(tx: Tx, ticket: Ticket) -> T:
            now = self._clock.now()
            conversation, session, sessions = await self._authenticated(tx, given, ticket, now, looking_back)
            if not caller.operator:
                kind = "write" if windows is self._limits.writes else "read"
                await self.limit(tx, f"{conversation.id}/{session.id}:{kind}", windows, now)
                ticket.refusable = (f"{conversation.id}/{session.id}:read", self._limits.reads)
                await tx.sessions.heartbeat(conversation.id, session.id, now)
                session = await self._aged(tx, given, ticket, now, conversation, session)
            return await verb(Standing(tx, now, conversation, session, sessions, ticket, self._journal))

        return await self._through(caller, given, action, admitted, brief=True)

    async def knock(
        self,
        caller: Caller,
        given: Credentials,
        action: str,
        key: str,
        windows: Sequence[Window],
        verb: Callable[[Tx, int, Ticket], Awaitable[T]],
    ) -> T:
        """Run `verb` for a connection that needs no session for it, charged to the bucket `key`."""

        async def admitted(tx: Tx, ticket: Ticket) -> T:
            now = self._clock.now()
            if not caller.operator:
                await self.limit(tx, key, windows, now)
                ticket.refusable = (key, windows)
            return await verb(tx, now, ticket)

        return await self._through(caller, given, action, admitted)

    async def own(self, caller: Caller, action: str, verb: Callable[[Tx, int, Ticket], Awaitable[T]]) -> T:
        """Run `verb` for the owner of the state directory, or for an identity whose role allows `action`.

        Raises NotAllowed for anyone else, TooFast for an identity over the limit of what reads.
        """

        async def admitted(tx: Tx, ticket: Ticket) -> T:
            now = self._clock.now()
            if not caller.operator:
                windows = self._reads(caller)
                await self.limit(tx, f"{origin(caller)}:own", windows, now)
                ticket.refusable = (f"{origin(caller)}:own", windows)
            return await verb(tx, now, ticket)

        return await self._through(caller, Credentials(), action, admitted)

    async def charge(self, tx: Tx, caller: Caller, now: int) -> None:
        """Charge one act of an identity without a session, as `own` does. Raises TooFast."""
        await self.limit(tx, f"{origin(caller)}:own", self._reads(caller), now)

    def _reads(self, caller: Caller) -> Sequence[Window]:
        """What reads, of one identity. Every open page of a browser looks again by itself."""
        times = PAGES if caller.identity.startswith("browser_") else 1
        return [Window(window.limit * times, window.seconds) for window in self._limits.reads]

    async def look(self, caller: Caller, action: str, verb: Callable[[Tx, int], Awaitable[T]]) -> T:
        """Run `verb` over a transaction that only reads, without a charge: for pages that look again whenever something moved,
        and whose face bounds how often. Raises NotAllowed for anyone whose role does not allow `action`.
        """
        try:
            access.permit(caller, action)
        except BridgeError as forbidden:
            ticket = Ticket(caller, action, self._clock.monotonic(), refusable=self._denied(caller))
            raise await self._refused(ticket, Credentials(), forbidden) from forbidden
        return await self._store.read(lambda tx: verb(within(tx, caller), self._clock.now()))

    async def refuse(
        self, caller: Caller, given: Credentials, action: str, refusal: BridgeError, seated: bool = True
    ) -> BridgeError:
        """Write the entry of a request refused before any transaction (its words were invalid). Returns what to raise.

        `seated`: the request needs a session, so that whoever has none is told that and nothing about its words.
        """
        ticket = Ticket(caller, action, self._clock.monotonic())
        try:
            access.permit(caller, action)
        except BridgeError as forbidden:
            ticket.refusable = self._denied(caller)
            return await self._refused(ticket, given, forbidden)
        if seated and not caller.operator:
            try:
                await self._store.read(
                    lambda tx: self._authenticated(within(tx, caller), given, ticket, self._clock.now())
                )
                ticket.refusable = (f"{ticket.conversation}/{ticket.session}:read", self._limits.reads)
            except BridgeError as failed:
                refusal = failed
        return await self._refused(ticket, given, refusal)

    async def limit(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> None:
        """Charge one act. Raises TooFast naming the limit and when to try again."""
        wait = await self._meter.charge(tx, key, windows, now)
        if wait:
            raise _over(windows, wait)

    async def standing(
        self, tx: Tx, caller: Caller, given: Credentials, now: int, action: str = "", looking_back: bool = False
    ) -> Standing:
        """Authenticate inside somebody else's transaction, without charge or heartbeat."""
        access.permit(caller, action or "session.look")
        tx = within(tx, caller)
        ticket = Ticket(caller, action, self._clock.monotonic())
        conversation, session, sessions = await self._authenticated(tx, given, ticket, now, looking_back)
        return Standing(tx, now, conversation, session, sessions, ticket, self._journal)

    async def _through(
        self,
        caller: Caller,
        given: Credentials,
        action: str,
        admitted: Callable[[Tx, Ticket], Awaitable[T]],
        brief: bool = False,
    ) -> T:
        ticket = Ticket(caller, action, self._clock.monotonic())
        try:
            # first of all, and without a transaction: whoever may not do it costs nothing
            access.permit(caller, action)
        except BridgeError as forbidden:
            ticket.refusable = self._denied(caller)
            raise await self._refused(ticket, given, forbidden) from forbidden
        try:
            done = await self._store.write(lambda tx: admitted(within(tx, caller), ticket), brief=brief)
            if given.renewed is not None:
                # after the commit, and never with a refusal
                given.renewed.token = ticket.renewed or given.renewed.token
            return done
        except Unavailable:
            raise
        except BridgeError as refusal:
            refused = await self._refused(ticket, given, refusal)
            if refused is refusal:
                raise
            raise refused from refusal

    def _denied(self, caller: Caller) -> tuple[str, Sequence[Window]]:
        """What a refusal for want of a role is charged to, so that nobody fills the journal with them."""
        return f"{origin(caller)}:denied", self._limits.reads

    async def _refused(self, ticket: Ticket, given: Credentials, refusal: BridgeError) -> BridgeError:
        """Write the refusal down and count it if it was a failed authentication. Returns the error to raise."""

        async def written(tx: Tx) -> BridgeError:
            now = self._clock.now()
            outcome = refusal
            if ticket.refusable is not None:
                # what was charged went with the transaction that was refused
                key, windows = ticket.refusable
                if wait := await self._meter.charge(tx, key, windows, now):
                    outcome = _over(windows, wait)
            if refusal.facts.get("authentication") == "failed":
                # whoever has a token that was left behind guesses nothing, and no guesser of the same peer is to hide that
                mine = f"{given.conversation_id}/{given.session_id}:reused"
                whose = mine if "reused" in refusal.facts else f"{ticket.caller.peer}:failed"
                wait = await self._meter.charge(tx, whose, self._limits.failures, now)
                if wait:
                    seconds = max(1, -(-wait // SECOND))
                    outcome = TooFast(
                        "too many failed authentications", f"try again in {seconds} s", retry_after=seconds
                    )
            # a sentence may repeat a word of the request
            outcome.sentence = self._journal.safe(outcome.sentence)
            if ticket.authenticated and not ticket.caller.operator:
                await tx.sessions.heartbeat(ticket.conversation, ticket.session, now)
            await self._journal.refusal(tx, ticket, now, access.conversation_shown(given), outcome)
            if outcome is refusal:
                await self._warned(tx, ticket, now, given, refusal)
            return outcome

        return await self._store.write(written, brief=True)

    async def _authenticated(
        self, tx: Tx, given: Credentials, ticket: Ticket, now: int, looking_back: bool = False
    ) -> Seat:
        caller = ticket.caller
        if caller.operator:
            conversation, session, sessions = await self._owned(tx, given, ticket)
        elif given.token:
            conversation, session, sessions = await self._by_token(tx, caller, given)
        else:
            conversation, session, sessions = await self._by_binding(tx, caller, given, now)
        ticket.conversation, ticket.session, ticket.authenticated = conversation.id, session.id, True
        if conversation.expired(now) and not (caller.operator and looking_back):
            raise Refused("the conversation has expired", f"its owner can renew it: mab extend {conversation.id}")
        return conversation, session, sessions

    async def _by_token(self, tx: Tx, caller: Caller, given: Credentials) -> Seat:
        found = None
        if access.wellformed(given):
            found = await tx.sessions.get(given.conversation_id or "", given.session_id or "")
        wanted = self._keys.token(
            found.conversation_id if found else "conv_", found.id if found else "a", found.generation if found else 0
        )
        if not access.same(given.token or "", wanted) or found is None or found.revoked:
            raise access.refusal()
        if access.contradicts(await tx.bindings.of(caller.agent), given):
            raise Refused(
                "this connection is bound to another session of that conversation",
                "leave the credentials out, or use another connection",
            )
        conversation = await tx.conversations.get(found.conversation_id)
        if conversation is None:
            raise access.refusal()
        return conversation, found, await tx.sessions.of(conversation.id)

    async def _by_binding(self, tx: Tx, caller: Caller, given: Credentials, now: int) -> Seat:
        mine = access.agreeing(await tx.bindings.of(caller.agent), given)
        inherited = not mine and bool(caller.alias)
        if inherited:
            named = access.agreeing(await tx.bindings.of(self.alias(caller)), given)
            mine = list(await self.free(tx, named))
            if named and not mine:
                raise access.taken()
        live = []
        for binding in mine:
            conversation = await tx.conversations.get(binding.conversation_id)
            if conversation is not None:
                live.append((binding, conversation))
        current = [pair for pair in live if not pair[1].expired(now)] or live
        chosen = access.only([binding for binding, _ in current], given)
        conversation = next(c for b, c in current if b is chosen)
        sessions = await tx.sessions.of(chosen.conversation_id)
        session = next((s for s in sessions if s.id == chosen.session_id), None)
        if session is None:
            raise NotFound("the session is gone", "create or join a conversation again")
        if inherited:
            await self.bind(tx, caller, conversation.id, session, now)
        return conversation, session, sessions

    async def free(self, tx: Tx, bindings: Sequence[Binding]) -> Sequence[Binding]:
        """Those as whose session no live connection acts: only then may a namesake take one up again."""
        found = []
        for binding in bindings:
            holders = await tx.bindings.holders(binding.conversation_id, binding.session_id)
            if not any(self._presence.live(holder) for holder in holders):
                found.append(binding)
        return found

    async def bind(self, tx: Tx, caller: Caller, conversation_id: str, session: Session, now: int) -> None:
        """Bind the connection, and its name if it has one, to the session."""
        binding = Binding(caller.agent, conversation_id, session.id, session.generation, now)
        if caller.agent:
            await tx.bindings.bind(binding)
        if caller.alias:
            await tx.bindings.bind(replace(binding, agent=self.alias(caller)))

    def alias(self, caller: Caller) -> str:
        """The caller's name as bindings are kept under it: a keyed digest, since a name may be anything a person typed.

        An identity's is its own at every hub; a user's is one of this machine, since nobody here knows who lives at another hub.
        """
        where = f"{self._machine} " if self._machine and caller.alias.startswith("as:") else ""
        return f"as:{self._keys.digest(f'agent name {where}{caller.alias}')}" if caller.alias else ""

    async def _aged(
        self, tx: Tx, given: Credentials, ticket: Ticket, now: int, conversation: Conversation, session: Session
    ) -> Session:
        """The admitted session, its token renewed if it is to be: `services.renewals`."""
        return session

    async def _warned(self, tx: Tx, ticket: Ticket, now: int, given: Credentials, refusal: BridgeError) -> None:
        """Write down what a refusal gives away beside itself: `services.renewals`."""

    async def _owned(self, tx: Tx, given: Credentials, ticket: Ticket) -> Seat:
        conversation = await tx.conversations.get(given.conversation_id or "")
        if conversation is None:
            raise NotFound("no such conversation", "mab list shows them")
        ticket.conversation = conversation.id
        sessions = await tx.sessions.of(conversation.id)
        session = next((s for s in sessions if s.id == (given.session_id or "a")), None)
        if session is None:
            raise NotFound("no such session in that conversation", f"mab show {conversation.id}")
        ticket.session = session.id
        return conversation, session, sessions
