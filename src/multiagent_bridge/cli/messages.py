"""Commands of messages: send, check, heartbeat, tail."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Conv, Json
from multiagent_bridge.errors import Invalid, NotFound
from multiagent_bridge.model.callers import Credentials, Renewed

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.services.hub import Hub

As = Annotated[str, typer.Option("--session", "-s", help="The session to act as.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="MAB_TOKEN", help="Act by this token, limits and all, instead of as the owner."),
]


def register(app: typer.Typer) -> None:
    for command in (send, check, heartbeat, tail):
        app.command()(command)


def send(
    conversation: Conv,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The text; - reads standard input.")],
    session: As = "a",
    action_type: Annotated[str, typer.Option("--type", help="question, info, proposal, blocked, ...")] = "info",
    to: Annotated[
        list[str] | None, typer.Option("--to", help="Session id or role; everyone else when left out.")
    ] = None,
    files: Annotated[list[str] | None, typer.Option("--file", help="A file the message is about.")] = None,
    reply_to: Annotated[int | None, typer.Option("--reply-to", help="Message id.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key.")] = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Send a message as one session of a conversation."""
    text = _standard_input() if message == "-" else message
    given = Credentials(conversation, session, token or None, Renewed())
    sent = owner.run(
        lambda hub, me: hub.messages.send(me, given, text, action_type, files or None, to or None, reply_to, key),
        caller_of(token),
    )
    if as_json:
        output.data(sent.fields() | renewal(given))
        return
    output.line(f"{sent.message_id}")
    if sent.redactions:
        output.say(f"redacted: {', '.join(sent.redactions)}")
    tell_renewal(given)


def check(
    conversation: Conv,
    session: As = "b",
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for mail.")] = 0,
    limit: Annotated[int | None, typer.Option(help="At most so many messages.")] = None,
    history: Annotated[bool, typer.Option("--history", help="What was read before.")] = False,
    query: Annotated[str | None, typer.Option("--query", help="Search.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the messages unread.")] = False,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Read the mail of one session."""

    async def read(hub: Hub, me: Caller) -> None:
        left, given = wait, Credentials(conversation, session, token or None, Renewed())
        while True:
            claim, step = hub.ids.claim(), min(left, hub.limits.wait_seconds_max)
            printed = False
            try:
                mail = await hub.messages.check(me, given, claim, step, limit, None, not keep, history, None, query)
                left -= step
                if mail.letters or left <= 0:
                    _print(mail.fields() | (renewal(given) if as_json else {}), as_json)
                    printed = True
                    if not as_json:
                        tell_renewal(given)
                    return
            finally:
                await (hub.messages.confirm(claim) if printed else hub.messages.release(me, claim))

    owner.run(read, caller_of(token))


def caller_of(token: str | None) -> Caller:
    """The owner; with a token somebody of whom nothing else is known, so that the door asks for it."""
    from multiagent_bridge.model.callers import Caller

    return Caller(agent="", name="terminal", peer=owner.owner().peer) if token else owner.owner()


def renewal(given: Credentials) -> dict[str, str]:
    """What the result has beside its own fields when the token that was given is followed by another."""
    return given.renewed.fields() if given.renewed else {}


def tell_renewal(given: Credentials) -> None:
    """Say which token follows the one that was given, if one does."""
    for name, token in renewal(given).items():
        output.say(f"{name}: {token} (use it from now on)")


def _standard_input() -> str:
    if sys.stdin is None:
        raise Invalid("standard input is closed", "pass the text as an argument")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("standard input is not UTF-8 text", "convert it first, or encode the bytes") from error


def _print(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.data(fields)
        return
    for m in fields["messages"]:
        output.line(f"#{m['id']} {m['timestamp']} {m['from']} ({m['role']}) {m['action_type']}")
        for name in m["files_involved"]:
            output.line(f"  file | {name}")
        output.block(m["message"])
    output.say(f"unread: {fields['unread']}")


def heartbeat(conversation: Conv, session: As = "a", token: Token = None, as_json: Json = False) -> None:
    """Say that a session is alive."""
    given = Credentials(conversation, session, token or None)
    unread = owner.run(lambda hub, me: hub.status.heartbeat(me, given), caller_of(token))
    if as_json:
        output.data({"session_id": session, "unread": unread})
    else:
        output.line(f"unread: {unread}")


def tail(
    conversation: Annotated[str | None, typer.Argument(metavar="CONV", help="Only this conversation.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=1000, help="Entries to begin with.")] = 10,
    once: Annotated[bool, typer.Option("--once", help="Do not follow.")] = False,
    texts: Annotated[bool, typer.Option("--texts/--no-texts", help="Show what was said, too.")] = True,
    as_json: Json = False,
) -> None:
    """Follow what happens: every entry of the journal as it is written, with the text of messages."""

    from multiagent_bridge.services.ringing import JOURNAL

    async def follow() -> None:
        async with AsyncExitStack() as stack:
            hub = await stack.enter_async_context(owner.hub())
            ear = await stack.enter_async_context(hub.bell.listen(JOURNAL))
            seen = 0
            newest = await hub.journal.newest(lines or 1, conversation)
            if conversation and not newest:
                raise NotFound("no entry names that conversation", "mab list shows them")
            if texts:
                await hub.journal.note(owner.owner(), "message.tail", conversation or "")
            for entry in newest:
                seen = entry.seq
                if lines:
                    await _show(hub, entry, texts, as_json)
            while not once:
                for entry in await hub.journal.entries(seen, 200, conversation):
                    seen = entry.seq
                    await _show(hub, entry, texts, as_json)
                await ear.wait(5.0)

    asyncio.run(follow())


async def _show(hub: Hub, entry: Entry, texts: bool, as_json: bool) -> None:
    import json

    said = None
    if texts and entry.action == "message.send" and entry.outcome == "done":
        said = await hub.messages.said(owner.owner(), entry.conversation, int(entry.facts.get("message_id") or 0))
    if as_json:
        output.json_line(json.loads(entry.line) | ({"message": said} if said is not None else {}))
        return
    from multiagent_bridge.model.journal import microseconds_to_iso

    where = f"{entry.conversation}/{entry.session}" if entry.session else entry.conversation or entry.actor
    mark = "" if entry.outcome == "done" else f"  refused: {entry.code}, {entry.facts.get('reason', '')}"
    output.line(f"{entry.seq:>6}  {microseconds_to_iso(entry.at)}  {where}  {entry.action}  {entry.target}{mark}")
    if said is not None:
        output.block(said, "        | ")
