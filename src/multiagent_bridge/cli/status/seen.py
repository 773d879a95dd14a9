"""What `mab status` tells, as plain fields: they are what `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multiagent_bridge.model.instants import microseconds_to_iso

if TYPE_CHECKING:
    from multiagent_bridge.cli.running import Running
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.conversations import Conversation
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.model.sessions import Session

NEARLY_FULL = 0.9

Rows = Sequence[tuple["Conversation", Sequence["Session"]]]


@dataclass(frozen=True, slots=True)
class Away:
    """Since when the store cannot be looked at (microseconds since the epoch), why, and what to do."""

    since: int
    reason: str
    hint: str = ""

    def fields(self) -> dict[str, str]:
        return {"since": microseconds_to_iso(self.since), "reason": self.reason, "hint": self.hint}


def stored(settings: Settings) -> object:
    """Which store there is, so that one that took its place is told from it; None while there is none.

    Nothing is opened: that would make one.
    """
    from multiagent_bridge.wiring import store_file

    path = store_file(settings)
    if path is None:
        return "server"
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def seen(
    settings: Settings,
    at_hub: Running,
    rows: Rows,
    newest: Entry | None,
    now: int,
    more: int = 0,
    away: Away | None = None,
) -> dict[str, Any]:
    """One look. `more` conversations are there besides `rows`; with `away` all but the hub is as it was at the last look."""
    found = [_conversation(conversation, sessions, settings, now) for conversation, sessions in rows]
    return {
        "warnings": [
            *([f"the store is away since {microseconds_to_iso(away.since)}: {away.reason}"] if away else ()),
            *_hub_warnings(at_hub),
            *(text for row in found for text in _warnings(row, settings)),
        ],
        "state_directory": str(settings.home),
        "hub": at_hub.fields(),
        "conversations": found,
        "more": more,
        "entries": newest.seq if newest else 0,
        "newest_entry": _entry(newest) if newest else None,
        "store_away": away.fields() if away else None,
    }


def span(seconds: int) -> str:
    """A length of time as a person says it, in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _conversation(
    conversation: Conversation, sessions: Sequence[Session], settings: Settings, now: int
) -> dict[str, Any]:
    return {
        "conversation_id": conversation.id,
        "expires_at": microseconds_to_iso(conversation.expires_at),
        "expired": conversation.expired(now),
        "messages": conversation.messages,
        "sessions": [_session(s, settings, now) for s in sessions],
    }


def _session(session: Session, settings: Settings, now: int) -> dict[str, Any]:
    heard = session.last_heartbeat
    return {
        "session_id": session.id,
        "role": session.role,
        "status": session.status,
        "alive": session.alive(now, settings.limits.alive_seconds * 1_000_000),
        "age_seconds": None if heard is None else max(0, now - heard) // 1_000_000,
        "unread": session.unread,
        "revoked": session.revoked,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": microseconds_to_iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "code": entry.code,
    }


def _hub_warnings(hub: Running) -> list[str]:
    who = f"process {hub.pid}" if hub.pid else "a process that is not known"
    sentences = {
        "silent": f"the hub ({who}) does not answer: mab doctor",
        "stale": "a hub left its socket behind; the next mab mcp clears it away",
        "foreign": "what lies where the hub's socket belongs is no socket: mab doctor",
        "refuses": f"the hub refuses this program: {hub.said}",
    }
    return [sentences[hub.state]] if hub.state in sentences else []


def _warnings(row: dict[str, Any], settings: Settings) -> list[str]:
    name = row["conversation_id"]
    if row["expired"]:
        return [f"{name} has expired: mab extend {name}, or mab cleanup"]
    told = []
    for s in row["sessions"]:
        if not s["alive"] and s["age_seconds"] is not None and s["status"] != "complete" and not s["revoked"]:
            unread = f", {s['unread']} unread" if s["unread"] else ""
            told.append(
                f"{name}: session {s['session_id']} ({s['role']}) has been silent for {span(s['age_seconds'])}{unread}"
            )
    most = settings.limits.conversation_messages
    if row["messages"] >= most * NEARLY_FULL:
        told.append(f"{name} is nearly full: {row['messages']:,} of {most:,} messages")
    return told
