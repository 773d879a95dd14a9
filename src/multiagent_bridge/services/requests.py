"""Requests for commands as a person sees them: whole before the decision, and how they ended after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard import text
from multiagent_bridge.guard.output import shown_argv, visible
from multiagent_bridge.model.commands import OPEN, Command, Order
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Keys

Fields = dict[str, object]

STANDS = {
    "pending": "it waits for a person",
    "approved": "approved; the agent has not run it yet",
    "running": "it runs",
    "denied": "a person denied it",
    "expired": "it expired before anybody used it",
    "lost": "its runner ended before it did; it may have run, and it is never run again by itself",
}
"""How a command stands, in a sentence without what it left; `done` has one of its own."""


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
        left = f", {self.seconds_left} s left" if command.state in OPEN else ""
        lines = [f"{command.id}  {command.state}{left}, asked by {asker}"]
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
class Seen:
    """A request in whatever state it is. `by` is who approved it, empty for nobody yet; `stands` says how it stands or ended."""

    request: Request
    by: str
    stands: str


@dataclass(frozen=True, slots=True)
class Board:
    """What waits, oldest first, with how many `more` of that; and the newest of those that wait no longer."""

    waiting: Sequence[Request]
    more: int
    others: Sequence[Seen]


def stands(keys: Keys, conversation: Conversation, command: Command) -> str:
    """How the command stands, in one sentence; nothing of what it printed."""
    if command.state == "done" and command.outcome:
        return _ended(json.loads(keys.open(conversation, f"commands/outcome/{command.id}", command.outcome)))
    if command.reason:
        return keys.open(conversation, f"commands/reason/{command.id}", command.reason)
    return STANDS.get(command.state, command.state)


def _ended(outcome: Mapping[str, object]) -> str:
    """How a run ended; what it left that runs by itself later comes first."""
    said = []
    if planted := outcome.get("planted"):
        said.append(f"it left files that run by themselves later: {', '.join(planted)}")  # type: ignore[arg-type]
    if outcome.get("error"):
        said.append(str(outcome["error"]))
    if outcome.get("ended"):
        said.append(f"killed: {outcome['ended']}")
    elif outcome.get("exit_code") is not None:
        said.append(f"exit status {outcome['exit_code']}")
    duration = outcome.get("microseconds")
    if isinstance(duration, int):
        said.append(f"after {duration / SECOND:.1f} s")
    return "; ".join(said) or "it ended"
