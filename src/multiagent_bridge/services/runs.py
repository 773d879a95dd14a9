"""Runs: an approved command is used up and run, once, and every session hears what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, NotApproved, Tampered, Unavailable
from multiagent_bridge.guard import access, output
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.commands import Command, Order
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.sandboxes import Confinement, Outcome
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Background, Bell, Clock, Ear, Ids, Keys, Snapshots, Store, Tx, Workspaces
from multiagent_bridge.services.gate import Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.orders import Orders
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.sandboxes import Sandboxes
from multiagent_bridge.services.topics import command_topic, inbox

GRACE_SECONDS = 120
"""After its time-out a run has this long to be written down before it counts as lost."""

ATTEMPTS = 10
"""Tries to write down what a run did while the store is away, a second apart."""

TAIL = 2_000
"""Characters of the output's end that partners are told; the whole is for the session that asked."""


@dataclass(slots=True)
class Attempt:
    """One try to run an approved command; `error` says why it was not run, if it was not."""

    command_id: str
    error: BridgeError | None = None


@dataclass(frozen=True, slots=True)
class Seated:
    """A run on its way: who asked, what for, and where."""

    caller: Caller
    ticket: Ticket
    conversation: Conversation
    command: Command
    order: Order


class Runs:
    def __init__(
        self,
        store: Store,
        journal: Journal,
        notices: Notices,
        lapses: Lapses,
        orders: Orders,
        sandboxes: Sandboxes,
        workspaces: Workspaces,
        snapshots: Snapshots,
        background: Background,
        bell: Bell,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
    ) -> None:
        self._store = store
        self._journal = journal
        self._notices = notices
        self._lapses = lapses
        self._orders = orders
        self._sandboxes = sandboxes
        self._workspaces = workspaces
        self._snapshots = snapshots
        self._background = background
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._redaction = redaction

    def begin(self, caller: Caller, conversation: Conversation, command: Command, token: str) -> Attempt:
        """Use up the approval and run, whether or not the caller stays. The command's topic rings when anything moved."""
        attempt = Attempt(command.id)
        ticket = Ticket(caller, "command.start", self._clock.monotonic(), conversation.id, command.session_id, True)
        order = opened(self._keys, conversation, command)
        seated = Seated(caller, ticket, conversation, command, order)
        self._background.start(lambda: self._attempted(attempt, seated, token))
        return attempt

    async def _attempted(self, attempt: Attempt, run: Seated, token: str) -> None:
        try:
            await self._run(run, token)
        except NotApproved as refusal:
            # what was approved is not what would run: this approval is of no more use
            attempt.error = refusal
            await self._void(run, refusal)
        except BridgeError as error:
            attempt.error = error
        finally:
            self._bell.ring(command_topic(run.command.id))

    async def _run(self, run: Seated, token: str) -> None:
        order = run.order
        async with self._workspaces.lock(order.workspace):
            if not await self._store.read(lambda tx: self._approved(tx, run)):
                return
            await self._unchanged(run)
            snapshot, before = "", {}
            if order.writable:
                snapshot = (await self._snapshots.take(order.workspace, run.command.id)).id
                before = dict(await self._workspaces.survey(order.workspace))
                # a snapshot takes its time
                await self._unchanged(run)
            if not await self._store.write(lambda tx: self._started(tx, run, token, snapshot)):
                return
            self._bell.ring(command_topic(run.command.id))
            await self._carried_out(run, snapshot, before)

    async def _carried_out(self, run: Seated, snapshot: str, before: Mapping[str, str]) -> None:
        """Run what was used up; from here on whatever happens is written down as its outcome, or it is lost."""
        order = run.order
        confinement = Confinement(order.workspace, order.writable, order.network, order.bounds)
        try:
            outcome = await self._sandboxes.named(order.sandbox).run(order.steps, order.programs, confinement)
            found = self._told(run, outcome, snapshot)
        except BridgeError as error:
            found = _untold(error, snapshot)
        except Exception:
            await self._written(run, {}, "lost")
            raise
        if order.writable:
            with suppress(BridgeError):
                found["planted"] = _planted(before, await self._workspaces.survey(order.workspace))
        await self._written(run, found, "done")

    async def _unchanged(self, run: Seated) -> None:
        enabling = await self._store.read(lambda tx: tx.yolo.current(run.conversation.id))
        if enabling is not None and self._clock.now() >= enabling.expires_at:
            enabling = None
        try:
            await self._orders.unchanged(run.order, enabling)
        except Conflict as error:
            raise NotApproved(error.sentence, error.hint) from error

    async def _approved(self, tx: Tx, run: Seated) -> bool:
        command = await tx.commands.get(run.command.id)
        return command is not None and command.state == "approved"

    async def _started(self, tx: Tx, run: Seated, token: str, snapshot: str) -> bool:
        """approved -> running, with its entry: the one use of the approval."""
        now = self._clock.now()
        enabling = await tx.yolo.current(run.conversation.id)
        if (
            enabling is None
            or now >= enabling.expires_at
            or (enabling.workspace, enabling.mode) != (run.order.workspace, run.order.mode)
        ):
            raise NotApproved("commands were disabled after the approval", "ask the person to enable them again")
        won = await tx.commands.start(
            run.command.id,
            run.command.digest,
            verifier(token),
            self._clock.boot(),
            self._clock.boottime(),
            now,
            self._ids.owner(),
            now + (run.order.bounds.seconds + GRACE_SECONDS) * SECOND,
        )
        if won:
            facts: dict[str, Fact] = {
                "snapshot": snapshot,
                "sandbox": run.order.sandbox,
                "network": run.order.network,
            }
            await self._journal.record(tx, run.ticket, now, "command.start", run.command.id, facts, run.command.digest)
            return True
        command = await tx.commands.get(run.command.id)
        if command is not None and command.state == "approved":
            await self._lapses.settled(tx, run.ticket, command, now)
        return False

    async def _void(self, run: Seated, refusal: BridgeError) -> None:
        async def voided(tx: Tx) -> None:
            command = await tx.commands.get(run.command.id)
            if command is not None and command.state == "approved":
                reason = self._journal.safe(refusal.sentence)
                await self._lapses.ended(tx, run.ticket, command, self._clock.now(), "expired", reason)

        await self._store.write(voided)

    def _told(self, run: Seated, outcome: Outcome, snapshot: str) -> dict[str, object]:
        """What came of it, cleaned and then redacted: escapes may split a secret, and so may the pieces it was read in."""
        streams: dict[str, str] = {}
        kinds: list[str] = []
        for name, captured in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
            said = self._redaction.said(run.conversation.id, output.cleaned(captured))
            streams[name] = said.text
            kinds += said.kinds
        return {
            **streams,
            "exit_code": outcome.exit_code,
            "microseconds": outcome.microseconds,
            "ended": outcome.ended,
            "snapshot": snapshot,
            "truncated": outcome.stdout.truncated or outcome.stderr.truncated,
            "bytes": [outcome.stdout.total, outcome.stderr.total],
            "redactions": list(dict.fromkeys(kinds)),
            "planted": [],
            "error": "",
        }

    async def _written(self, run: Seated, found: dict[str, object], state: str) -> None:
        """Write the end down, trying again while the store is away; unwritten, the deadline makes it lost."""
        async with self._bell.listen(command_topic(run.command.id)) as ear:
            for attempt in range(ATTEMPTS):
                try:
                    sessions = await self._store.write(lambda tx: self._ended(tx, run, found, state))
                    break
                except Unavailable:
                    if attempt + 1 == ATTEMPTS:
                        raise
                    await _pause(ear)
        for session in sessions:
            self._bell.ring(inbox(run.conversation.id, session))

    async def _ended(self, tx: Tx, run: Seated, found: dict[str, object], state: str) -> Sequence[str]:
        now = self._clock.now()
        command, conversation = await tx.commands.get(run.command.id), await tx.conversations.get(run.conversation.id)
        if command is None or conversation is None or command.state != "running":
            return ()
        if state == "lost":
            await self._lapses.ended(tx, run.ticket, command, now, "lost")
            return [session.id for session in await tx.sessions.of(conversation.id)]
        written = json.dumps(found)
        sealed = self._keys.seal(conversation, f"commands/outcome/{command.id}", written)
        if not await tx.commands.change(replace(command, state="done", ended_at=now, outcome=sealed), "running"):
            return ()
        facts = {
            "exit_code": found["exit_code"],
            "ended": found["ended"],
            "snapshot": found["snapshot"],
            "redactions": ",".join(found["redactions"]),  # type: ignore[arg-type]
            "planted": len(found["planted"]),  # type: ignore[arg-type]
        }
        digest = self._keys.digest(written)
        await self._journal.record(tx, run.ticket, now, "command.finish", command.id, facts, digest)  # type: ignore[arg-type]
        sessions = await tx.sessions.of(conversation.id)
        others = [session.id for session in sessions if session.id != command.session_id]
        news = self._redaction.said(conversation.id, _news(run, sessions, found)).text
        await self._notices.post(tx, run.ticket, now, conversation, news, others)
        return others


