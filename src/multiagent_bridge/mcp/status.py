"""Tools of status: update_my_status, check_partner_status."""

from __future__ import annotations

from multiagent_bridge.guard.text import named, quoted
from multiagent_bridge.mcp.tools import TEXT, Answer, Call, Tool
from multiagent_bridge.model.sessions import STATUSES
from multiagent_bridge.services.status import Seen


async def update(call: Call) -> Answer:
    done = await call.hub.status.update(
        call.caller, call.credentials, call.arguments.get("status"), call.arguments.get("note")
    )
    return Answer(f"status: {done.status}\nunread: {done.unread}", done.fields())


async def check(call: Call) -> Answer:
    partners = await call.hub.status.partners(call.caller, call.credentials, call.arguments.get("partner"))
    return Answer("\n".join(_line(seen) for seen in partners.seen) or "no partners", partners.fields())


def _line(seen: Seen) -> str:
    fields = seen.fields()
    heard = (
        f"heartbeat {fields['last_heartbeat']}, {fields['age_seconds']} s ago"
        if fields["last_heartbeat"]
        else "never seen"
    )
    line = (
        f"session {seen.session.id} ({named(seen.session.role)}): {seen.session.status}, "
        f"{'alive' if seen.alive else 'not alive'}, {heard}, has not read: {seen.session.unread}"
    )
    if seen.sent:
        line += ", of yours: " + ", ".join(f"message {d.message_id} {d.state}" for d in seen.sent)
    return f"{line}\n{quoted(seen.note)}" if seen.note else line


TOOLS = (
    Tool(
        "update_my_status",
        "Say what you are doing; partners see it.",
        {"status": {"type": "string", "enum": list(STATUSES)}, "note": TEXT},
        update,
        required=("status",),
        repeatable=True,
    ),
    Tool(
        "check_partner_status",
        "Whether partners are alive, what they do, how many messages they have not read. partner: session id or role.",
        {"partner": TEXT},
        check,
        reads=True,
        repeatable=True,
    ),
)
