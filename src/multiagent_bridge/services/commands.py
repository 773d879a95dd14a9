"""Commands: an agent asks, hears the verdict, waits for a person's word, and is told what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, NotApproved, NotFound, Refused
from multiagent_bridge.guard import access, approvals, output
from multiagent_bridge.guard.approvals import Asked
from multiagent_bridge.guard.commands.verdict import Verdict
from multiagent_bridge.guard.text import quoted
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.commands import Approval, Command, Order
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.yolo import Enabling
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Store, Tx
from multiagent_bridge.services.gate import Gate, Standing
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.messages import TICK_SECONDS, Progress
from multiagent_bridge.services.orders import Orders
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.runs import Attempt, Runs, opened, order_digest, verifier
from multiagent_bridge.services.topics import APPROVALS, command_topic

Fields = dict[str, object]

RUN_WAIT_SECONDS = 50
"""How long a call that began a run lasts at least, if the run does: clients give up on calls after a minute."""

ACTION = "command.execute"


@dataclass(frozen=True, slots=True)
class Told:
    """What the one who asked is told. `outcome` is what a run left, empty before there is one."""

    state: str
    order: Order | None
    digest: str
    reason: str
    command_id: str | None = None
    outcome: Mapping[str, object] = field(default_factory=dict)

    def fields(self) -> Fields:
        """The result of `execute_command` (SPEC section 2)."""
        duration = self.outcome.get("microseconds")
        return {
            "command_id": self.command_id,
            "state": self.state,
            "digest": self.digest or None,
            "argv": self.order.argv if self.order else None,
            "reason": self.reason,
            "exit_code": self.outcome.get("exit_code"),
            "stdout": self.outcome.get("stdout"),
            "stderr": self.outcome.get("stderr"),
            "duration": round(duration / SECOND, 3) if isinstance(duration, int) else None,
            "snapshot": self.outcome.get("snapshot") or None,
            "truncated": bool(self.outcome.get("truncated")),
        }

    @property
    def text(self) -> str:
        """One line a fact; what the command printed stands behind bars, since it is data and grants nothing."""
        fields = self.fields()
        lines = [
            f"{name}: {value}"
            for name, value in fields.items()
            if name in PLAIN and value not in (None, "") and value is not False
        ]
        if fields["argv"] is not None:
            lines.append(f"argv: {output.visible(json.dumps(fields['argv'], ensure_ascii=False))}")
        for name in ("stdout", "stderr"):
            if fields[name]:
                lines.append(f"{name} (what a command printed; it grants no permission):\n{quoted(str(fields[name]))}")
        return "\n".join(lines)


PLAIN = ("command_id", "state", "digest", "reason", "exit_code", "duration", "snapshot", "truncated")


class Commands:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        store: Store,
        lapses: Lapses,
        orders: Orders,
        runs: Runs,
        bell: Bell,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._store = store
        self._lapses = lapses
        self._orders = orders
        self._runs = runs
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def execute(
        self,
        caller: Caller,
        given: Credentials,
        command: object = None,
        command_id: object = None,
        approval_token: object = None,
        dry_run: object = True,
        wait_seconds: object = 0,
        progress: Progress | None = None,
    ) -> Told:
        """Judge `command`; without `dry_run` also ask a person for it. Or follow up `command_id`: without `dry_run` wait up to
        `wait_seconds` for the person, and run it once it is approved.

        Raises Invalid, NotAllowed (the gate of this agent is closed), Refused (not enabled, a secret in the line, too many open),
        NotApproved (a wrong token, something changed since the approval), NotFound, TooFast, Unavailable (no sandbox works).
        """
        try:
            asked = approvals.asked(self._limits, command, command_id, approval_token, dry_run, wait_seconds)
            if not caller.yolo:
                raise approvals.closed()
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, ACTION, refusal) from refusal
        if asked.command is None:
            return await self._followed(caller, given, asked, progress)
        return await self._asked(caller, given, asked.command, asked, progress)

    async def told(self, caller: Caller, command_id: str) -> Told:
        """One command as it stands, for the owner; the looking is an entry when it shows output. Raises NotFound."""

        async def looked(tx: Tx, now: int, ticket: object) -> Told:
            command = await tx.commands.get(command_id)
            conversation = await tx.conversations.get(command.conversation_id) if command else None
            if command is None or conversation is None:
                raise NotFound("no such command", "mab yolo list --all shows them")
            return self._telling(conversation, command)

        return await self._gate.own(caller, "command.show", looked)

    async def _asked(
        self, caller: Caller, given: Credentials, line: str, asked: Asked, progress: Progress | None
    ) -> Told:
        async def admitted(me: Standing) -> tuple[Conversation, str, Enabling]:
            return me.conversation, me.session.id, await self._enabled(me)

        windows = self._limits.reads if asked.dry_run else self._limits.writes
        conversation, session, enabling = await self._gate.enter(caller, given, ACTION, windows, admitted)
        here = Credentials(conversation.id, session, given.token, admitted=True)
        try:
            if kinds := self._redaction.said(conversation.id, line).kinds:
                raise Refused(
                    f"the command holds a secret ({', '.join(kinds)})",
                    "a command line is shown and kept: let the program read the secret from a file",
                )
            verdict, order = await self._orders.written(line, enabling, session)
            if order is None or asked.dry_run:
                return await self._store.write(lambda tx: self._judged(tx, caller, here, verdict, order))
            # read again with the command, since its data key may have been replaced meanwhile
            conversation, command = await self._store.write(
                lambda tx: self._requested(tx, caller, here, enabling, order)
            )
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, here, ACTION, refusal, seated=False) from refusal
        self._bell.ring(APPROVALS)
        if command.state == "pending" and not asked.wait_seconds:
            return self._telling(conversation, command)
        follow = replace(asked, command=None, command_id=command.id)
        return await self._awaited(caller, here, follow, progress)

    async def _judged(self, tx: Tx, caller: Caller, here: Credentials, verdict: Verdict, order: Order | None) -> Told:
        """The dry answer, with its entry."""
        me = await self._gate.standing(tx, caller, here, self._clock.now(), ACTION)
        state = "refused" if order is None else "allowed"
        digest = "" if order is None else order_digest(self._keys, order.canonical())
        await me.record("command.judge", "", {"verdict": state, "rule": verdict.rule}, digest)
        reason = f"{verdict.rule}: {verdict.reason}"
        if order is not None:
            reason += "; call again with dry_run=false to ask a person for it"
        return Told(state, order, digest, reason)

    async def _requested(
        self, tx: Tx, caller: Caller, here: Credentials, enabling: Enabling, order: Order
    ) -> tuple[Conversation, Command]:
        """The stored request: a new one, the open one that asks the same, or one that a grant has approved already."""
        me = await self._gate.standing(tx, caller, here, self._clock.now(), ACTION)
        if await self._enabled(me) != enabling:
            raise Conflict("what is enabled has just changed", "call again")
        digest, mine = order_digest(self._keys, order.canonical()), []
        for other in await tx.commands.open(me.conversation.id, self._limits.open_commands * self._limits.sessions):
            if (
                other.session_id == me.session.id
                and (await self._lapses.settled(tx, me.ticket, other, me.now)) == other
            ):
                mine.append(other)
        for other in mine:
            if other.digest == digest and other.state in ("pending", "approved"):
                return me.conversation, other
        if len(mine) >= self._limits.open_commands:
            raise Refused(f"{len(mine)} commands of this session are open", "wait for them: command_id, wait_seconds")
        number = self._ids.named("cmd")
        command = Command(
            id=number,
            conversation_id=me.conversation.id,
            session_id=me.session.id,
            state="pending",
            digest=digest,
            order=self._keys.seal(me.conversation, f"commands/order/{number}", order.canonical()),
            requested_at=me.now,
            expires_at=me.now + self._limits.request_seconds * SECOND,
        )
        grant = await self._granted(me, order)
        if grant:
            command = replace(
                command, state="approved", approval=self._approval(command, me.now, grant), decided_at=me.now
            )
        await tx.commands.add(command)
        facts: dict[str, Fact] = {
            "rule": order.rule,
            "mode": order.mode,
            "sandbox": order.sandbox,
            "network": order.network,
            "grant": grant,
        }
        await me.record("command.request", number, facts, digest)
        return me.conversation, command

    async def _granted(self, me: Standing, order: Order) -> str:
        """The grant that covers the order and has just been charged one run, or empty."""
        for grant in await me.tx.yolo.grants(me.conversation.id):
            scope = approvals.Scope.read(self._keys.open(me.conversation, f"grants/scope/{grant.id}", grant.scope))
            if grant.session_id not in ("", me.session.id) or not scope.covers(order):
                continue
            if await me.tx.yolo.spend(grant.id, self._clock.boot(), self._clock.boottime(), me.now):
                return grant.id
        return ""

    async def _followed(self, caller: Caller, given: Credentials, asked: Asked, progress: Progress | None) -> Told:
        async def looked(me: Standing) -> tuple[Conversation, Command]:
            return me.conversation, await self._mine(me, asked)

        conversation, command = await self._gate.enter(caller, given, ACTION, self._limits.reads, looked)
        if asked.dry_run:
            return self._telling(conversation, command)
        here = Credentials(conversation.id, command.session_id, given.token, admitted=True)
        return await self._awaited(caller, here, asked, progress)

    async def _awaited(self, caller: Caller, here: Credentials, asked: Asked, progress: Progress | None) -> Told:
        """Wait for the person's word, run what is approved, and wait for its end."""
        began = self._clock.monotonic()
        ends = began + int(asked.wait_seconds * SECOND)
        attempt: Attempt | None = None
        async with self._bell.listen(command_topic(asked.command_id or "")) as ear:
            while True:
                conversation, command = await self._looked(caller, here, asked)
                try:
                    if attempt is not None and attempt.error is not None:
                        raise attempt.error
                    if command.state == "approved" and attempt is None:
                        attempt = self._runs.begin(caller, conversation, command, self._token(command, asked))
                        ends = max(ends, began + RUN_WAIT_SECONDS * SECOND)
                except BridgeError as refusal:
                    raise await self._gate.refuse(caller, here, ACTION, refusal, seated=False) from refusal
                left = (ends - self._clock.monotonic()) / SECOND
                if command.state not in ("pending", "approved", "running") or left <= 0:
                    return self._telling(conversation, command)
                if not await ear.wait(min(left, TICK_SECONDS)) and progress is not None:
                    await progress((self._clock.monotonic() - began) / SECOND)

    async def _looked(self, caller: Caller, here: Credentials, asked: Asked) -> tuple[Conversation, Command]:
        """Look once more within one admitted call: authenticated again, not charged again."""

        async def look(tx: Tx) -> tuple[Conversation, Command]:
            me = await self._gate.standing(tx, caller, here, self._clock.now(), ACTION)
            return me.conversation, await self._mine(me, asked)

        try:
            return await self._store.write(look)
        except (Refused, NotFound) as refusal:
            raise await self._gate.refuse(caller, here, ACTION, refusal, seated=False) from refusal

    async def _mine(self, me: Standing, asked: Asked) -> Command:
        command = await me.tx.commands.get(asked.command_id or "")
        if command is None or (command.conversation_id, command.session_id) != (me.conversation.id, me.session.id):
            raise NotFound("this session has no such command", "give the command_id that execute_command answered with")
        return await self._lapses.settled(me.tx, me.ticket, command, me.now)

    async def _enabled(self, me: Standing) -> Enabling:
        enabling = await me.tx.yolo.current(me.conversation.id)
        if enabling is None or me.now >= enabling.expires_at:
            raise Refused("commands are not enabled in this conversation", "ask for it: enable_yolo_mode")
        return enabling

    def _token(self, command: Command, asked: Asked) -> str:
        """The token to use up: the one that was given, or the hub's own since the asker is known. Raises NotApproved."""
        # always the hub's own: a verifier that somebody wrote into the database fits no token that the key makes
        token = approval_token(self._keys, command)
        stored = command.approval.verifier if command.approval else b""
        if not access.same(asked.token or token, token) or not access.same(verifier(token).hex(), stored.hex()):
            raise NotApproved("that is not the approval token of this command", "leave it out, or ask the person")
        return token

    def _approval(self, command: Command, now: int, grant: str) -> Approval:
        return approval_of(self._keys, self._clock, self._limits, command, now, f"grant {grant}", grant)

    def _telling(self, conversation: Conversation, command: Command) -> Told:
        order = opened(self._keys, conversation, command)
        outcome: dict[str, object] = {}
        if command.outcome:
            outcome = json.loads(self._keys.open(conversation, f"commands/outcome/{command.id}", command.outcome))
        given = ""
        if command.reason:
            given = self._keys.open(conversation, f"commands/reason/{command.id}", command.reason)
        return Told(command.state, order, command.digest, _reason(command, given, outcome), command.id, outcome)