def verifier(token: str) -> bytes:
    """What is stored of an approval's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def opened(keys: Keys, conversation: Conversation, command: Command) -> Order:
    """The order of a stored command. Raises Tampered when it is not the one its digest was made of."""
    written = keys.open(conversation, f"commands/order/{command.id}", command.order)
    if not access.same(order_digest(keys, written), command.digest):
        raise Tampered(f"{command.id} is not what its digest was made of", "look who can write to the database")
    return Order.from_canonical(written)


def order_digest(keys: Keys, written: str) -> str:
    """The keyed digest of an order's canonical form: what a person approves."""
    return keys.digest(f"order {written}")


async def _pause(ear: Ear) -> None:
    await ear.wait(1.0)


def _untold(error: BridgeError, snapshot: str) -> dict[str, object]:
    """The outcome of a run that never began."""
    return {
        "stdout": "",
        "stderr": "",
        "exit_code": None,
        "microseconds": 0,
        "ended": "",
        "snapshot": snapshot,
        "truncated": False,
        "bytes": [0, 0],
        "redactions": [],
        "planted": [],
        "error": f"nothing ran: {error.sentence}",
    }


def _planted(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Paths that run by themselves later and were not there, or were not so, before the run."""
    return sorted(output.visible(path) for path, digest in after.items() if before.get(path) != digest)


def _news(run: Seated, sessions: Sequence[Session], found: Mapping[str, object]) -> str:
    """What partners are told."""
    role = next((session.role for session in sessions if session.id == run.command.session_id), "")
    ended = {"timeout": ", killed at its time limit", "flood": ", killed for its flood of output"}
    lines = []
    if planted := found["planted"]:
        lines.append(f"WARNING: it left files that run by themselves later: {', '.join(planted)}")  # type: ignore[arg-type]
    what = found["error"] or f"exit code {found['exit_code']}{ended.get(str(found['ended']), '')}"
    lines.append(f"command {run.command.id} of session {run.command.session_id} ({role}) ended: {what}")
    lines.append(f"argv: {output.visible(json.dumps(run.order.argv, ensure_ascii=False))}")
    if found["snapshot"]:
        lines.append(f"snapshot before it: {found['snapshot']}")
    for name in ("stdout", "stderr"):
        if text := str(found[name]):
            lines.append(f"{name}{' (its end)' if len(text) > TAIL else ''}:\n{text[-TAIL:]}")
    return "\n".join(lines)
