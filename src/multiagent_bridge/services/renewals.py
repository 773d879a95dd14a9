"""Tokens that age: followed by a new one at a call of their session, told to whoever brought the old one (docs/guide/keys.md).

Nobody is left without a token: the one before goes on opening the session until its holder, who was answered with the new one,
had `grace_seconds` to take it up. It ends at once when the new one is used.
"""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, NotAllowed
from multiagent_bridge.guard import access
from multiagent_bridge.guard import renewals as guard
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.renewals import ENDED, OPEN
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Seat, Ticket
from multiagent_bridge.services.overlaps import OverlapGate

QUIET = frozenset({"status.heartbeat", "session.look"})
"""Acts that neither renew a token nor take one up: programs do them by themselves, beside the agent whose token it is."""

RECOGNISED = 8
"""Generations back to which a token is recognised when it is used again."""


class RenewalGate(OverlapGate):
    """The door, where tokens are renewed by `Limits.rotate_seconds`; 0: they are not, and overlaps that are open end as ever."""

    async def _aged(
        self, tx: Tx, given: Credentials, ticket: Ticket, now: int, conversation: Conversation, session: Session
    ) -> Session:
        """Renew the token if it has aged, take up the one that was offered, or offer it again.

        A call that brought no token is told none: its connection goes on, and whoever holds the token is told at a call with it.
        """
        ticket.renewed = ""
        if ticket.action in QUIET:
            return session
        mine, generation = (session.conversation_id, session.id), session.generation
        today = not given.token or self._opens(given.token, *mine, generation)
        if today and not self._limits.rotate_seconds and not (given.token and generation > 1):
            # nothing is to be renewed, and there is no overlap that this call ends
            return session
        if not today:
            await tx.renewals.offer(*mine, generation, now)
            await self._told(tx, ticket, now, session, "token.offer")
            return session
        found = await tx.renewals.get(*mine)
        if given.token and found is not None and found.overlap == OPEN:
            await tx.renewals.take_up(*mine, generation)
            await self._journal.record(tx, ticket, now, "token.take_up", session.id, {"generation": generation})
            found = await tx.renewals.get(*mine)
        limits = self._limits
        if not guard.due(found, conversation.created_at, now, limits.rotate_seconds, limits.grace_seconds):
            return session
        if not await tx.renewals.renew(*mine, generation, now, bool(given.token)):
            raise Conflict("the token of the session was changed meanwhile", "repeat the call: nothing was done")
        session = replace(session, generation=generation + 1)
        if given.token:
            await self._told(tx, ticket, now, session, "token.renew")
        else:
            facts: dict[str, Fact] = {"generation": session.generation, "to": ""}
            await self._journal.record(tx, ticket, now, "token.renew", session.id, facts)
        return session

    async def _told(self, tx: Tx, ticket: Ticket, now: int, session: Session, action: str) -> None:
        """Answer this call with the session's token, which is an entry."""
        facts: dict[str, Fact] = {
            "generation": session.generation,
            "to": self._journal.safe(ticket.caller.label),
        }
        await self._journal.record(tx, ticket, now, action, session.id, facts)
        ticket.renewed = self._keys.token(session.conversation_id, session.id, session.generation)

    async def _by_token(self, tx: Tx, caller: Caller, given: Credentials) -> Seat:
        try:
            return await super()._by_token(tx, caller, given)
        except NotAllowed as refusal:
            # only a token that would be refused costs another look, whether its session is there or not
            return await super()._by_token(tx, caller, await self._following(tx, given, refusal))

    async def _following(self, tx: Tx, given: Credentials, refusal: NotAllowed) -> Credentials:
        """The credentials with the token of today in place of the one before it, while that one opens.

        Raises `refusal` for what never was a token of the session, or was ended by a person; NotAllowed in other words for one
        that was left behind.
        """
        found = None
        if access.wellformed(given):
            found = await tx.sessions.get(given.conversation_id or "", given.session_id or "")
        conversation, session, generation = (
            (found.conversation_id, found.id, found.generation) if found else ("conv_", "a", 0)
        )
        steps = range(1, RECOGNISED + 1)
        back = [n for n in steps if self._opens(given.token or "", conversation, session, generation - n)]
        if found is None or found.revoked or not back or back[0] >= generation:
            raise refusal
        renewal = await tx.renewals.get(conversation, session)
        ended = renewal is None or renewal.overlap == ENDED or generation - back[0] < renewal.restarted
        if renewal is None or ended or await tx.conversations.get(conversation) is None:
            raise refusal
        opens = guard.opens(renewal, self._clock.now(), self._limits.grace_seconds)
        if back[0] == 1 and (opens or given.admitted):
            return replace(given, token=self._keys.token(conversation, session, generation))
        used = back[0] > 1 or renewal.overlap != OPEN
        raise access.left_behind(used, generation - back[0]) from refusal

    async def _warned(self, tx: Tx, ticket: Ticket, now: int, given: Credentials, refusal: BridgeError) -> None:
        """A token that was left behind is used again: two hold it, or its holder lost the next. A person is to see that."""
        if (reused := refusal.facts.get("reused")) is None:
            return
        draft = Draft(
            at=now,
            conversation=given.conversation_id or "",
            session=given.session_id or "",
            actor=ticket.actor,
            action="token.reuse",
            target=given.session_id or "",
            facts={"generation": int(reused), "attempted": ticket.action},
        )
        await self._journal.append(tx, draft)

    def _opens(self, token: str, conversation_id: str, session_id: str, generation: int) -> bool:
        """Whether it is a token of that generation, under any master key that counts. Looks at every one of them."""
        found = [access.same(token, one) for one in self._keys.tokens(conversation_id, session_id, generation)]
        return any(found)