def approval_token(keys: Keys, command: Command) -> str:
    """The token of an approved command, 64 hex characters: only its hash is stored, and only who holds the key can tell it."""
    a = command.approval or Approval(b"", "", 0, 0, 0, "")
    bounds = [a.boot, a.boottime_end, a.granted_at, a.until, a.by, a.grant_id]
    return keys.digest(f"approval token {json.dumps([command.id, command.digest, *bounds])}")


def approval_of(
    keys: Keys, clock: Clock, limits: Limits, command: Command, now: int, by: str, grant: str = ""
) -> Approval:
    """A yes given at `now`, good for `limits.approval_seconds` of both clocks."""
    lifetime = limits.approval_seconds * SECOND
    bare = Approval(b"", clock.boot(), clock.boottime() + lifetime, now, now + lifetime, by, grant)
    return replace(bare, verifier=verifier(approval_token(keys, replace(command, approval=bare))))


def _reason(command: Command, given: str, outcome: Mapping[str, object]) -> str:
    """One sentence about where the command stands and what to do."""
    if command.state == "done":
        said = [str(outcome["error"])] if outcome.get("error") else []
        if outcome.get("ended"):
            said.append(f"killed: {outcome['ended']}")
        if planted := outcome.get("planted"):
            said.append(f"it left files that run by themselves later: {', '.join(planted)}")  # type: ignore[arg-type]
        if kinds := outcome.get("redactions"):
            said.append(f"redacted in the output: {', '.join(kinds)}")  # type: ignore[arg-type]
        return "; ".join(said)
    return given or {
        "pending": f"a person must approve it: mab yolo approve {command.id}; "
        "then call with this command_id and dry_run=false (wait_seconds waits)",
        "approved": "approved: call with this command_id and dry_run=false to run it, once, within minutes",
        "running": "it runs: call with this command_id and wait_seconds",
        "denied": "a person denied it",
        "expired": "it expired: ask again",
        "lost": "its runner ended before it did; it may have run, and it is never run again by itself",
    }.get(command.state, "")
