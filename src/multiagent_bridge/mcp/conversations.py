"""Tools of conversations: create_conversation, join_conversation, list_conversations."""

from __future__ import annotations

from multiagent_bridge.guard.text import named
from multiagent_bridge.mcp.tools import COUNT, CREDENTIALS, TEXT, TEXTS, Answer, Call, Tool
from multiagent_bridge.services.conversations import Place


async def create(call: Call) -> Answer:
    made = await call.hub.conversations.create(
        call.caller,
        **(
            {"my_role": None, "partner_role": None} | call.words("my_role", "partner_role", "more_roles", "ttl_seconds")
        ),
    )
    fields = made.fields()
    lines = [
        f"conversation {made.conversation.id}, you are session a ({named(made.sessions[0].role)}), until {fields['expires_at']}"
    ]
    for session, token, invite in zip(made.sessions, made.tokens, made.invites, strict=True):
        lines.append(
            f"session {session.id} ({named(session.role)}): "
            + (f"invite {invite}, " if invite else "")
            + f"session_{session.id}_token {token}"
        )
    lines.append("next: give each partner its invite; they call join_conversation(invite=...)")
    return Answer("\n".join(lines), fields)


async def join(call: Call) -> Answer:
    place = await call.hub.conversations.join(call.caller, call.credentials, call.arguments.get("invite"))
    next_call = "check_messages()" if place.session.unread else "send_to_partner(message=...)"
    return Answer(f"joined {_line(place)}\nnext: {next_call}", place.fields())


async def list_all(call: Call) -> Answer:
    places = await call.hub.conversations.list(call.caller, call.credentials)
    lines = [_line(place) for place in places.places] or ["no conversations"]
    return Answer("\n".join([f"you are {places.agent}", *lines]), places.fields())


def _line(place: Place) -> str:
    partners = ", ".join(f"{p.id} ({named(p.role)})" for p in place.partners)
    fields = place.fields()
    return (
        f"{place.conversation.id} as {place.session.id} ({named(place.session.role)}), partners: {partners}, "
        f"unread: {place.session.unread}, until {fields['expires_at']}"
    )


TOOLS = (
    Tool(
        "create_conversation",
        "Open a conversation. You become session a; hand each partner the invite shown for it.",
        {"my_role": TEXT, "partner_role": TEXT, "more_roles": TEXTS, "ttl_seconds": COUNT},
        create,
        required=("my_role", "partner_role"),
        bound=False,
    ),
    Tool(
        "join_conversation",
        "Join with an invite code, or with conversation_id, session_id and token. Later calls need no credentials.",
        {"invite": TEXT, **CREDENTIALS},
        join,
        bound=False,
    ),
    Tool(
        "list_conversations", "Your conversations and their unread counts.", {}, list_all, reads=True, repeatable=True
    ),
)
