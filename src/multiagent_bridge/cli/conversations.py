"""Commands of conversations: create, invite, list, show, tokens, rotate, revoke, extend, cleanup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.errors import Invalid, Refused

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.sessions import Session
    from multiagent_bridge.services.conversations import Created, Place
    from multiagent_bridge.services.hub import Hub

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Conv = Annotated[str, typer.Argument(metavar="CONV", help="Conversation id.")]
Sess = Annotated[str | None, typer.Argument(metavar="SESSION", help="One session; all when left out.")]


def register(app: typer.Typer) -> None:
    for command in (create, invite, show, tokens, rotate, revoke, extend, cleanup):
        app.command()(command)
    app.command("list")(list_all)


def create(
    roles: Annotated[list[str], typer.Argument(metavar="ROLE", help="Two or more, one a session; the first is a's.")],
    ttl: Annotated[int | None, typer.Option("--ttl", help="Lifetime in seconds.")] = None,
    as_json: Json = False,
) -> None:
    """Open a conversation and print an invite for each session."""
    if len(roles) < 2:
        raise Invalid("a conversation has at least two roles", "mab create backend frontend")

    async def opened(hub: Hub, me: Caller) -> tuple[Created, str]:
        made = await hub.conversations.create(me, roles[0], roles[1], roles[2:], ttl)
        return made, await hub.conversations.invite(me, made.conversation.id, "a")

    made, first = owner.run(opened)
    fields = made.fields()
    seats = [
        {"session_id": s.id, "role": s.role, "invite": code or first}
        for s, code in zip(made.sessions, made.invites, strict=True)
    ]
    if as_json:
        output.data(fields | {"sessions": seats})
        return
    output.facts({"conversation": made.conversation.id, "expires_at": fields["expires_at"]})
    output.table(["session", "role", "invite"], [list(seat.values()) for seat in seats])
    output.say("tell each agent: join_conversation with its invite (once, for minutes)")


def invite(
    conversation: Conv,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Session id.")],
    as_json: Json = False,
) -> None:
    """Make a new one-time invite code for a session."""
    code = owner.run(lambda hub, me: hub.conversations.invite(me, conversation, session))
    if as_json:
        output.data({"conversation_id": conversation, "session_id": session, "invite": code})
    else:
        output.line(code)


def list_all(as_json: Json = False) -> None:
    """List every conversation."""
    places = owner.run(lambda hub, me: hub.conversations.list(me)).places
    if as_json:
        output.data([_row(place) for place in places])
        return
    rows = []
    for row in map(_row, places):
        sessions = " ".join(f"{s['session_id']}:{s['role']}" for s in _rows(row["sessions"]))
        rows.append((row["conversation_id"], sessions, row["messages"], row["expires_at"]))
    output.table(["conversation", "sessions", "messages", "expires"], rows)
    if not rows:
        output.say("no conversations; mab create ROLE ROLE opens one")


def _row(place: Place) -> dict[str, object]:
    sessions = [place.session, *place.partners]
    return {
        "conversation_id": place.conversation.id,
        "sessions": [{"session_id": s.id, "role": s.role, "unread": s.unread, "status": s.status} for s in sessions],
        "messages": place.conversation.messages,
        "expires_at": place.fields()["expires_at"],
    }


def show(
    conversation: Conv,
    after: Annotated[int, typer.Option(help="Only messages with a higher id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many messages.")] = 1000,
    as_json: Json = False,
) -> None:
    """Show a conversation: sessions, messages, and where each message stands (stored, notified, delivered, acknowledged)."""
    from multiagent_bridge.model.journal import microseconds_to_iso

    async def looked(hub: Hub, me: Caller) -> dict[str, object]:
        found, sessions = await hub.conversations.show(me, conversation)
        letters = await hub.messages.list(me, conversation, after, limit)
        return {
            "conversation_id": found.id,
            "created_at": microseconds_to_iso(found.created_at),
            "expires_at": microseconds_to_iso(found.expires_at),
            "sessions": [
                {"session_id": s.id, "role": s.role, "status": s.status, "unread": s.unread, "revoked": s.revoked}
                | {"last_heartbeat": microseconds_to_iso(s.last_heartbeat) if s.last_heartbeat else None}
                for s in sessions
            ],
            "messages": [
                letter.fields() | {"deliveries": [{"to": d.recipient, "state": d.state} for d in stands]}
                for letter, stands in letters
            ],
        }

    seen = owner.run(looked)
    if as_json:
        output.data(seen)
        return
    output.facts({name: seen[name] for name in ("conversation_id", "created_at", "expires_at")})
    output.table(
        ["session", "role", "status", "unread", "heartbeat"],
        [
            (s["session_id"], s["role"], s["status"], s["unread"], s["last_heartbeat"] or "never")
            for s in _rows(seen["sessions"])
        ],
    )
    for m in _rows(seen["messages"]):
        stands = " ".join(f"{d['to']}:{d['state']}" for d in _rows(m["deliveries"]))
        output.line(f"#{m['id']} {m['timestamp']} {m['from']} ({m['role']}) {m['action_type']} [{stands}]")
        for name in _rows(m["files_involved"]):
            output.line(f"  file | {name}")
        output.block(str(m["message"]))


def _rows(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def tokens(conversation: Conv, as_json: Json = False) -> None:
    """Show every session's token, to the owner of the state directory. The showing is an entry of the journal."""
    _print_tokens(conversation, owner.run(lambda hub, me: hub.conversations.tokens(me, conversation)), as_json)


