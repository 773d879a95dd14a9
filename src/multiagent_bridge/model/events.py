"""Events: what somebody who follows along is told of one entry of the journal. Ids and kinds, never what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.journal import Entry

SUBJECTS: Mapping[str, str] = {"message.send": "mail", "task": "task", "command": "command", "silence": "silence"}
"""Actions, or their nouns, that make an event, and what it is called."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `target` is the id of the message, task, command or session; `to` whom it concerns."""

    seq: int
    at: int
    event: str
    action: str
    conversation_id: str
    sender: str
    role: str
    to: tuple[str, ...]
    target: str
    type: str = ""

    @property
    def message_id(self) -> int:
        """0 for what is no mail."""
        return int(self.target) if self.event == "mail" else 0

    def fields(self) -> dict[str, object]:
        """The event as a line of JSON."""
        name = {"mail": "message_id", "silence": "session_id"}.get(self.event, f"{self.event}_id")
        return {
            "seq": self.seq,
            "at": microseconds_to_iso(self.at),
            "event": self.event,
            "action": self.action,
            "conversation_id": self.conversation_id,
            "from": self.sender or None,
            "role": self.role or None,
            "to": list(self.to),
            name: self.message_id or self.target,
            **({"action_type": self.type} if self.event == "mail" else {}),
        }


def event_of(entry: Entry, roles: Mapping[str, str]) -> Event | None:
    """What followers are told of the entry; None for a refusal and for what concerns nobody. `roles` by session."""
    subject = SUBJECTS.get(entry.action) or SUBJECTS.get(entry.action.partition(".")[0])
    if subject is None or entry.outcome != "done" or not entry.conversation:
        return None
    facts = entry.facts
    given = [facts.get(name) for name in ("to", "assignee")]
    to = tuple(dict.fromkeys(one for text in given if isinstance(text, str) for one in text.split(",") if one))
    target = str(facts.get("message_id") or 0) if subject == "mail" else entry.target.removeprefix("session ")
    return Event(
        seq=entry.seq,
        at=entry.at,
        event=subject,
        action=entry.action,
        conversation_id=entry.conversation,
        sender=entry.session,
        role=roles.get(entry.session, ""),
        to=to,
        target=target,
        type=str(facts.get("type") or ""),
    )


def concerns(entry: Entry, event: Event, session_id: str) -> bool:
    """Whether the event is one for that session: mail and tasks to it, what others did to its tasks and commands."""
    if entry.actor == f"session {entry.conversation}/{session_id}":
        return False
    if event.event == "mail":
        return session_id in event.to
    if event.event == "task":
        anybody = entry.action == "task.assign" and not event.to
        return anybody or session_id in event.to or entry.facts.get("was") == session_id
    return entry.session == session_id
