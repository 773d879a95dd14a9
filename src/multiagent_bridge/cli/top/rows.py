"""What the panes of `mab top` show, as rows of plain words. Nothing here knows of a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from multiagent_bridge.cli.top.seen import Seen, Talk, span, state_of
from multiagent_bridge.cli.top.words import cell
from multiagent_bridge.guard.output import shown_argv
from multiagent_bridge.guard.text import named
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.services.approvals import Request

Tone = Literal["", "good", "bad", "dim", "bold"]
"""Beside the word that says the same: no fact stands in a colour alone."""

ENDED_SECONDS = 30
"""How long an approval that waits no longer is still told of."""

ENDED = "ended "
"""How the key of such a row begins."""

ORDER = ("silent", "blocked", "waiting", "working", "complete", "unknown", "unseen", "revoked")
"""Agents as they need somebody."""

TONES: dict[str, Tone] = {"silent": "bad", "blocked": "bad", "working": "good", "unseen": "dim", "revoked": "dim"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, and by which words it is found. `about` is the conversation that it is of."""

    key: str
    cells: tuple[str, ...]
    tone: Tone = ""
    about: str = ""
    search: str = field(default="", compare=False)

    def fits(self, wanted: str) -> bool:
        """Whether every word of `wanted` stands in the row, in either case."""
        words = f"{' '.join(self.cells)} {self.about} {self.search}".casefold()
        return all(word in words for word in wanted.casefold().split())


def approvals(seen: Seen, now: int) -> list[Row]:
    """What waits for a person, the oldest first; then, for a while, what waits no longer, and why."""
    rows = [_request(request, now) for request in seen.requests]
    for one in seen.ended:
        if 0 <= now - one.at < ENDED_SECONDS * 1_000_000:
            rows.append(Row(f"{ENDED}{one.command_id}", ("gone", "", cell(one.command_id), cell(one.why)), "dim"))
    return rows


def _request(request: Request, now: int) -> Row:
    command, order = request.command, request.order
    left = max(0, command.expires_at - now)
    risky = "NETWORK " if order.network else ""
    argv = " ".join(shown_argv(step.argv) for step in order.steps)
    asker = f"{command.session_id} ({named(cell(request.requester))})"
    return Row(command.id, (f"{span(left)} left", asker, f"{risky}{order.mode}", argv), "bold", command.conversation_id)


def agents(seen: Seen, now: int) -> list[Row]:
    """A row a session of the conversations that live, those first who need somebody."""
    found = []
    for talk in seen.talks:
        if talk.conversation.expired(now):
            continue
        for session in talk.sessions:
            state = state_of(session, now, seen.alive)
            heard = "never" if session.last_heartbeat is None else f"{span(now - session.last_heartbeat)} ago"
            said = f", was {session.status}" if state == "silent" else ""
            place = f"{session.id} of {talk.conversation.id}{said}"
            cells = (state, f"{session.unread} unread", heard, cell(session.role), place)
            row = Row(f"{talk.conversation.id}/{session.id}", cells, TONES.get(state, ""), talk.conversation.id)
            found.append((ORDER.index(state), row))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


def conversations(seen: Seen, now: int) -> list[Row]:
    """A row a conversation, newest activity first."""
    return [_talk(talk, seen, now) for talk in seen.talks]


def _talk(talk: Talk, seen: Seen, now: int) -> Row:
    conversation = talk.conversation
    expired = conversation.expired(now)
    until = "expired" if expired else f"{span(conversation.expires_at - now)} left"
    last = f"{talk.last.sender}>{talk.last.to} {span(now - talk.last.at)} ago" if talk.last else ""
    who = ", ".join(f"{session.id} {cell(session.role)}" for session in talk.sessions)
    cells = (conversation.id, until, f"{conversation.messages} msg", f"{talk.unread} unread", last, who)
    return Row(conversation.id, cells, "dim" if expired else "", conversation.id)


def journal(seen: Seen) -> list[Row]:
    """A row an entry, oldest first."""
    return [_entry(entry) for entry in seen.entries]


def _entry(entry: Entry) -> Row:
    where = f"{entry.conversation}/{entry.session}" if entry.session else entry.conversation or entry.actor
    refused = entry.outcome != "done"
    what = f"{entry.action} {entry.target}".rstrip()
    if refused:
        what += f"  refused: {entry.code}, {entry.facts.get('reason', '')}"
    at = microseconds_to_iso(entry.at)[11:19]
    cells = (str(entry.seq), at, cell(where), cell(what))
    return Row(str(entry.seq), cells, "bad" if refused else "", entry.conversation, cell(entry.actor))


def entry_lines(entry: Entry) -> list[str]:
    """One entry, whole."""
    facts = [(f"  {cell(name)}", cell(str(value))) for name, value in entry.facts.items()]
    pairs = [
        ("entry", str(entry.seq)),
        ("at", microseconds_to_iso(entry.at)),
        ("actor", cell(entry.actor)),
        ("action", cell(entry.action)),
        ("target", cell(entry.target)),
        ("where", f"{entry.conversation}/{entry.session}" if entry.session else entry.conversation),
        ("outcome", f"{entry.outcome} {entry.code}".rstrip()),
        ("digest", entry.digest),
        *facts,
    ]
    column = max(len(name) for name, _ in pairs) + 2
    return [f"{name.ljust(column)}{value}" for name, value in pairs if value]


def summary(seen: Seen, now: int) -> str:
    """Everybody in one line."""
    living = [talk for talk in seen.talks if not talk.conversation.expired(now)]
    states = Counter(state_of(session, now, seen.alive) for talk in living for session in talk.sessions)
    alive = states["working"] + states["waiting"] + states["blocked"]
    unread = sum(talk.unread for talk in living)
    parts = [f"{len(seen.requests)} to approve", f"{alive} alive", f"{states['waiting']} waiting"]
    return ", ".join([*parts, f"{states['silent']} silent", f"{unread} unread"])


def chosen(rows: Sequence[Row], wanted: str) -> list[Row]:
    """The rows that fit the filter."""
    return [row for row in rows if row.fits(wanted)] if wanted else list(rows)
