"""Who may do what, and which session a call speaks for, judged from what it brought and what its connection is bound to."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import Invalid, NotAllowed
from multiagent_bridge.model.callers import OWNER, Caller, Credentials
from multiagent_bridge.model.conversations import Binding

_CONVERSATION = re.compile(r"conv_[0-9a-z]{12}")
_SESSION = re.compile(r"[a-z]{1,4}")
TOKEN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Rule:
    """What an action needs. `roles` suffice beside admin. `whole`: it is about the hub and not about one conversation, so
    whoever is confined to conversations may not do it.
    """

    roles: frozenset[str]
    whole: bool = False


def _rules(roles: str, *actions: str, whole: bool = False) -> dict[str, Rule]:
    return {action: Rule(frozenset(roles.split()), whole) for action in actions}


OWNERS = Rule(frozenset({OWNER}), whole=True)
"""Of the person at the terminal alone, and of every action that has no row: default deny."""

ACTIONS: Mapping[str, Rule] = {
    **_rules("agent", "conversation.create", whole=True),
    **_rules("agent", "conversation.join", "session.look", "message.send", "message.check", "message.notify"),
    **_rules("agent", "status.update", "status.heartbeat", "status.check", "wakeup.look"),
    **_rules("agent", "task.assign", "task.update", "task.list", "yolo.ask", "command.execute"),
    **_rules("agent operator", "conversation.list"),
    **_rules("operator", "conversation.show", "message.show", "message.speak", "task.show"),
    **_rules("operator", "yolo.status", "command.list", "command.show"),
    **_rules("operator", "command.propose", "command.approve", "command.deny", "yolo.deny", "yolo.disable"),
    **_rules("operator", "passkey.register"),
    **_rules("operator auditor", "journal.read"),
    **_rules("operator auditor", "journal.verify", "journal.checkpoint", "metrics.read", "health.read", whole=True),
    **_rules("auditor", "journal.export", "journal.report", whole=True),
    **_rules("operator auditor", "browser.link"),
    **_rules("agent operator auditor", "browser.sign_out"),
    **_rules("", "browser.list", "browser.revoke", whole=True),
    **_rules("", "invite.create", "token.show", "token.rotate", "token.revoke"),
    **_rules("", "conversation.extend", "conversation.erase"),
    **_rules("", "conversation.import", "snapshot.list", "snapshot.compare", "snapshot.restore", whole=True),
    **_rules("", "snapshot.remove", "key.create", "key.list", "key.revoke", whole=True),
    # a person types these at the terminal (SPEC section 5), or the hub itself does them
    **dict.fromkeys(
        (
            "yolo.offer",
            "yolo.enable",
            "passkey.invite",
            "passkey.list",
            "passkey.remove",
            "credentials.push",
            "conversation.tidy",
            "watchdog.check",
            "store.backup",
            "store.restore",
            "master_key.list",
            "master_key.rotate",
            "master_key.rewrap",
            "master_key.retire",
            "master_key.reseal",
        ),
        OWNERS,
    ),
}
"""Who may do what, action by action; admin may do all that is not the owner's alone."""


PERSONAL: Mapping[str, str] = {
    "command.approve": "approves no command",
    "message.speak": "does not speak as a person",
}
"""What no identity with the role agent does, whatever else it has, and how it is told."""


def permit(caller: Caller, action: str) -> None:
    """Raises NotAllowed unless a role of the caller allows the action. Default deny: an action without a row is the owner's."""
    rule = ACTIONS.get(action, OWNERS)
    if OWNER in caller.roles:
        return
    if OWNER in rule.roles:
        raise NotAllowed(
            "only the owner of the state directory may do this", "ask the person at the terminal", missing="role"
        )
    allowed = rule.roles | {"admin"}
    if not caller.roles & allowed:
        wanted = " or ".join(sorted(allowed))
        raise NotAllowed("no role of this identity allows this", f"it takes the role {wanted}", missing="role")
    if rule.whole and caller.conversations is not None:
        raise NotAllowed(
            "this identity is confined to conversations, and this is about the whole hub",
            "use a key that is not confined",
            missing="role",
        )
    if action in PERSONAL and "agent" in caller.roles:
        raise NotAllowed(
            f"an identity with the role agent {PERSONAL[action]}",
            "use a key of the role operator alone",
            missing="role",
        )


