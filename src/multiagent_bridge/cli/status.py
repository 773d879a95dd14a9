"""`mab status`: warnings, the hub, every conversation with its sessions. It starts nothing and changes nothing."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json

if TYPE_CHECKING:
    from multiagent_bridge.cli.running import Running
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.sessions import Session
    from multiagent_bridge.services.conversations import Place
    from multiagent_bridge.services.hub import Hub

REFRESH_SECONDS = 5.0
"""How often a watched status is looked at although nobody rang: sessions fall silent without a word."""

NEARLY_FULL = 0.9


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again whenever it changes, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show warnings, the hub, and every conversation with its sessions."""
    asyncio.run(_watched(as_json) if watch else _once(as_json))


async def _once(as_json: bool) -> None:
    from multiagent_bridge import config

    settings = config.load()
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(owner.hub()) if _has_store(settings) else None
        _print(await _seen(settings, hub), as_json, shared=_shared(settings))


async def _watched(as_json: bool) -> None:
    from multiagent_bridge import config
    from multiagent_bridge.services.ringing import JOURNAL

    settings = config.load()
    before: dict[str, Any] = {}
    while not _has_store(settings):
        if before != (before := await _seen(settings, None)):
            _again(before, as_json, _shared(settings))
        await asyncio.sleep(REFRESH_SECONDS)
    async with owner.hub() as hub, hub.bell.listen(JOURNAL) as ear:
        while True:
            size = (await hub.journal.head()).size
            seen = await _seen(settings, hub)
            if before != (before := seen):
                _again(seen, as_json, _shared(settings))
            # listing rings the bell as well, here and in every other watcher: only a longer journal is news
            until = time.monotonic() + REFRESH_SECONDS
            while (left := until - time.monotonic()) > 0 and (await hub.journal.head()).size == size:
                await ear.wait(left)


def _again(seen: dict[str, Any], as_json: bool, shared: bool) -> None:
    if as_json:
        output.json_line(seen)
        return
    output.clear()
    _print(seen, as_json=False, shared=shared)


def _shared(settings: Settings) -> bool:
    """Whether hubs of other machines may be on the same store: what is told of the hub is told of this machine's alone."""
    from multiagent_bridge.wiring import store_file

    return store_file(settings) is None


def _has_store(settings: Settings) -> bool:
    """Whether anything was ever stored: opening the store would make one."""
    from multiagent_bridge.wiring import store_file

    path = store_file(settings)
    return path is None or os.path.lexists(path)


async def _seen(settings: Settings, hub: Hub | None) -> dict[str, Any]:
    from multiagent_bridge.adapters.system import SystemClock
    from multiagent_bridge.cli import running

    at_hub = await asyncio.to_thread(running.look, settings.home)
    places = (await hub.conversations.list(owner.owner())).places if hub else ()
    newest = list(await hub.journal.newest(1)) if hub else []
    now = SystemClock().now()
    rows = [_conversation(place, settings, now) for place in places]
    return {
        "warnings": [*_hub_warnings(at_hub), *(text for row in rows for text in _warnings(row, settings))],
        "state_directory": str(settings.home),
        "hub": at_hub.fields(),
        "conversations": rows,
        "entries": newest[0].seq if newest else 0,
        "newest_entry": _entry(newest[0]) if newest else None,
    }


def _conversation(place: Place, settings: Settings, now: int) -> dict[str, Any]:
    return {
        "conversation_id": place.conversation.id,
        "expires_at": place.fields()["expires_at"],
        "expired": place.conversation.expired(now),
        "messages": place.conversation.messages,
        "sessions": [_session(s, settings, now) for s in (place.session, *place.partners)],
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


def _entry(entry: Any) -> dict[str, Any]:
    from multiagent_bridge.model.journal import microseconds_to_iso

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
                f"{name}: session {s['session_id']} ({s['role']}) is silent for {_span(s['age_seconds'])}{unread}"
            )
    most = settings.limits.conversation_messages
    if row["messages"] >= most * NEARLY_FULL:
        told.append(f"{name} is nearly full: {row['messages']:,} of {most:,} messages")
    return told


def _span(seconds: int) -> str:
    """A length of time as a person says it, in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _print(seen: dict[str, Any], as_json: bool, shared: bool) -> None:
    if as_json:
        output.data(seen)
        return
    for warning in seen["warnings"]:
        output.line(f"warning: {warning}", "yellow")
    hub = seen["hub"]
    told = {
        "answers": f"running, process {hub['pid']}, version {hub['version']}",
        "none": "not running; mab mcp starts it",
    }
    whose = "hub of this machine" if shared else "hub"
    output.line(f"{whose}: {told.get(hub['state'], hub['state'])}" + _connections(hub["connections"]))
    output.line(f"state directory: {seen['state_directory']}")
    if shared:
        output.line("store: on a PostgreSQL server, where hubs of other machines may be at work too")
    for row in seen["conversations"]:
        mark = "expired" if row["expired"] else "until"
        output.line(f"{row['conversation_id']}: {row['messages']} messages, {mark} {row['expires_at']}")
        cells = [
            (
                f"  {s['session_id']}",
                s["role"],
                "revoked" if s["revoked"] else s["status"],
                _life(s),
                f"{s['unread']} unread",
            )
            for s in row["sessions"]
        ]
        output.rows(cells)
    if not seen["conversations"]:
        output.line("no conversations")
    if newest := seen["newest_entry"]:
        outcome = f" {newest['code']}" if newest["code"] else ""
        what = f"{newest['actor']} {newest['action']} {newest['target']}{outcome}"
        output.line(f"newest entry: {newest['seq']} {newest['at']} {what}")


def _connections(number: int | None) -> str:
    return "" if number is None else f", {number} connected"


def _life(session: dict[str, Any]) -> str:
    if session["alive"]:
        return "alive"
    return "never seen" if session["age_seconds"] is None else f"silent for {_span(session['age_seconds'])}"
