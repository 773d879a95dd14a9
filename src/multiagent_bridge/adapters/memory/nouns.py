"""Conversations, sessions, invites, bindings and rate buckets in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.errors import Conflict, Invalid
from multiagent_bridge.guard import rate
from multiagent_bridge.model.conversations import Binding, Conversation, Invite
from multiagent_bridge.model.limits import Window
from multiagent_bridge.model.master_keys import RETIRED
from multiagent_bridge.model.sessions import UNKNOWN, Session
from multiagent_bridge.model.silences import Quiet
from multiagent_bridge.model.tasks import OPEN


class Conversations:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, conversation: Conversation) -> None:
        table = self._tables.changing().conversations
        if conversation.id in table:
            raise Conflict("the conversation exists already", "use another id")
        master = self._tables.looking().master_keys.get(conversation.sealed_key[:4].hex())
        if master is not None and master.state == RETIRED:
            raise Invalid("the key of the conversation is wrapped under a retired master key", "repeat the call")
        table[conversation.id] = conversation

    async def get(self, conversation_id: str) -> Conversation | None:
        return self._tables.looking().conversations.get(conversation_id)

    async def count_message(self, conversation_id: str, size: int) -> int:
        c = self._existing(conversation_id)
        counted = replace(c, last_message=c.last_message + 1, messages=c.messages + 1, bytes=c.bytes + size)
        self._tables.changing().conversations[conversation_id] = counted
        return counted.last_message

    async def extend(self, conversation_id: str, expires_at: int) -> None:
        table = self._tables.changing().conversations
        table[conversation_id] = replace(self._existing(conversation_id), expires_at=expires_at)

    async def list(self) -> Sequence[Conversation]:
        return sorted(self._tables.looking().conversations.values(), key=lambda c: c.created_at)

    async def newest(self, limit: int, before: str | None = None) -> Sequence[Conversation]:
        found = list(await self.list())
        if before is not None:
            place = next((at for at, one in enumerate(found) if one.id == before), 0)
            found = found[:place]
        return found[::-1][:limit]

    async def expired(self, before: int, limit: int) -> Sequence[Conversation]:
        found = [c for c in self._tables.looking().conversations.values() if c.expires_at <= before]
        return sorted(found, key=lambda c: c.expires_at)[:limit]

    async def sealed_elsewhere(self, key_id: str, limit: int) -> Sequence[Conversation]:
        name = bytes.fromhex(key_id)
        return [c for c in self._tables.looking().conversations.values() if c.sealed_key[:4] != name][:limit]

    async def aged(self, limit: int) -> Sequence[Conversation]:
        # one data key is 64 or 68 bytes when it is wrapped; who has more has older ones
        return [c for c in self._tables.looking().conversations.values() if len(c.sealed_key) > 68][:limit]

    async def reseal(self, conversation_id: str, sealed_key: bytes, was: bytes) -> bool:
        table = self._tables.changing().conversations
        found = table.get(conversation_id)
        if found is None or found.sealed_key != was:
            return False
        table[conversation_id] = replace(found, sealed_key=sealed_key)
        return True

    async def remove(self, conversation_id: str) -> None:
        tables = self._tables.changing()
        tables.conversations.pop(conversation_id, None)
        for key in [k for k in tables.sessions if k[0] == conversation_id]:
            del tables.sessions[key]
        for number in [k for k in tables.messages if k[0] == conversation_id]:
            del tables.messages[number]
        for place in [k for k in tables.deliveries if k[0] == conversation_id]:
            del tables.deliveries[place]
        for digest in [d for d, invite in tables.invites.items() if invite.conversation_id == conversation_id]:
            del tables.invites[digest]
        for bound in [k for k in tables.bindings if k[1] == conversation_id]:
            del tables.bindings[bound]
        for enabling in [e for e in tables.enablings.values() if e.conversation_id == conversation_id]:
            del tables.enablings[enabling.id]
        for grant in [g for g in tables.grants.values() if g.conversation_id == conversation_id]:
            del tables.grants[grant.id]
        for command in [c for c in tables.commands.values() if c.conversation_id == conversation_id]:
            del tables.commands[command.id]
        for rows in (tables.tasks, tables.silences, tables.orphans, tables.told, tables.renewals):
            for row in [k for k in rows if k[0] == conversation_id]:
                del rows[row]
        for bucket in [k for k in tables.buckets if k.startswith(f"{conversation_id}/")]:
            del tables.buckets[bucket]

    def _existing(self, conversation_id: str) -> Conversation:
        found = self._tables.looking().conversations.get(conversation_id)
        if found is None:
            raise missing("conversation")
        return found


class Sessions:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, session: Session) -> None:
        tables = self._tables.changing()
        if session.conversation_id not in tables.conversations:
            raise missing("conversation")
        if (session.conversation_id, session.id) in tables.sessions:
            raise Conflict("the session exists already", "use another id")
        tables.sessions[session.conversation_id, session.id] = session

    async def get(self, conversation_id: str, session_id: str) -> Session | None:
        return self._tables.looking().sessions.get((conversation_id, session_id))

    async def of(self, conversation_id: str) -> Sequence[Session]:
        return [s for (c, _), s in self._tables.looking().sessions.items() if c == conversation_id]

    async def heartbeat(self, conversation_id: str, session_id: str, at: int) -> None:
        session = self._existing(conversation_id, session_id)
        status = "working" if session.status == UNKNOWN else session.status
        self._put(replace(session, last_heartbeat=at, status=status))

    async def report(self, conversation_id: str, session_id: str, status: str, sealed_note: bytes) -> None:
        self._put(replace(self._existing(conversation_id, session_id), status=status, sealed_note=sealed_note))

    async def rotate(self, conversation_id: str, session_id: str) -> int:
        session = self._existing(conversation_id, session_id)
        self._put(replace(session, generation=session.generation + 1, revoked=False))
        self._forget(conversation_id, session_id)
        return session.generation + 1

    async def revoke(self, conversation_id: str, session_id: str) -> None:
        self._put(replace(self._existing(conversation_id, session_id), revoked=True))
        self._forget(conversation_id, session_id)

    async def stale(self, before: int, now: int) -> Sequence[Quiet]:
        tables = self._tables.looking()
        found = []
        for session in tables.sessions.values():
            heard = session.last_heartbeat
            lives = now < tables.conversations[session.conversation_id].expires_at
            if lives and not session.revoked and heard is not None and (heard <= before or heard > now):
                found.append(self._quiet(session))
        return sorted(found, key=lambda quiet: quiet.session.last_heartbeat or 0)

    async def tell(self, conversation_id: str, session_id: str, through: int) -> None:
        self._existing(conversation_id, session_id)
        told, place = self._tables.changing().told, (conversation_id, session_id)
        told[place] = max(told.get(place, 0), through)

    async def told(self, conversation_id: str) -> Mapping[str, int]:
        told = self._tables.looking().told
        return {s.id: told.get((conversation_id, s.id), 0) for s in await self.of(conversation_id)}

    def _existing(self, conversation_id: str, session_id: str) -> Session:
        found = self._tables.changing().sessions.get((conversation_id, session_id))
        if found is None:
            raise missing("session")
        return found

    def _put(self, session: Session) -> None:
        self._tables.changing().sessions[session.conversation_id, session.id] = session

    def _quiet(self, session: Session) -> Quiet:
        tables, seat = self._tables, (session.conversation_id, session.id)
        unread = [key[2] for key, held in tables.deliveries.items() if key[:2] == seat and held.unread]
        first = tables.messages[seat[0], min(unread)].at if unread else None
        tasks = [
            t.updated_at for t in tables.tasks.values() if (t.conversation_id, t.assignee) == seat and t.state in OPEN
        ]
        return Quiet(session, first, len(tasks), min(tasks, default=None))

    def _forget(self, conversation_id: str, session_id: str) -> None:
        tables, seat = self._tables.changing(), (conversation_id, session_id)
        for key in [k for k in tables.bindings if k[1:] == seat]:
            del tables.bindings[key]
        for digest in [d for d, i in tables.invites.items() if (i.conversation_id, i.session_id) == seat]:
            del tables.invites[digest]


class Invites:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, invite: Invite) -> None:
        tables = self._tables.changing()
        if (invite.conversation_id, invite.session_id) not in tables.sessions:
            raise missing("session")
        if invite.digest in tables.invites:
            raise Conflict("the invite exists already", "make another code")
        tables.invites[invite.digest] = invite

    async def take(self, digest: bytes) -> Invite | None:
        return self._tables.changing().invites.pop(digest, None)

    async def sweep(self, now: int) -> int:
        table = self._tables.changing().invites
        gone = [digest for digest, invite in table.items() if invite.expires_at <= now]
        for digest in gone:
            del table[digest]
        return len(gone)


class Bindings:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def bind(self, binding: Binding) -> None:
        tables = self._tables.changing()
        if (binding.conversation_id, binding.session_id) not in tables.sessions:
            raise missing("session")
        key = (binding.agent, binding.conversation_id, binding.session_id)
        # a binding that is made again is the newest
        tables.bindings.pop(key, None)
        tables.bindings[key] = binding

    async def of(self, agent: str) -> Sequence[Binding]:
        return [b for b in self._tables.looking().bindings.values() if b.agent == agent and self._stands(b)]

    async def holders(self, conversation_id: str, session_id: str) -> Sequence[str]:
        seat = (conversation_id, session_id)
        found = self._tables.looking().bindings.values()
        return [b.agent for b in found if (b.conversation_id, b.session_id) == seat and self._stands(b)]

    async def sweep(self, before: int, prefix: str) -> int:
        table = self._tables.changing().bindings
        gone = [key for key, b in table.items() if b.bound_at < before and b.agent.startswith(prefix)]
        for key in gone:
            del table[key]
        return len(gone)

    def _stands(self, binding: Binding) -> bool:
        session = self._tables.sessions.get((binding.conversation_id, binding.session_id))
        return session is not None and not session.revoked and session.generation == binding.generation


class Buckets:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def charge(self, key: str, windows: Sequence[Window], now: int) -> int:
        if len(windows) > rate.WINDOWS:
            raise ValueError(f"a bucket has room for {rate.WINDOWS} windows, not {len(windows)}")
        table = self._tables.changing().buckets
        stored = (*table.get(key, ()), *([0] * rate.WINDOWS))[: len(windows)]
        charged, wait = rate.charge(stored, windows, now)
        if not wait and windows:
            table[key] = charged
        return wait

    async def sweep(self, now: int) -> int:
        table = self._tables.changing().buckets
        gone = [key for key, stored in table.items() if max(stored) <= now]
        for key in gone:
            del table[key]
        return len(gone)
