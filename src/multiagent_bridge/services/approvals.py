"""Approvals: what waits for a person, and the person's word on exactly that."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from multiagent_bridge.errors import (
    BridgeError,
    Conflict,
    Fact,
    Invalid,
    NotAllowed,
    NotApproved,
    NotFound,
    Unavailable,
)
from multiagent_bridge.guard import access, approvals, text
from multiagent_bridge.model.browsers import BROWSER
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.commands import Command
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.model.yolo import Grant
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Tx
from multiagent_bridge.services.commands import approval_of, approval_token
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.requests import Board as Board
from multiagent_bridge.services.requests import Request as Request
from multiagent_bridge.services.requests import Seen as Seen
from multiagent_bridge.services.requests import stands
from multiagent_bridge.services.runs import opened
from multiagent_bridge.services.topics import APPROVALS, command_topic, inbox

Fields = dict[str, object]
Proof = Callable[[Tx, int, Sequence[Request]], Awaitable[NotApproved | None]]
"""Looks in the transaction of a yes whether a person said it: what is wrong, or None."""

PAGE = 200
BATCH = 20
"""Commands approved with one code: more cannot be read with care."""

SHOWN = 50
"""Waiting requests on one board, and as many that wait no longer."""

TRIES = (Window(10, 60), Window(60, 3_600))
"""Codes typed by one identity from elsewhere, right ones included."""

COMMAND_TRIES = (Window(20, 3_600),)
"""Codes typed for one command by all of them together."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Requests shown together and the one code that approves exactly them, and with them exactly what `beyond` says."""

    requests: Sequence[Request]
    code: str = field(repr=False)
    beyond: str = ""

    @property
    def lines(self) -> Sequence[str]:
        return [line for request in self.requests for line in request.lines]


@dataclass(frozen=True, slots=True)
class Scope:
    """A yes in advance: the first `words` words with any arguments, for `minutes`, at most `runs` times."""

    words: int = 1
    minutes: int = 30
    runs: int = 20


@dataclass(frozen=True, slots=True)
class Approved:
    command_id: str
    approval_token: str
    expires_at: int
    grant_id: str = ""

    def fields(self) -> Fields:
        return {
            "command_id": self.command_id,
            "state": "approved",
            "approval_token": self.approval_token,
            "expires_at": microseconds_to_iso(self.expires_at),
            "grant_id": self.grant_id or None,
        }


