"""Archives: a conversation as one document that leaves the bridge, and comes back as a new conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from multiagent_bridge.errors import BridgeError, Fact, Invalid, Tampered
from multiagent_bridge.guard import text
from multiagent_bridge.model.archives import AGAIN, signed, verified
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.checkpoints import Checkpoint, key_hash, parse_verifier_key
from multiagent_bridge.model.conversations import Conversation, Invite
from multiagent_bridge.model.journal import Entry, iso_to_microseconds, microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.messages import ACTION_TYPES, BIGGEST_ID, Delivery, Message
from multiagent_bridge.model.sessions import Session, session_name
from multiagent_bridge.ports import Ids, Keys, Tx
from multiagent_bridge.services.conversations import Conversations, Created
from multiagent_bridge.services.evidence import Sending
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.invites import normal_code
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.letters import OPERATOR
from multiagent_bridge.services.messages import Messages
from multiagent_bridge.services.notices import BRIDGE
from multiagent_bridge.services.redaction import Redaction

FORMAT = 1
PAGE = 500

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """One message of an archive, checked."""

    id: int
    sender: str
    action_type: str
    text: str
    files: Sequence[str]
    at: int
    reply_to: int | None
    read: Mapping[str, bool]


class Archives:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        conversations: Conversations,
        messages: Messages,
        keys: Keys,
        ids: Ids,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._conversations = conversations
        self._messages = messages
        self._keys = keys
        self._ids = ids
        self._redaction = redaction
        self._limits = limits

    async def export(self, caller: Caller, conversation_id: str) -> Fields:
        """The conversation in clear with its entries and a checkpoint, all of it signed, for the owner. Raises NotFound."""
        conversation, sessions = await self._conversations.show(caller, conversation_id)
        rows: list[Fields] = []
        after = 0
        while page := await self._messages.list(caller, conversation_id, after, PAGE):
            after = page[-1][0].message.id
            rows += [letter.fields() | {"deliveries": _stands(deliveries)} for letter, deliveries in page]
        await self._journal.note(
            caller, "conversation.export", conversation_id, {"messages": len(rows)}, conversation_id
        )
        note = await self._journal.checkpoint()
        size = Checkpoint.parse(note).size
        entries: list[object] = []
        seq = 0
        while found := await self._journal.entries(seq, PAGE, conversation_id):
            seq = found[-1].seq
            entries += [json.loads(entry.line) for entry in found if entry.seq <= size]
        archive: Fields = {
            "mab_archive": FORMAT,
            "conversation_id": conversation.id,
            "created_at": microseconds_to_iso(conversation.created_at),
            "expires_at": microseconds_to_iso(conversation.expires_at),
            "sessions": [{"session_id": s.id, "role": s.role} for s in sessions],
            "messages": rows,
            "journal": entries,
            "checkpoint": note,
            "verifier_key": self._journal.verifier_key,
        }
        return archive | {"signature": signed(archive, self._keys.sign)}

    async def restore(self, caller: Caller, archive: object, key: str | None = None) -> Created:
        """Open a new conversation with the sessions and messages of an archive, read marks included; tokens are new.

        Every text is redacted again. `key` is the verifier key that must have signed it; without one any may have. Raises
        Tampered unless it is what its key signed, Invalid naming what else is wrong; then nothing was stored.
        """
        conversation_id = self._ids.conversation()
        try:
            signer, roles, rows = self._read(archive, key)
            # redacted before the transaction: it would keep everybody else waiting
            sealed = [self._sealed(conversation_id, row) for row in rows]
            if sum(map(len, sealed)) > self._limits.conversation_bytes:
                raise Invalid(
                    f"the archive holds more than {self._limits.conversation_bytes:,} bytes", "raise the quota"
                )
        except BridgeError as refusal:
            given = Credentials()
            raise await self._gate.refuse(caller, given, "conversation.import", refusal, seated=False) from refusal

        async def restored(tx: Tx, now: int, ticket: Ticket) -> Created:
            ticket.conversation = conversation_id
            conversation = Conversation(
                conversation_id,
                now,
                now + self._limits.conversation_seconds * SECOND,
                self._keys.new_key(conversation_id),
                last_message=max((row.id for row in rows), default=0),
                messages=len(rows),
                bytes=sum(map(len, sealed)),
            )
            await tx.conversations.add(conversation)
            sessions = [Session(conversation_id, session_name(i), role) for i, role in enumerate(roles)]
            for session in sessions:
                await tx.sessions.add(session)
            facts: dict[str, Fact] = {"sessions": len(sessions), "messages": len(rows), "signer": signer}
            await self._journal.record(tx, ticket, now, "conversation.import", conversation_id, facts)
            for row, body in zip(rows, sealed, strict=True):
                await self._stored(tx, conversation, row, body, ticket, now)
            codes = [self._ids.invite() for _ in sessions]
            until = now + self._limits.invite_seconds * SECOND
            for session, code in zip(sessions, codes, strict=True):
                await tx.invites.add(
                    Invite(self._keys.code_digest(normal_code(code)), conversation_id, session.id, until)
                )
            tokens = [self._keys.token(conversation_id, s.id, s.generation) for s in sessions]
            return Created(conversation, sessions, tokens, codes)

        return await self._gate.own(caller, "conversation.import", restored)

    async def _stored(self, tx: Tx, conversation: Conversation, row: Row, body: str, ticket: Ticket, now: int) -> None:
        message = Message(
            conversation_id=conversation.id,
            id=row.id,
            sender=row.sender,
            action_type=row.action_type,
            body=self._keys.seal(conversation, f"messages/body/{row.id}", body),
            size=len(body),
            at=row.at,
            reply_to=row.reply_to,
            digest=self._keys.digest(body),
        )
        await tx.messages.add(message, list(row.read))
        claim = self._ids.claim()
        for recipient in (name for name, read in row.read.items() if read):
            await tx.messages.claim(conversation.id, recipient, [row.id], claim, now)
        await tx.messages.confirm(claim, now)
        facts = {"message_id": row.id, "bytes": len(body)}
        await self._journal.record(tx, ticket, now, "message.import", f"message {row.id}", facts, message.digest)

    def _sealed(self, conversation_id: str, row: Row) -> str:
        said = self._redaction.said(conversation_id, row.text).text
        files = [self._redaction.said(conversation_id, name).text for name in row.files]
        return json.dumps({"message": said, "files": files})

    def _read(self, archive: object, key: str | None) -> tuple[str, Sequence[str], Sequence[Row]]:
        """Hash of the key that signed it, roles, messages."""
        document = _object("the archive", archive)
        if document.get("mab_archive") != FORMAT:
            raise Invalid("this is not an archive of a conversation", "make one with: mab export CONV FILE")
        entries = verified(document, self._keys.check, key)
        roles = self._roles(document.get("sessions"))
        rows = self._rows(document.get("messages"), [session_name(i) for i in range(len(roles))])
        _vouched(rows, entries)
        return key_hash(*parse_verifier_key(str(document["verifier_key"]))).hex(), roles, rows

    def _roles(self, sessions: object) -> Sequence[str]:
        rows = _list("sessions", sessions)
        if not 2 <= len(rows) <= self._limits.sessions:
            raise Invalid(f"an archive has 2 to {self._limits.sessions} sessions", f"this one has {len(rows)}")
        roles = []
        for index, row in enumerate(rows):
            fields = _object("a session", row)
            if fields.get("session_id") != session_name(index):
                raise Invalid("the sessions of the archive are not in order", "they are a, b, c, ...")
            role = text.line("a role", fields.get("role"), self._limits.role_min, self._limits.role_max)
            roles.append(self._redaction.text(role).text)
        return roles

    def _rows(self, messages: object, names: Sequence[str]) -> Sequence[Row]:
        found = _list("messages", messages)
        if len(found) > self._limits.conversation_messages:
            raise Invalid(f"{len(found):,} messages are too many", f"at most {self._limits.conversation_messages:,}")
        rows = [self._row(_object("a message", message), names) for message in found]
        if any(later.id <= sooner.id for sooner, later in pairwise(rows)):
            raise Invalid("the messages of the archive are not in order", "their ids rise")
        return rows

    def _row(self, fields: Mapping[str, object], names: Sequence[str]) -> Row:
        limits = self._limits
        reply = fields.get("reply_to")
        files = _list("files_involved", fields.get("files_involved"))
        if len(files) > limits.files:
            raise Invalid(f"{len(files)} files are too many", f"at most {limits.files}")
        deliveries = [_object("a delivery", row) for row in _list("deliveries", fields.get("deliveries"))]
        return Row(
            id=text.whole("id", fields.get("id"), 1, BIGGEST_ID),
            sender=text.choice("from", fields.get("from"), (*names, BRIDGE, OPERATOR)),
            action_type=text.choice("action_type", fields.get("action_type"), ACTION_TYPES),
            # a placeholder may be longer than what it stands for
            text=text.body("a message", fields.get("message"), 2 * limits.message_characters),
            files=[text.line("a file name", name, 1, 2 * limits.file_characters) for name in files],
            at=iso_to_microseconds(text.line("timestamp", fields.get("timestamp"), 1, 40)),
            reply_to=None if reply is None else text.whole("reply_to", reply, 1, BIGGEST_ID),
            read={
                text.choice("to", row.get("to"), tuple(names)): row.get("state") == "acknowledged" for row in deliveries
            },
        )


def _vouched(rows: Sequence[Row], entries: Sequence[Entry]) -> None:
    """Raises Tampered for a message that no entry vouches for, or that is not of the session, kind or time that it says."""
    acts = [one for one in entries if one.outcome == "done" and one.action in ("message.send", "message.import")]
    sent = {one.facts.get("message_id"): Sending.of(one) for one in acts}
    for row in rows:
        found = sent.get(row.id)
        if found is None:
            raise Tampered(f"message {row.id} of the archive is in no entry: it was never sent", AGAIN)
        if found.sender and (found.sender, found.action_type, found.at) != (row.sender, row.action_type, row.at):
            raise Tampered(f"message {row.id} of the archive is not as its entry says", AGAIN)


def _stands(deliveries: Sequence[Delivery]) -> list[Fields]:
    return [{"to": delivery.recipient, "state": delivery.state} for delivery in deliveries]


def _object(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Invalid(f"{name} must be an object", "the archive was changed: make it again with mab export")
    return cast("Mapping[str, object]", value)


def _list(name: str, value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise Invalid(f"{name} must be a list", "the archive was changed: make it again with mab export")
    return value