def same(given: str, wanted: str) -> bool:
    """Constant-time comparison of secrets; any text may be given, non-ASCII and over-long included."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8"))


def credentials(conversation_id: object, session_id: object, token: object) -> Credentials:
    """Credentials as a call brought them; anything but text is Invalid, and so is a token without the session it is for."""
    for name, value in (("conversation_id", conversation_id), ("session_id", session_id), ("token", token)):
        if value is not None and not isinstance(value, str):
            raise Invalid(f"{name} must be text", "pass a string, or leave it out on a bound connection")
    given = Credentials(conversation_id or None, session_id or None, token or None)  # type: ignore[arg-type]
    if given.token and not (given.conversation_id and given.session_id):
        raise Invalid("a token was given without its conversation_id and session_id", "pass all three or none")
    return given


def wellformed(given: Credentials) -> bool:
    """Whether conversation and session have the shape of ids: a lookup of anything else is pointless."""
    return bool(
        given.conversation_id
        and given.session_id
        and _CONVERSATION.fullmatch(given.conversation_id)
        and _SESSION.fullmatch(given.session_id)
    )


def conversation_shown(given: Credentials) -> str:
    """The conversation id that was asked for, if it may stand in a journal entry."""
    wanted = given.conversation_id or ""
    return wanted if _CONVERSATION.fullmatch(wanted) else ""


def agreeing(bindings: Sequence[Binding], given: Credentials) -> list[Binding]:
    """Those of a connection's bindings that fit what was given."""
    return [
        b
        for b in bindings
        if given.conversation_id in (None, b.conversation_id) and given.session_id in (None, b.session_id)
    ]


def only(bindings: Sequence[Binding], given: Credentials) -> Binding:
    """The one binding a call without a token means. Raises NotAllowed for none and Invalid for several."""
    if len(bindings) == 1:
        return bindings[0]
    if not bindings:
        if given.conversation_id:
            raise NotAllowed(
                "this connection is not in that conversation",
                "join it with an invite, or pass conversation_id, session_id and token; if it was in it before, that session "
                "was rotated, revoked or erased: ask for a new invite",
            )
        raise NotAllowed(
            "this connection is in no conversation",
            "create_conversation, or join_conversation with an invite; if it was in one before, that session was rotated, "
            "revoked or erased: ask for a new invite",
        )
    choices = ", ".join(f"{b.conversation_id} as {b.session_id}" for b in bindings[:8])
    twice = len({b.conversation_id for b in bindings}) < len(bindings)
    names = "conversation_id and session_id" if twice else "conversation_id"
    raise Invalid("it is not clear which conversation is meant", f"pass {names}: {choices}")


def taken() -> NotAllowed:
    """A namesake's live connection acts as the only session this name has there."""
    return NotAllowed(
        "another running connection of this name acts as that session",
        "close it, or join with an invite of your own: the owner makes one with mab invite CONV SESSION",
    )


def contradicts(bindings: Sequence[Binding], given: Credentials) -> bool:
    """Whether the connection is bound in that conversation, but as somebody else (SPEC section 2: they must agree)."""
    here = [b for b in bindings if b.conversation_id == given.conversation_id]
    return bool(here) and all(b.session_id != given.session_id for b in here)


def left_behind(used: bool, generation: int) -> NotAllowed:
    """A token that once opened the session, of that generation, and was followed by another; `used`: by one that is in use.

    Only whoever holds that token is told so, and nobody else can find out.
    """
    if not used:
        return NotAllowed(
            "this token was renewed, and its time is over",
            "pass the renewed_token that answers brought; without it the owner shows the one of today: mab tokens CONV",
            authentication="failed",
        )
    return NotAllowed(
        "this token was renewed, and the one that follows it is in use",
        "pass the renewed_token that an answer brought; if no answer brought you one, somebody else has it: tell the owner, "
        "who ends it with mab rotate CONV",
        authentication="failed",
        reused=generation,
    )


def refusal() -> NotAllowed:
    """One sentence for every way credentials can be wrong, so that nobody learns which part was right."""
    return NotAllowed(
        "these credentials open no session",
        "check conversation_id, session_id and token; the owner can see them with: mab tokens CONV",
        authentication="failed",
    )
