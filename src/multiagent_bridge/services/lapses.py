"""Lapses: requests nobody decided, approvals nobody used, runs whose runner is gone. Time ends them, and an entry says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.commands import Command
from multiagent_bridge.ports import Bell, Clock, Keys, Store, Tx
from multiagent_bridge.services.gate import Ticket
from multiagent_bridge.services.journal import Journal, Request
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.topics import command_topic, inbox

MOST = 200
"""Ended in one transaction."""

START = "command.start"
"""The action of a request to run what was approved."""

ELSEWHERE = "it was approved on another machine, or before this one was started again"


class Lapses:
    def __init__(self, store: Store, journal: Journal, notices: Notices, bell: Bell, clock: Clock, keys: Keys) -> None:
        self._store = store
        self._journal = journal
        self._notices = notices
        self._bell = bell
        self._clock = clock
        self._keys = keys

    def lapsed(self, command: Command, now: int) -> str:
        """What time has made of an open command: `expired`, `lost`, or empty while it still stands."""
        if command.state == "pending" and _over(command.requested_at, now, command.expires_at):
            return "expired"
        if command.state == "approved" and command.approval is not None:
            approval = command.approval
            if not approval.boot or _over(approval.granted_at, now, approval.until):
                return "expired"
            # another machine's clocks are not known here: `until` ends its approvals, and so those from before a restart
            late = self._clock.boottime() >= approval.boottime_end or now < approval.granted_at
            return "expired" if late and not self._elsewhere(command) else ""
        if command.state == "running" and now >= command.deadline:
            return "lost"
        return ""

    async def settled(self, tx: Tx, request: Request, command: Command, now: int) -> Command:
        """The command as it stands at `now`; one that lapsed is moved there with its entry.

        An approval of another boot lets nothing start here: whoever tries ends it.
        """
        state = self.lapsed(command, now)
        if not state and request.action == START and self._elsewhere(command):
            return await self.ended(tx, request, command, now, "expired", ELSEWHERE)
        return await self.ended(tx, request, command, now, state) if state else command

    async def ended(
        self, tx: Tx, request: Request, command: Command, now: int, state: str, reason: str = ""
    ) -> Command:
        """Move an open command to `state` for good. Returns it as it stands, also when somebody else was faster."""
        conversation = await tx.conversations.get(command.conversation_id)
        sealed = b""
        if reason and conversation is not None:
            sealed = self._keys.seal(conversation, f"commands/reason/{command.id}", reason)
        after = replace(command, state=state, ended_at=now, reason=sealed or command.reason)
        if not await tx.commands.change(after, command.state):
            return await tx.commands.get(command.id) or command
        action = {"expired": "command.expire", "lost": "command.lose", "denied": "command.deny"}[state]
        await self._journal.record(tx, request, now, action, command.id, {"was": command.state}, command.digest)
        if state == "lost" and conversation is not None:
            sessions = [session.id for session in await tx.sessions.of(conversation.id)]
            text = (
                f"command {command.id} is lost: its runner ended before it did. "
                "It may have run; it is never run again by itself."
            )
            await self._notices.post(tx, request, now, conversation, text, sessions)
        return after

    async def sweep(self, caller: Caller) -> int:
        """End what time has ended. Returns how many."""

        async def swept(tx: Tx) -> Sequence[Command]:
            now = self._clock.now()
            found = await tx.commands.overdue(now, self._clock.boot(), self._clock.boottime(), MOST)
            return [await self.settled(tx, self._ticket(caller, one), one, now) for one in found]

        return self._ring(await self._store.write(swept))

    async def recover(self, caller: Caller, runner: str) -> int:
        """Everything that a runner of that name left running is lost. Only the one hub of that name may call this."""

        async def recovered(tx: Tx) -> Sequence[Command]:
            now = self._clock.now()
            found = await tx.commands.running(runner)
            return [await self.ended(tx, self._ticket(caller, one), one, now, "lost") for one in found]

        return self._ring(await self._store.write(recovered))

    def _elsewhere(self, command: Command) -> bool:
        """Whether it was approved under another boot: on another machine, or before this one was started again."""
        approval = command.approval
        return command.state == "approved" and approval is not None and approval.boot != self._clock.boot()

    def _ticket(self, caller: Caller, command: Command) -> Ticket:
        return Ticket(caller, "command.sweep", self._clock.monotonic(), command.conversation_id, command.session_id)

    def _ring(self, commands: Sequence[Command]) -> int:
        for command in commands:
            self._bell.ring(command_topic(command.id))
            self._bell.ring(inbox(command.conversation_id, command.session_id))
        return len(commands)


def _over(begun: int, now: int, end: int) -> bool:
    """Whether it has ended, or begins further ahead than it lasts: then a clock was set back. Less is what two machines' clocks
    may be apart.
    """
    return now >= end or begun - now > end - begun