def rotate(conversation: Conv, session: Sess = None, as_json: Json = False) -> None:
    """End the tokens, invites and bindings of a session (or all) and print the new tokens."""
    _print_tokens(conversation, owner.run(lambda hub, me: hub.conversations.rotate(me, conversation, session)), as_json)


def _print_tokens(conversation: str, found: Sequence[tuple[Session, str]], as_json: bool) -> None:
    rows = [{"session_id": s.id, "role": s.role, "token": token} for s, token in found]
    if as_json:
        output.data({"conversation_id": conversation, "sessions": rows})
    else:
        output.table(["session", "role", "token"], [list(row.values()) for row in rows])


def revoke(conversation: Conv, session: Sess = None) -> None:
    """End the tokens, invites and bindings of a session, or of all. `mab rotate` brings a session back."""
    ended = owner.run(lambda hub, me: hub.conversations.revoke(me, conversation, session))
    output.say(f"revoked: {', '.join(s.id for s in ended)}")


def extend(
    conversation: Conv,
    seconds: Annotated[int | None, typer.Option("--seconds", help="From now.")] = None,
    as_json: Json = False,
) -> None:
    """Set how long a conversation lives from now, also one that has expired."""
    from multiagent_bridge.model.journal import microseconds_to_iso

    extended = owner.run(lambda hub, me: hub.conversations.extend(me, conversation, seconds))
    until = microseconds_to_iso(extended.expires_at)
    if as_json:
        output.data({"conversation_id": conversation, "expires_at": until})
    else:
        output.line(until)


def cleanup(
    older_than: Annotated[int, typer.Option(min=0, help="Only those that expired this many seconds ago.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase expired conversations with their messages and keys. The journal stays."""
    import sys

    if not yes:
        if not sys.stdin.isatty():
            raise Refused("nothing was erased: nobody was there to agree", "add --yes")
        person.agreed(
            "Erase every expired conversation for good?", "nothing was erased", "run it again when you want it"
        )
    gone = owner.run(lambda hub, me: hub.conversations.cleanup(me, older_than))
    if as_json:
        output.data([c.id for c in gone])
    else:
        output.say(f"erased {len(gone)} conversation{'' if len(gone) == 1 else 's'}")
