"""Yolo: whether commands may be asked for in a conversation at all, in which mode, and where. Only a person says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, Invalid, NotApproved, NotFound, Refused, Unavailable
from multiagent_bridge.guard import access, approvals, text
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.yolo import MODES, PHRASE, Enabling
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Tx, Workspaces
from multiagent_bridge.services.enablings import Asked, GrantShown, Offer, Standings, Wish
from multiagent_bridge.services.gate import Gate, Standing, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.sandboxes import Sandboxes
from multiagent_bridge.services.topics import APPROVALS, command_topic, inbox

PAGE = 200


class Yolo:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        notices: Notices,
        lapses: Lapses,
        sandboxes: Sandboxes,
        workspaces: Workspaces,
        bell: Bell,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._notices = notices
        self._lapses = lapses
        self._sandboxes = sandboxes
        self._workspaces = workspaces
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def ask(
        self,
        caller: Caller,
        given: Credentials,
        mode: object,
        workspace: object = None,
        timeout: object = None,
        sandbox: object = None,
    ) -> Asked:
        """Ask a person to enable a mode. Nothing is enabled by it, and nothing asked for binds the person.

        Raises Invalid, NotAllowed (the gate of this agent is closed), Refused, TooFast.
        """
        limits = self._limits
        try:
            if not caller.yolo:
                raise approvals.closed()
            mode = text.choice("mode", mode, MODES)
            folder = None if workspace is None else text.line("workspace", workspace, 1, limits.path_characters)
            seconds = None if timeout is None else text.whole("timeout", timeout, 1, limits.command_seconds_max)
            backend = "" if sandbox is None else text.choice("sandbox", sandbox, self._sandboxes.names)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "yolo.ask", refusal) from refusal

        async def asked(me: Standing) -> Asked:
            current = await me.tx.yolo.current(me.conversation.id)
            if current is not None and me.now < current.expires_at and current.mode == mode:
                return Asked(current.id, "enabled", "")
            how = f"a person types at a terminal: mab yolo enable {me.conversation.id} --mode {mode} --workspace DIR"
            for wish in await me.tx.yolo.list(me.conversation.id, PAGE):
                mine = wish.state == "asked" and wish.session_id == me.session.id and me.now < wish.expires_at
                if mine and wish.mode == mode and wish.sandbox == backend:
                    return Asked(wish.id, "pending", how)
            number = self._ids.named("yolo")
            said = self._redaction.said(me.conversation.id, folder).text if folder else ""
            words = json.dumps({"workspace": said, "seconds": seconds})
            wish = Enabling(
                id=number,
                conversation_id=me.conversation.id,
                session_id=me.session.id,
                state="asked",
                mode=mode,
                workspace=None,
                sandbox=backend,
                network=False,
                seconds=seconds or limits.command_seconds,
                created_at=me.now,
                expires_at=me.now + limits.request_seconds * SECOND,
                wish=self._keys.seal(me.conversation, f"yolo/wish/{number}", words),
            )
            await me.tx.yolo.add(wish)
            await me.record("yolo.ask", number, {"mode": mode, "sandbox": backend})
            return Asked(number, "pending", how)

        done = await self._gate.enter(caller, given, "yolo.ask", limits.writes, asked)
        self._bell.ring(APPROVALS)
        return done

    async def offer(
        self,
        caller: Caller,
        conversation_id: str,
        mode: str,
        workspace: str,
        sandbox: str = "",
        network: bool = False,
        seconds: int | None = None,
        minutes: int | None = None,
    ) -> Offer:
        """What a person would enable, with the code to type back within minutes.

        Raises NotFound, Invalid (mode, workspace, sandbox), Refused (expired conversation), Unavailable (no sandbox works).
        """
        limits = self._limits
        try:
            self._operator(caller)
            text.choice("mode", mode, MODES)
            longest = text.whole("timeout", seconds or limits.command_seconds, 1, limits.command_seconds_max)
            if minutes is not None:
                text.whole("minutes", minutes, 1, limits.conversation_seconds_max // 60)
            place = await self._workspaces.identify(text.line("workspace", workspace, 1, limits.path_characters))
            chosen, profile = await self._sandboxes.chosen(sandbox, mode)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, Credentials(), "yolo.offer", refusal, seated=False) from refusal

        async def offered(tx: Tx, now: int, ticket: Ticket) -> Offer:
            conversation = await self._living(tx, ticket, now, conversation_id)
            until = conversation.expires_at
            enabling = Enabling(
                id=self._ids.named("yolo"),
                conversation_id=conversation_id,
                session_id="",
                state="offered",
                mode=mode,
                workspace=place,
                sandbox=chosen.name,
                network=network,
                seconds=longest,
                created_at=now,
                expires_at=until if minutes is None else min(until, now + minutes * 60 * SECOND),
                boot=self._clock.boot(),
                boottime_end=self._clock.boottime() + limits.offer_seconds * SECOND,
            )
            await tx.yolo.add(enabling)
            facts: dict[str, Fact] = {
                "mode": mode,
                "sandbox": chosen.name,
                "network": network,
                "seconds": longest,
            }
            await self._journal.record(tx, ticket, now, "yolo.offer", enabling.id, facts, self._bound(enabling))
            return Offer(enabling, self._code(enabling), profile)

        return await self._gate.own(caller, "yolo.offer", offered)

    async def enable(self, caller: Caller, enabling_id: str, phrase: str, code: str) -> Enabling:
        """Enable what was offered, in place of what was enabled before: open requests and grants of that end.

        Raises Refused (the phrase), NotApproved (another code, or too late), NotFound, Conflict (used already), Unavailable.
        """

        async def enabled(tx: Tx, now: int, ticket: Ticket) -> tuple[Enabling, Sequence[str], Sequence[str]]:
            if not access.same(phrase, PHRASE):
                raise Refused("the phrase was not typed", f"type exactly: {PHRASE}")
            offer = await tx.yolo.get(enabling_id)
            if offer is None:
                raise NotFound("nothing of that id was offered", "mab yolo enable")
            await self._living(tx, ticket, now, offer.conversation_id)
            if not self._clock.boot():
                raise Unavailable("this system does not tell one boot from another", "approvals need Linux")
            late = self._clock.boot() != offer.boot or self._clock.boottime() >= offer.boottime_end
            lifetime = self._limits.offer_seconds * SECOND
            if late or not offer.created_at <= now < offer.created_at + lifetime:
                raise NotApproved("the code has expired", "begin again: mab yolo enable")
            if not access.same(approvals.typed(code), self._code(offer)):
                raise NotApproved("that is not the code", "begin again: mab yolo enable")
            if offer.state != "offered":
                raise Conflict("that code was used already", "begin again: mab yolo enable")
            ended = await self._closed(tx, ticket, now, offer.conversation_id, "another mode was enabled")
            after = replace(offer, state="enabled", decided_at=now, decided_by=ticket.actor)
            if not await tx.yolo.change(after, "offered"):
                raise Conflict("that code was used already", "begin again: mab yolo enable")
            for wish in await tx.yolo.list(offer.conversation_id, PAGE):
                if wish.state == "asked" and wish.mode == offer.mode:
                    await tx.yolo.change(replace(wish, state="met", decided_at=now), "asked")
            facts: dict[str, Fact] = {
                "mode": offer.mode,
                "sandbox": offer.sandbox,
                "network": offer.network,
                "seconds": offer.seconds,
            }
            await self._journal.record(tx, ticket, now, "yolo.enable", offer.id, facts, self._bound(offer))
            told = f"commands of mode {offer.mode} are enabled here; each one still needs a person's approval"
            return after, ended, await self._tell(tx, ticket, now, offer.conversation_id, told)

        done, ended, readers = await self._gate.own(caller, "yolo.enable", enabled)
        self._ring(done.conversation_id, ended, readers)
        return done

    async def disable(self, caller: Caller, conversation_id: str) -> int:
        """No more commands: the mode and its grants end, nothing that waits will run. Returns how many requests ended.

        A command that runs already goes on to its end. Raises NotFound.
        """

        async def disabled(tx: Tx, now: int, ticket: Ticket) -> tuple[Sequence[str], Sequence[str]]:
            await self._existing(tx, ticket, conversation_id)
            was = await tx.yolo.current(conversation_id)
            why = "a person disabled commands"
            ended = await self._closed(tx, ticket, now, conversation_id, why)
            return ended, await self._tell(tx, ticket, now, conversation_id, why) if was else ()

        ended, readers = await self._gate.own(caller, "yolo.disable", disabled)
        self._ring(conversation_id, ended, readers)
        return len(ended)

    async def deny(self, caller: Caller, enabling_id: str, reason: str) -> Enabling:
        """Say no to an agent's wish. Raises NotFound, Conflict, Invalid."""
        try:
            words = text.body("the reason", reason, self._limits.reason_characters) if reason else ""
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, Credentials(), "yolo.deny", refusal, seated=False) from refusal

        async def denied(tx: Tx, now: int, ticket: Ticket) -> Enabling:
            wish = await tx.yolo.get(enabling_id)
            if wish is None:
                raise NotFound("no such request", "mab yolo status shows them")
            conversation = await self._existing(tx, ticket, wish.conversation_id)
            said = self._redaction.said(conversation.id, words).text if words else ""
            sealed = self._keys.seal(conversation, f"yolo/reason/{wish.id}", said) if said else b""
            after = replace(wish, state="denied", decided_at=now, decided_by=ticket.actor, reason=sealed)
            if wish.state != "asked" or not await tx.yolo.change(after, "asked"):
                raise Conflict("that request was decided already", "mab yolo status shows what waits")
            await self._journal.record(tx, ticket, now, "yolo.deny", wish.id, {"mode": wish.mode})
            told = f"a person denied mode {wish.mode}{f': {said}' if said else ''}"
            await self._notices.post(tx, ticket, now, conversation, told, [wish.session_id])
            return after

        done = await self._gate.own(caller, "yolo.deny", denied)
        self._bell.ring(APPROVALS)
        self._bell.ring(inbox(done.conversation_id, done.session_id))
        return done

    async def status(self, caller: Caller, conversation_id: str | None = None) -> Sequence[Standings]:
        """How one conversation stands, or each in which anything was ever asked or enabled. Raises NotFound."""

        async def looked(tx: Tx, now: int, ticket: Ticket) -> Sequence[Standings]:
            if conversation_id is not None:
                return [await self._standing(tx, await self._existing(tx, ticket, conversation_id), now)]
            found = dict.fromkeys(one.conversation_id for one in await tx.yolo.list(None, PAGE))
            return [await self._standing(tx, await self._existing(tx, ticket, one), now) for one in found]

        return await self._gate.own(caller, "yolo.status", looked)

    async def _standing(self, tx: Tx, conversation: Conversation, now: int) -> Standings:
        current = await tx.yolo.current(conversation.id)
        if current is not None and now >= current.expires_at:
            current = None
        wishes = [
            self._wish(conversation, one)
            for one in await tx.yolo.list(conversation.id, PAGE)
            if one.state == "asked" and now < one.expires_at
        ]
        grants = []
        for grant in await tx.yolo.grants(conversation.id):
            scope = approvals.Scope.read(self._keys.open(conversation, f"grants/scope/{grant.id}", grant.scope))
            minutes = max(0, grant.until - now) // (60 * SECOND)
            grants.append(GrantShown(grant, scope.sentence(minutes, grant.runs_left)))
        return Standings(conversation.id, current, wishes, grants)

    def _wish(self, conversation: Conversation, one: Enabling) -> Wish:
        words = json.loads(self._keys.open(conversation, f"yolo/wish/{one.id}", one.wish))
        return Wish(one, words["workspace"], words["seconds"])

    async def _closed(self, tx: Tx, ticket: Ticket, now: int, conversation_id: str, why: str) -> Sequence[str]:
        """End the mode, its grants and what waits under it. Returns the commands that ended."""
        current = await tx.yolo.current(conversation_id)
        if current is not None:
            after = replace(current, state="disabled", decided_at=now, decided_by=ticket.actor)
            await tx.yolo.change(after, "enabled")
        grants = await tx.yolo.end_grants(conversation_id, now)
        ended = []
        for command in await tx.commands.open(conversation_id, self._limits.open_commands * self._limits.sessions):
            if command.state == "running":
                continue
            state = "denied" if command.state == "pending" else "expired"
            await self._lapses.ended(tx, ticket, command, now, state, why)
            ended.append(command.id)
        if current is not None or grants or ended:
            facts = {"grants": grants, "commands": len(ended)}
            await self._journal.record(
                tx, ticket, now, "yolo.disable", current.id if current else conversation_id, facts
            )
        return ended

    async def _existing(self, tx: Tx, ticket: Ticket, conversation_id: str) -> Conversation:
        conversation = await tx.conversations.get(conversation_id)
        if conversation is None:
            raise NotFound("no such conversation", "mab list shows them")
        ticket.conversation = conversation_id
        return conversation

    async def _living(self, tx: Tx, ticket: Ticket, now: int, conversation_id: str) -> Conversation:
        conversation = await self._existing(tx, ticket, conversation_id)
        if conversation.expired(now):
            raise Refused("the conversation has expired", f"renew it: mab extend {conversation_id}")
        return conversation

    def _operator(self, caller: Caller) -> None:
        """Before anything is looked up on disk for them. Raises Refused, as the gate does."""
        if not caller.operator:
            raise Refused("only the owner of the state directory may do this", "ask the person at the terminal")

    def _bound(self, enabling: Enabling) -> str:
        """The keyed digest of everything that is being enabled."""
        place = enabling.workspace
        if place is None:
            raise Invalid("a wish cannot be enabled", "mab yolo enable names mode and workspace")
        return self._keys.digest(
            approvals.canonical(
                {
                    "id": enabling.id,
                    "conversation": enabling.conversation_id,
                    "mode": enabling.mode,
                    "workspace": [place.path, place.device, place.inode],
                    "sandbox": enabling.sandbox,
                    "network": enabling.network,
                    "seconds": enabling.seconds,
                    "expires_at": enabling.expires_at,
                }
            )
        )

    def _code(self, enabling: Enabling) -> str:
        return approvals.code(self._keys.digest(f"enabling code {self._bound(enabling)}"))

    async def _tell(self, tx: Tx, ticket: Ticket, now: int, conversation_id: str, words: str) -> Sequence[str]:
        """Tell every session of the conversation. Returns them."""
        conversation = await self._existing(tx, ticket, conversation_id)
        readers = [session.id for session in await tx.sessions.of(conversation_id)]
        await self._notices.post(tx, ticket, now, conversation, words, readers)
        return readers

    def _ring(self, conversation_id: str, commands: Sequence[str], readers: Sequence[str]) -> None:
        self._bell.ring(APPROVALS)
        for command_id in commands:
            self._bell.ring(command_topic(command_id))
        for reader in readers:
            self._bell.ring(inbox(conversation_id, reader))
