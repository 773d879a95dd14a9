"""Invite codes: made for one session, good for minutes, and taken up once."""

from __future__ import annotations

from multiagent_bridge.errors import NotAllowed, Refused
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.conversations import Binding, Conversation, Invite
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Ids, Keys, Tx
from multiagent_bridge.services.gate import Ticket


class Invites:
    """Each verb is a part of its caller's transaction."""

    def __init__(self, keys: Keys, ids: Ids, limits: Limits) -> None:
        self._keys = keys
        self._ids = ids
        self._limits = limits

    async def made(self, tx: Tx, session: Session, now: int, expires_at: int) -> str:
        """A new code for the session, good until its time is over or the conversation's, `expires_at`."""
        await tx.invites.sweep(now)
        code = self._ids.invite()
        until = min(now + self._limits.invite_seconds * SECOND, expires_at)
        await tx.invites.add(Invite(self.digest(code), session.conversation_id, session.id, until))
        return code

    async def taken(
        self, tx: Tx, now: int, ticket: Ticket, given: Credentials, digest: bytes
    ) -> tuple[Conversation, Session]:
        """Use up the code of that digest: the conversation and the session that it opens to the caller of `ticket`.

        Raises NotAllowed for one that opens nothing, Refused for an expired conversation or a connection that already is
        somebody else in it.
        """
        taken = await tx.invites.take(digest)
        session = await tx.sessions.get(taken.conversation_id, taken.session_id) if taken else None
        conversation = await tx.conversations.get(taken.conversation_id) if taken else None
        fits = taken is not None and bool(access.agreeing([_wanted(taken, now)], given))
        if taken is None or session is None or conversation is None or now >= taken.expires_at or not fits:
            raise NotAllowed(
                "that invite opens nothing",
                "it works once and for minutes; the owner makes a new one with: mab invite CONV SESSION",
                authentication="failed",
            )
        ticket.conversation, ticket.session = conversation.id, session.id
        if conversation.expired(now):
            raise Refused("the conversation has expired", f"its owner can renew it: mab extend {conversation.id}")
        bound = await tx.bindings.of(ticket.caller.agent)
        if access.contradicts(bound, Credentials(conversation.id, session.id)):
            raise Refused(
                "this connection is bound to another session of that conversation", "join from another connection"
            )
        ticket.authenticated = True
        return conversation, session

    def digest(self, code: str) -> bytes:
        """What a code is stored as."""
        return self._keys.code_digest(normal_code(code))


def normal_code(code: str) -> str:
    """An invite code as typed by a person: case and dashes do not count."""
    return code.strip().lower().replace("-", "").replace(" ", "")


def _wanted(invite: Invite, now: int) -> Binding:
    """The binding that taking up the invite would be."""
    return Binding("", invite.conversation_id, invite.session_id, 0, now)
