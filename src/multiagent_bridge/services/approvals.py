"""Approvals: what waits for a person, and the person's word on exactly that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, Invalid, NotApproved, NotFound, Unavailable
from multiagent_bridge.guard import access, approvals, text
from multiagent_bridge.guard.output import shown_argv, visible
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.commands import Command, Order
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.yolo import Grant
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Tx
from multiagent_bridge.services.commands import approval_of, approval_token
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.runs import opened
from multiagent_bridge.services.topics import APPROVALS, command_topic, inbox

Fields = dict[str, object]

PAGE = 200
BATCH = 20
"""Commands approved with one code: more cannot be read with care."""


@dataclass(frozen=True, slots=True)
class Request:
    """One command as a person sees it before deciding. `requester` is the role of the session that asks."""

    command: Command
    order: Order
    requester: str
    seconds_left: int

    def fields(self) -> Fields:
        order, command = self.order, self.command
        return {
            "command_id": command.id,
            "state": command.state,
            "conversation_id": command.conversation_id,
            "session_id": command.session_id,
            "role": self.requester,
            "command": order.line,
            "argv": order.argv,
            "mode": order.mode,
            "workspace": order.workspace.path,
            "sandbox": order.sandbox,
            "lacks": list(order.lacks),
            "network": order.network,
            "writable": order.writable,
            "seconds": order.bounds.seconds,
            "rule": order.rule,
            "advice": list(order.advice),
            "programs": [program.path for program in order.programs if program.path],
            "scripts": [path for path, _ in order.scripts],
            "digest": command.digest,
            "requested_at": microseconds_to_iso(command.requested_at),
            "seconds_left": self.seconds_left,
        }

    @property
    def lines(self) -> Sequence[str]:
        """All that is to be read before a yes; the argv whole, with nothing hidden in it."""
        order, command = self.order, self.command
        asker = f"session {command.session_id} ({text.named(visible(self.requester))}) of {command.conversation_id}"
        lines = [f"{command.id}  {command.state}, {self.seconds_left} s left, asked by {asker}"]
        for step in order.steps:
            variables = "".join(f"{name}={visible(value)} " for name, value in step.environment)
            streams = "".join(f" {stream}" for stream in step.streams)
            lines.append(f"  {step.join + ' ' if step.join else ''}{variables}{shown_argv(step.argv)}{streams}")
        changes = "read and write" if order.writable else "read only"
        lines.append(f"  in        {visible(order.workspace.path)} ({changes})")
        lines.append(f"  as        {', '.join(visible(program.path) for program in order.programs if program.path)}")
        if order.scripts:
            lines.append(f"  reads     {', '.join(visible(path) for path, _ in order.scripts)}")
        lines.append(f"  network   {'YES' if order.network else 'no'}")
        lines.append(f"  sandbox   {order.sandbox}, at most {order.bounds.seconds} s")
        lines += [f"  LACKS     {lack}" for lack in order.lacks]
        lines.append(f"  rule      {order.rule} (mode {order.mode})")
        lines += [f"  advice    {visible(advice)}" for advice in order.advice]
        lines.append(f"  digest    {command.digest}")
        return lines


@dataclass(frozen=True, slots=True)
class Proposal:
    """Requests shown together and the one code that approves exactly them."""

    requests: Sequence[Request]
    code: str

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

    async def propose(self, caller: Caller, ids: Sequence[str]) -> Proposal:
        """What a yes to `ids` would mean, and its code. Raises NotFound, Conflict when one of them waits no longer."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> Proposal:
            requests = await self._pending(tx, ticket, now, ids)
            return Proposal(requests, self._code(requests))

        return await self._gate.own(caller, "command.propose", looked)

    async def proposed_scope(self, caller: Caller, command_id: str, scope: Scope) -> str:
        """The sentence a person agrees to with a scope. Raises Invalid, NotFound, Conflict."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> str:
            [request] = await self._pending(tx, ticket, now, [command_id])
            return self._scope(request, scope).sentence(scope.minutes, scope.runs)

        return await self._gate.own(caller, "command.propose", looked)

    async def approve(
        self, caller: Caller, ids: Sequence[str], code: str, scope: Scope | None = None
    ) -> Sequence[Approved]:
        """Say yes to exactly what `propose` showed for `ids`.

        Raises NotApproved (another code, or commands were disabled), NotFound, Conflict, Invalid, Unavailable (no boot identity).
        """

        async def said(tx: Tx, now: int, ticket: Ticket) -> tuple[Sequence[Request], Sequence[Approved]]:
            requests = await self._pending(tx, ticket, now, ids)
            if not access.same(approvals.typed(code), self._code(requests)):
                raise NotApproved("that is not the code of these commands", "look again: mab yolo approve")
            if not self._clock.boot():
                raise Unavailable("this system does not tell one boot from another", "approvals need Linux")
            done = [await self._approved(tx, self._of(ticket, r.command), now, r, scope) for r in requests]
            return requests, done

        requests, done = await self._gate.own(caller, "command.approve", said)
        self._ring(requests)
        return done

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

    async def _pending(self, tx: Tx, ticket: Ticket, now: int, ids: Sequence[str]) -> Sequence[Request]:
        if not 1 <= len(ids) <= BATCH:
            raise Invalid(f"{len(ids)} commands at once", f"1 to {BATCH}")
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

    def _code(self, requests: Sequence[Request]) -> str:
        """Bound to these commands and what each of them is: a code shown for one approves no other."""
        parts = sorted([request.command.id, request.command.digest] for request in requests)
        return approvals.code(self._keys.digest(f"approval code {json.dumps(parts)}"))

    def _of(self, ticket: Ticket, command: Command) -> Ticket:
        return replace(ticket, conversation=command.conversation_id, session=command.session_id)

    def _ring(self, requests: Sequence[Request]) -> None:
        self._bell.ring(APPROVALS)
        for request in requests:
            self._bell.ring(command_topic(request.command.id))
            self._bell.ring(inbox(request.command.conversation_id, request.command.session_id))
