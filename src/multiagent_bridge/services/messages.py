"""Messages: send, check, confirm or give back, look back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, Invalid, NotFound, Refused, Unavailable
from multiagent_bridge.guard import messages as guard
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.mail import Asked, Letter, Mail, Outgoing, Sent, Words
from multiagent_bridge.model.messages import DEFAULT_ACTION_TYPE, Delivery, Message
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Bell, Clock, Keys, Store, Tx
from multiagent_bridge.services.gate import Gate, Standing, Ticket, origin
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.letters import OPERATOR, ROLES, opened
from multiagent_bridge.services.redaction import Redaction

Progress = Callable[[float], Awaitable[None]]

TICK_SECONDS = 10.0
"""How often a waiting call shows progress: clients' idle timers start again at each (notes/mcp: every 5 to 10 s)."""

_quoted = json.encoder.encode_basestring_ascii

SCAN = 64
"""Messages decrypted in one transaction while searching: at most some 20 MB in memory."""


def inbox(conversation_id: str, session_id: str) -> str:
    """The bell's topic for one session's mail."""
    return f"inbox:{conversation_id}/{session_id}"


class Messages:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        store: Store,
        bell: Bell,
        clock: Clock,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._store = store
        self._bell = bell
        self._clock = clock
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def send(
        self,
        caller: Caller,
        given: Credentials,
        message: object,
        action_type: object = DEFAULT_ACTION_TYPE,
        files_involved: object = None,
        to: object = None,
        reply_to: object = None,
        idempotency_key: object = None,
    ) -> Sent:
        """Store one redacted message for its recipients, durably, then wake them.

        Raises Invalid (sizes of SPEC section 3, unknown recipients), TooFast, Refused (quota, expiry), NotAllowed,
        Conflict (the idempotency key stands for another message), Unavailable.
        """
        try:
            words = guard.words(self._limits, message, action_type, files_involved, to, reply_to, idempotency_key)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "message.send", refusal) from refusal

        async def stored(me: Standing) -> tuple[str, Sent]:
            return me.conversation.id, await self._stored(me, words)

        mine, sent = await self._gate.enter(caller, given, "message.send", self._limits.writes, stored)
        self._ring(mine, sent)
        return sent

    async def speak(
        self,
        caller: Caller,
        conversation_id: str,
        message: object,
        action_type: object = DEFAULT_ACTION_TYPE,
        to: object = None,
        reply_to: object = None,
        idempotency_key: object = None,
    ) -> Sent:
        """Say something into a conversation as `OPERATOR`: a person, and none of its sessions. Otherwise as `send`.

        The same words to the same sessions with the same key are one message. Raises NotFound and what `send` raises; an
        identity with the role agent is refused.
        """

        async def spoken(tx: Tx, now: int, ticket: Ticket) -> Sent:
            words = guard.words(self._limits, message, action_type, None, to, reply_to, idempotency_key)
            conversation = await tx.conversations.get(conversation_id)
            if conversation is None:
                raise NotFound("no such conversation", "mab list shows them")
            ticket.conversation, ticket.session = conversation_id, OPERATOR
            if conversation.expired(now):
                raise Refused("the conversation has expired", f"its owner can renew it: mab extend {conversation_id}")
            if not caller.operator:
                await self._gate.limit(tx, f"{origin(caller)}:speak", self._limits.writes, now)
            if words.key is not None:
                whole = (caller.label, words.key, words.action_type, list(words.to), words.reply_to, words.message)
                words = replace(words, key=json.dumps(whole))
            me = Session(conversation_id, OPERATOR, ROLES[OPERATOR])
            sessions = await tx.sessions.of(conversation_id)
            return await self._stored(Standing(tx, now, conversation, me, sessions, ticket, self._journal), words)

        sent = await self._gate.own(caller, "message.speak", spoken)
        self._ring(conversation_id, sent)
        return sent

    async def check(
        self,
        caller: Caller,
        given: Credentials,
        claim: str,
        wait_seconds: object = 0,
        limit: object = None,
        ack_through: object = None,
        auto_ack: object = True,
        history: object = False,
        before: object = None,
        query: object = None,
        progress: Progress | None = None,
    ) -> Mail:
        """New mail, oldest first, waiting up to `wait_seconds` for the first; or, with `history` or `query`, old mail.

        Letters handed over with `auto_ack` stand under `claim`: the caller must `confirm` it once the answer was written
        and `release` it in every other case, cancellation included. Raises Invalid, NotAllowed, Refused, TooFast, Unavailable.
        """
        try:
            asked = guard.asked(self._limits, wait_seconds, limit, ack_through, auto_ack, history, before, query)
            if asked.query is not None:
                asked = replace(asked, query=self._redaction.text(asked.query).text)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "message.check", refusal) from refusal
        conversation = ""

        async def first(me: Standing) -> Mail:
            nonlocal conversation
            conversation = me.conversation.id
            if asked.query is not None:
                await me.record("message.search", f"session {me.session.id}", {"before": asked.before})
                return Mail((), me.session.unread, me.conversation.id, me.session.id)
            return await self._looked(me, asked, claim)

        mail = await self._gate.enter(caller, given, "message.check", self._limits.reads, first, asked.backwards)
        if asked.query is None and (mail.letters or asked.backwards or not asked.wait_seconds):
            return mail
        here = Credentials(mail.conversation_id, mail.session_id, given.token, admitted=True)
        try:
            if asked.query is not None:
                return await self._searched(caller, here, mail, asked)
            return await self._waited(caller, here, mail, asked, claim, progress)
        except Unavailable:
            raise
        except BridgeError as refusal:
            # expired or revoked while it waited or searched
            raise await self._gate.refuse(caller, here, "message.check", refusal, seated=False) from refusal

    async def _waited(
        self, caller: Caller, here: Credentials, mail: Mail, asked: Asked, claim: str, progress: Progress | None
    ) -> Mail:
        ends = self._clock.monotonic() + int(asked.wait_seconds * SECOND)
        async with self._bell.listen(inbox(mail.conversation_id, mail.session_id)) as ear:
            while True:
                mail = await self._again_looked(caller, here, asked, claim)
                left = (ends - self._clock.monotonic()) / SECOND
                if mail.letters or left <= 0:
                    return mail
                while not await ear.wait(max(0.0, min(left, TICK_SECONDS))):
                    left = (ends - self._clock.monotonic()) / SECOND
                    if left <= 0 or await self._store.read(lambda tx: self._moved(tx, caller, here)):
                        break
                    if progress is not None:
                        await progress(asked.wait_seconds - left)

    async def _moved(self, tx: Tx, caller: Caller, here: Credentials) -> bool:
        """The look of a tick, without writing: is there mail after all? Raises when the session may no longer read."""
        me = await self._gate.standing(tx, caller, here, self._clock.now())
        return me.session.unread > 0

    async def _again_looked(self, caller: Caller, here: Credentials, asked: Asked, claim: str) -> Mail:
        """Look once more within one admitted call: authenticated again, not charged again."""

        async def look(tx: Tx) -> Mail:
            me = await self._gate.standing(tx, caller, here, self._clock.now(), "message.check")
            return await self._looked(me, asked, claim)

        return await self._store.write(look, brief=True)

    async def _looked(self, me: Standing, asked: Asked, claim: str) -> Mail:
        """The letters one look finds, marked in the transaction that reads them."""
        mine, reader = me.conversation.id, me.session.id
        unread = me.session.unread
        if asked.ack_through is not None:
            if await me.tx.messages.ack(mine, reader, asked.ack_through, me.now):
                await me.record("message.ack", f"message {asked.ack_through}", {"through": asked.ack_through})
            now_unread = await me.tx.sessions.get(mine, reader)
            unread = now_unread.unread if now_unread else 0
        if asked.history:
            found = await me.tx.messages.history(mine, reader, asked.before, asked.limit)
        else:
            stale = me.now - self._limits.claim_seconds * SECOND
            found = await me.tx.messages.unread(mine, reader, asked.limit, stale)
        found = guard.fitting(found, self._limits.page_characters, newest=asked.history)
        if not found:
            return Mail((), unread, mine, reader)
        letters = self._opened(me.conversation, me.sessions, found)
        action = "message.reread" if asked.history else "message.peek"
        claimed = asked.auto_ack and not asked.history
        if claimed:
            await me.tx.messages.claim(mine, reader, [m.id for m in found], claim, me.now)
            after = await me.tx.sessions.get(mine, reader)
            unread = after.unread if after else 0
            action = "message.deliver"
        elif not asked.history:
            await me.tx.messages.shown(mine, reader, [m.id for m in found], me.now)
        facts = {"count": len(found), "first": found[0].id, "last": found[-1].id}
        await me.record(action, f"message {found[-1].id}", facts)
        return Mail(letters, unread, mine, reader, claimed)

    async def _searched(self, caller: Caller, here: Credentials, mail: Mail, asked: Asked) -> Mail:
        """Decrypt and scan, newest first, some dozens a transaction (notes: 13 microseconds each)."""
        words = (asked.query or "").casefold().split()
        hits: list[Letter] = []
        before = asked.before

        async def scanned(tx: Tx) -> tuple[int | None, Sequence[Letter]]:
            me = await self._gate.standing(tx, caller, here, self._clock.now(), looking_back=True)
            page = await tx.messages.received(me.conversation.id, me.session.id, before, SCAN)
            letters = self._opened(me.conversation, me.sessions, page)
            return (page[-1].id if len(page) == SCAN else None), [x for x in letters if guard.mentions(x, words)]

        while len(hits) < asked.limit:
            before, found = await self._store.read(scanned)
            hits.extend(found)
            if before is None:
                break
        return Mail(hits[: asked.limit][::-1], mail.unread, mail.conversation_id, mail.session_id)

    async def confirm(self, claim: str) -> None:
        """The answer that carried what `claim` stands for was written: it is read. Raises Unavailable."""
        await self._store.write(lambda tx: tx.messages.confirm(claim, self._clock.now()), brief=True)

    async def release(self, caller: Caller, claim: str) -> None:
        """The answer was not written: what `claim` stands for is unread again, and its readers hear of it."""
        await self._returned(caller, lambda tx: tx.messages.release(claim))

    async def unconfirm(self, caller: Caller, mail: Mail) -> None:
        """The answer was written but its call had been cancelled: nobody looked, so it is unread again."""
        ids = [letter.message.id for letter in mail.letters]
        await self._returned(caller, lambda tx: tx.messages.unconfirm(mail.conversation_id, mail.session_id, ids))
        self._bell.ring(inbox(mail.conversation_id, mail.session_id))

    async def recover(self, caller: Caller, owner: str) -> None:
        """Give back what hubs of that owner name had claimed and never wrote. Only the one running hub may call this."""
        await self._returned(caller, lambda tx: tx.messages.release_owner(owner))

    async def _returned(self, caller: Caller, give_back: Callable[[Tx], Awaitable[int]]) -> None:
        started = self._clock.monotonic()

        async def returned(tx: Tx) -> None:
            if count := await give_back(tx):
                ticket = Ticket(caller, "message.return", started)
                await self._journal.record(tx, ticket, self._clock.now(), "message.return", "", {"count": count}, "")

        await self._store.write(returned)

    async def list(
        self, caller: Caller, conversation_id: str, after: int, limit: int
    ) -> Sequence[tuple[Letter, Sequence[Delivery]]]:
        """Every message with where it stands for each recipient, for the owner; the looking is an entry. Raises NotFound."""

        async def listed(tx: Tx, now: int, ticket: Ticket) -> Sequence[tuple[Letter, Sequence[Delivery]]]:
            conversation = await tx.conversations.get(conversation_id)
            if conversation is None:
                raise NotFound("no such conversation", "mab list shows them")
            ticket.conversation = conversation_id
            sessions, told = await tx.sessions.of(conversation_id), await tx.sessions.told(conversation_id)
            letters = self._opened(conversation, sessions, await tx.messages.list(conversation_id, after, limit))
            if letters:
                facts = {"count": len(letters), "last": letters[-1].message.id}
                await self._journal.record(tx, ticket, now, "message.show", conversation_id, facts, "")
            found = [(x, await tx.messages.deliveries(conversation_id, x.message.id)) for x in letters]
            return [
                (x, [replace(d, notified=d.message_id <= told.get(d.recipient, 0)) for d in stands])
                for x, stands in found
            ]

        return await self._gate.own(caller, "message.show", listed)

    async def said(self, caller: Caller, conversation_id: str, message_id: int) -> str | None:
        """The text of one message for the owner who follows along (`mab tail` is one entry); None once it is erased."""

        async def looked(tx: Tx) -> str | None:
            conversation = await tx.conversations.get(conversation_id)
            message = await tx.messages.get(conversation_id, message_id)
            if not caller.operator or conversation is None or message is None:
                return None
            return self._opened(conversation, (), [message])[0].text

        return await self._store.read(looked)

    def _opened(
        self, conversation: Conversation, sessions: Sequence[Session], found: Sequence[Message]
    ) -> Sequence[Letter]:
        return opened(self._keys, conversation, sessions, found)

    async def _stored(self, me: Standing, words: Words) -> Sent:
        mine = me.conversation.id
        recipients = guard.chosen(words.to, me.session, me.sessions)
        out = self._redacted(mine, words)
        if out.key and (before := await me.tx.messages.by_key(mine, me.session.id, out.key)):
            return await self._again(me, before, out)
        guard.within_quota(self._limits, me.conversation, len(out.body))
        if out.reply_to is not None and await me.tx.messages.get(mine, out.reply_to) is None:
            raise Invalid(f"there is no message {out.reply_to} to reply to", "leave reply_to out")
        sent = await self._added(me, out, recipients)
        facts: dict[str, Fact] = {
            "message_id": sent.id,
            "bytes": sent.size,
            "to": ",".join(recipients),
            "type": out.action_type,
            "redactions": ",".join(out.redactions),
        }
        await me.record("message.send", f"message {sent.id}", facts, sent.digest)
        return Sent(sent.id, recipients, out.redactions, me.session.unread)

    def _ring(self, conversation_id: str, sent: Sent) -> None:
        for recipient in sent.to:
            self._bell.ring(inbox(conversation_id, recipient))

    async def _added(self, me: Standing, out: Outgoing, recipients: Sequence[str]) -> Message:
        size = len(out.body)
        number = await me.tx.conversations.count_message(me.conversation.id, size)
        message = Message(
            conversation_id=me.conversation.id,
            id=number,
            sender=me.session.id,
            action_type=out.action_type,
            body=self._keys.seal(me.conversation, f"messages/body/{number}", out.body),
            size=size,
            at=me.now,
            reply_to=out.reply_to,
            idempotency_key=out.key,
            digest=self._keys.digest(out.body),
        )
        await me.tx.messages.add(message, recipients)
        return message

    async def _again(self, me: Standing, before: Message, out: Outgoing) -> Sent:
        if before.digest != self._keys.digest(out.body):
            raise Conflict("that idempotency_key stands for another message", "use a new key for a new message")
        await me.record("message.repeat", f"message {before.id}", {"message_id": before.id})
        recipients = [d.recipient for d in await me.tx.messages.deliveries(me.conversation.id, before.id)]
        return Sent(before.id, recipients, out.redactions, me.session.unread)

    def _redacted(self, conversation_id: str, words: Words) -> Outgoing:
        """The words as they may be stored. Only those of an admitted session get this far."""
        body = self._redaction.said(conversation_id, words.message)
        files = [self._redaction.said(conversation_id, name) for name in words.files]
        kinds = dict.fromkeys(kind for part in (body, *files) for kind in part.kinds)
        # ASCII, so that its length in characters is its length in bytes
        names = ", ".join([_quoted(name.text) for name in files])
        sealed = f'{{"message": {_quoted(body.text)}, "files": [{names}]}}'
        # only a digest is stored: a key may be made of anything, and two that differ must stay two
        key = None if words.key is None else self._keys.digest(f"idempotency key {conversation_id} {words.key}")
        return Outgoing(sealed, list(kinds), words.action_type, words.reply_to, key)