class Approvals:
    """Every verb is the operator's alone: an agent has no way in, whatever it holds."""

    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        notices: Notices,
        lapses: Lapses,
        bell: Bell,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._notices = notices
        self._lapses = lapses
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def waiting(
        self, caller: Caller, conversation_id: str | None = None, every: bool = False
    ) -> Sequence[Request]:
        """What waits for a person, oldest first; with `every` the newest of any state. Raises NotFound."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> Sequence[Request]:
            if conversation_id is not None and await tx.conversations.get(conversation_id) is None:
                raise NotFound("no such conversation", "mab list shows them")
            found = await (tx.commands.list if every else tx.commands.open)(conversation_id, PAGE)
            settled = [await self._lapses.settled(tx, self._of(ticket, one), one, now) for one in found]
            return [await self._request(tx, one, now) for one in settled if every or one.state == "pending"]

        return await self._gate.own(caller, "command.list", looked)

    async def board(self, caller: Caller, conversation_id: str | None = None) -> Board:
        """What waits and what waited, for a page that looks again by itself: a read, without any code. Raises NotFound."""

        async def looked(tx: Tx, now: int) -> Board:
            if conversation_id is not None and await tx.conversations.get(conversation_id) is None:
                raise NotFound("no such conversation", "mab list shows them")
            open_ = [self._as_of(one, now) for one in await tx.commands.open(conversation_id, PAGE)]
            waiting = [one for one in open_ if one.state == "pending"]
            newest = [self._as_of(one, now) for one in await tx.commands.list(conversation_id, PAGE)]
            others = [one for one in newest if one.state != "pending"][:SHOWN]
            return Board(
                [await self._request(tx, one, now) for one in waiting[:SHOWN]],
                max(0, len(waiting) - SHOWN),
                [await self._seen(tx, one, now) for one in others],
            )

        return await self._gate.look(caller, "command.list", looked)

    async def look(self, caller: Caller, ids: Sequence[str]) -> Sequence[Seen]:
        """Those commands in whatever state they are, each once, without any code. Raises NotFound, Invalid."""

        async def looked(tx: Tx, now: int) -> Sequence[Seen]:
            _counted(ids)
            found = []
            for number in dict.fromkeys(ids):
                command = await tx.commands.get(number)
                if command is None:
                    raise NotFound("no such command", "mab yolo list shows them")
                found.append(await self._seen(tx, self._as_of(command, now), now))
            return found

        return await self._gate.look(caller, "command.list", looked)

    async def propose(self, caller: Caller, ids: Sequence[str], scope: Scope | None = None) -> Proposal:
        """What a yes to `ids` would mean, and its code; the code of a scope approves that scope and nothing else.

        Raises NotFound, Conflict when one of them waits no longer, Invalid, NotAllowed for a browser: what its page can fetch,
        every program that holds its cookie can.
        """
        if caller.identity.startswith(f"{BROWSER}_"):
            refusal = NotAllowed("a browser is told no code", "mab yolo code ID, at a terminal", missing="role")
            raise await self._gate.refuse(caller, Credentials(), "command.propose", refusal, seated=False)

        async def looked(tx: Tx, now: int, ticket: Ticket) -> Proposal:
            requests = await self._pending(tx, ticket, now, ids)
            return Proposal(requests, self._code(requests, scope), self._beyond(requests, scope))

        return await self._gate.own(caller, "command.propose", looked)

    async def proposed_scope(self, caller: Caller, command_id: str, scope: Scope) -> str:
        """The sentence a person agrees to with a scope. Raises Invalid, NotFound, Conflict."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> str:
            return self._beyond(await self._pending(tx, ticket, now, [command_id]), scope)

        return await self._gate.own(caller, "command.propose", looked)

    async def approve(
        self, caller: Caller, ids: Sequence[str], code: str, scope: Scope | None = None
    ) -> Sequence[Approved]:
        """Say yes to exactly what `propose` showed for `ids` and `scope`.

        Raises NotApproved (another code, or commands were disabled), NotFound, Conflict, Invalid, Unavailable (no boot
        identity), TooFast after too many codes from elsewhere.
        """

        async def typed(tx: Tx, now: int, requests: Sequence[Request]) -> NotApproved | None:
            if access.same(approvals.typed(code), self._code(requests, scope)):
                return None
            again = "look again: mab yolo approve ID..., or mab yolo code ID... for the dashboard"
            return NotApproved("that is not the code of exactly this", again)

        return await self.proven(caller, ids, scope, typed)

    async def proven(self, caller: Caller, ids: Sequence[str], scope: Scope | None, proof: Proof) -> Sequence[Approved]:
        """Say yes to `ids` and `scope` when `proof` finds nothing wrong, all in one transaction. Raises as `approve`."""

        async def said(tx: Tx, now: int, ticket: Ticket) -> tuple[Sequence[Request], Sequence[Approved]] | NotApproved:
            requests = await self._pending(tx, ticket, now, ids)
            self._beyond(requests, scope)
            if not caller.operator:
                # before anything is compared, so that nobody learns more from a fast try than from a slow one
                await self._gate.limit(tx, f"codes:{caller.identity}", TRIES, now)
                for request in requests:
                    await self._gate.limit(tx, f"codes:{request.command.id}", COMMAND_TRIES, now)
            if wrong := await proof(tx, now, requests):
                # written here: a refusal that is raised would take back what the try was charged
                await self._journal.refusal(tx, ticket, now, ticket.conversation, wrong)
                return wrong
            if not self._clock.boot():
                raise Unavailable("this system does not tell one boot from another", "approvals need Linux")
            done = [await self._approved(tx, self._of(ticket, r.command), now, r, scope) for r in requests]
            return requests, done

        outcome = await self._gate.own(caller, "command.approve", said)
        if isinstance(outcome, NotApproved):
            raise outcome
        requests, done = outcome
        self._ring(requests)
        return done

    async def asked(self, tx: Tx, ticket: Ticket, now: int, ids: Sequence[str], scope: Scope | None) -> str:
        """What a yes to these would be, exactly, as canonical JSON. Raises NotFound, Conflict, Invalid."""
        requests = await self._pending(tx, ticket, now, ids)
        self._beyond(requests, scope)
        return meant(requests, scope)

    async def deny(self, caller: Caller, ids: Sequence[str], reason: str) -> int:
        """Say no, with the reason that the agent is told. Returns how many. Raises NotFound, Conflict, Invalid."""
        try:
            words = text.body("the reason", reason, self._limits.reason_characters) if reason else ""
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, Credentials(), "command.deny", refusal, seated=False) from refusal

        async def said(tx: Tx, now: int, ticket: Ticket) -> Sequence[Request]:
            requests = await self._pending(tx, ticket, now, ids)
            for request in requests:
                here = self._of(ticket, request.command)
                why = self._redaction.said(request.command.conversation_id, words).text if words else ""
                why = f"a person denied it: {why}" if why else "a person denied it"
                await self._lapses.ended(tx, here, request.command, now, "denied", why)
                await self._tell(tx, here, now, request, f"command {request.command.id} was not approved: {why}")
            return requests

        requests = await self._gate.own(caller, "command.deny", said)
        self._ring(requests)
        return len(requests)

    async def _approved(self, tx: Tx, ticket: Ticket, now: int, request: Request, scope: Scope | None) -> Approved:
        command, order = request.command, request.order
        enabling = await tx.yolo.current(command.conversation_id)
        if enabling is None or now >= enabling.expires_at or enabling.workspace != order.workspace:
            raise NotApproved(
                "commands are no longer enabled as they were", "mab yolo enable, then let the agent ask again"
            )
        approval = approval_of(self._keys, self._clock, self._limits, command, now, ticket.actor)
        after = replace(command, state="approved", approval=approval, decided_at=now)
        if not await tx.commands.change(after, "pending"):
            raise Conflict(f"{command.id} was decided meanwhile", "look again: mab yolo list")
        grant = await self._grant(tx, ticket, now, request, scope) if scope else ""
        facts: dict[str, Fact] = {
            "mode": order.mode,
            "sandbox": order.sandbox,
            "network": order.network,
            "grant": grant,
        }
        await self._journal.record(tx, ticket, now, "command.approve", command.id, facts, command.digest)
        told = f"command {command.id} is approved: execute_command(command_id, dry_run=false) runs it, within 5 minutes"
        await self._tell(tx, ticket, now, request, told)
        return Approved(command.id, approval_token(self._keys, after), approval.until, grant)

    async def _grant(self, tx: Tx, ticket: Ticket, now: int, request: Request, scope: Scope) -> str:
        conversation = await self._conversation(tx, request.command)
        covers = self._scope(request, scope)
        number, lifetime = self._ids.named("grant"), scope.minutes * 60 * SECOND
        grant = Grant(
            id=number,
            conversation_id=conversation.id,
            session_id=request.command.session_id,
            digest=self._keys.digest(f"scope {covers.canonical()}"),
            scope=self._keys.seal(conversation, f"grants/scope/{number}", covers.canonical()),
            granted_at=now,
            by=ticket.actor,
            boot=self._clock.boot(),
            boottime_end=self._clock.boottime() + lifetime,
            until=now + lifetime,
            runs_left=scope.runs,
        )
        await tx.yolo.add_grant(grant)
        facts = {"minutes": scope.minutes, "runs": scope.runs, "words": scope.words}
        await self._journal.record(tx, ticket, now, "grant.give", number, facts, grant.digest)
        return number

    def _scope(self, request: Request, scope: Scope) -> approvals.Scope:
        text.whole("minutes", scope.minutes, 1, self._limits.grant_minutes_max)
        text.whole("runs", scope.runs, 1, self._limits.grant_runs_max)
        return approvals.scope_of(request.order, scope.words)

    def _beyond(self, requests: Sequence[Request], scope: Scope | None) -> str:
        """The sentence of the scope, empty without one. Raises Invalid."""
        if scope is None:
            return ""
        if len(requests) > 1:
            raise Invalid("only one command at a time is approved in advance", "leave the scope out, or approve one")
        return self._scope(requests[0], scope).sentence(scope.minutes, scope.runs)

    async def _pending(self, tx: Tx, ticket: Ticket, now: int, ids: Sequence[str]) -> Sequence[Request]:
        _counted(ids)
        found = []
        for number in dict.fromkeys(ids):
            command = await tx.commands.get(number)
            if command is None:
                raise NotFound("no such command", "mab yolo list shows them")
            ticket.conversation = command.conversation_id
            state = self._lapses.lapsed(command, now) or command.state
            if state != "pending":
                raise Conflict(
                    f"{command.id} is {state}: it does not wait for anybody", "mab yolo list shows what waits"
                )
            found.append(await self._request(tx, command, now))
        return found

    async def _request(self, tx: Tx, command: Command, now: int) -> Request:
        conversation = await self._conversation(tx, command)
        session = await tx.sessions.get(conversation.id, command.session_id)
        left = max(0, command.expires_at - now) // SECOND
        if command.state == "approved" and command.approval is not None:
            left = max(0, command.approval.until - now) // SECOND
        return Request(command, opened(self._keys, conversation, command), session.role if session else "", left)

    async def _conversation(self, tx: Tx, command: Command) -> Conversation:
        conversation = await tx.conversations.get(command.conversation_id)
        if conversation is None:
            raise NotFound("the conversation of that command is gone", "mab list shows them")
        return conversation

    async def _tell(self, tx: Tx, ticket: Ticket, now: int, request: Request, words: str) -> None:
        conversation = await self._conversation(tx, request.command)
        await self._notices.post(tx, ticket, now, conversation, words, [request.command.session_id])

    def _code(self, requests: Sequence[Request], scope: Scope | None) -> str:
        """Bound to exactly what is approved: a code shown for one thing approves no other."""
        return approvals.code(self._keys.digest(f"approval code {meant(requests, scope)}"))

    def _as_of(self, command: Command, now: int) -> Command:
        """The command as time has made it by `now`; nothing is written."""
        return replace(command, state=self._lapses.lapsed(command, now) or command.state)

    async def _seen(self, tx: Tx, command: Command, now: int) -> Seen:
        conversation = await self._conversation(tx, command)
        by = command.approval.by if command.approval is not None else ""
        return Seen(await self._request(tx, command, now), by, stands(self._keys, conversation, command))

    def _of(self, ticket: Ticket, command: Command) -> Ticket:
        return replace(ticket, conversation=command.conversation_id, session=command.session_id)

    def _ring(self, requests: Sequence[Request]) -> None:
        self._bell.ring(APPROVALS)
        for request in requests:
            self._bell.ring(command_topic(request.command.id))
            self._bell.ring(inbox(request.command.conversation_id, request.command.session_id))


def _counted(ids: Sequence[str]) -> None:
    if not 1 <= len(ids) <= BATCH:
        raise Invalid(f"{len(ids)} commands at once", f"1 to {BATCH}")


def meant(requests: Sequence[Request], scope: Scope | None) -> str:
    """These commands, what each of them is and what is approved in advance with them, as canonical JSON."""
    parts: list[object] = [*sorted([request.command.id, request.command.digest] for request in requests)]
    if scope is not None:
        parts.append({"words": scope.words, "minutes": scope.minutes, "runs": scope.runs})
    return json.dumps(parts)
