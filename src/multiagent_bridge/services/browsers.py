"""Browsers: one-time links and the code flow that sign a browser in, and the sign-ins that follow from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import Conflict, NotAllowed, NotFound, TooFast, Unavailable
from multiagent_bridge.guard import access
from multiagent_bridge.guard import identities as guard
from multiagent_bridge.model.browsers import BROWSER, SECRET_CHARACTERS, Browser, Link, Made, SignedIn
from multiagent_bridge.model.callers import NO_CREDENTIALS, ROLES, Caller
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.ports import Clock, Ids, Keys, Meter, Store, Tx
from multiagent_bridge.services.code_flow import FLOW_SECONDS, Begun, CodeFlow, elsewhere
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.sign_in_failures import SignInFailures

LINK_SECONDS = 60
SIGNED_IN_SECONDS = 12 * 3_600
IDLE_SECONDS = 3_600

SEEN_SECONDS = 60
"""A browser's last request is written down at most so often."""

LOOK_SECONDS = 1
"""What is known of a browser is looked up again after so long: an end by another hub shows that much later."""

REMEMBERED = 1_000
"""Browsers that are remembered in memory."""

TERMINAL = ("operator", "auditor")
"""What a browser is that the person at the terminal let in: not the owner, whose own acts stay at the terminal."""

_SECRET = re.compile(rf"[0-9A-Za-z]{{{SECRET_CHARACTERS}}}")


@dataclass(frozen=True, slots=True)
class _Grant:
    """What somebody who signs in will have; as in `Link`."""

    name: str
    roles: Sequence[str]
    conversations: Sequence[str] | None
    key: str
    until: int


class Browsers:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        store: Store,
        clock: Clock,
        meter: Meter,
        ids: Ids,
        keys: Keys,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._store = store
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._known: dict[bytes, tuple[int, Browser]] = {}
        self._ends = 0
        self._failures = SignInFailures(journal, store, clock, meter, limits)
        self._flow: CodeFlow | None = None

    def accept(self, flow: CodeFlow) -> None:
        """Let browsers sign in by this flow, too."""
        self._flow = flow

    @property
    def issuer(self) -> str:
        """Where else a browser may sign in: an https URL; empty for nowhere."""
        return self._flow.issuer if self._flow else ""

    async def link(self, caller: Caller, until: int | None = None) -> Made:
        """Make a one-time link that lives `LINK_SECONDS`; who comes by it has the caller's roles, never the owner's.

        `until`: the sign-in ends then at the latest, in microseconds since 1970. Raises NotAllowed, also for a browser: a
        stolen cookie must not make others.
        """
        if caller.identity.startswith(f"{BROWSER}_"):
            refusal = NotAllowed("a browser makes no sign-in link", "mab dashboard, at a terminal", missing="role")
            raise await self._gate.refuse(caller, NO_CREDENTIALS, "browser.link", refusal, seated=False)
        code = self._ids.secret()

        async def made(tx: Tx, now: int, ticket: Ticket) -> Made:
            await tx.browsers.sweep(now)
            roles = TERMINAL if caller.operator else tuple(role for role in ROLES if role in caller.roles)
            link = Link(
                digest=self._digest("code", code),
                name=caller.name,
                roles=roles,
                conversations=None if caller.conversations is None else tuple(sorted(caller.conversations)),
                key=caller.identity,
                until=until,
                expires_at=now + LINK_SECONDS * SECOND,
            )
            await tx.browsers.add_link(replace(link, seal=self._keys.digest(link.bound())))
            await self._journal.record(tx, ticket, now, "browser.link", facts={"roles": " ".join(roles)})
            return Made(link.name, link.expires_at, code)

        return await self._gate.own(caller, "browser.link", made)

    async def sign_in(self, code: object, peer: str) -> SignedIn:
        """Use a link up. `peer` is where from, such as `ip:192.0.2.7`: whose failures are counted together.

        Raises NotAllowed (one sentence, whatever is wrong with the code), TooFast (too many failures of that peer; the right
        code still opens).
        """
        given = code.strip() if isinstance(code, str) else ""
        number, cookie = self._ids.named(BROWSER), self._ids.secret()
        try:
            if not _SECRET.fullmatch(given):
                raise NotAllowed("it has not the form of a code")
            signed = await self._store.write(lambda tx: self._signed_in(tx, given, number, cookie, peer))
        except NotAllowed as wrong:
            raise await self._failures.counted(wrong, guard.origin(peer), refusal()) from wrong
        return SignedIn(signed, cookie)

    async def begin(self, base: str) -> Begun:
        """Begin a sign-in at the issuer. `base` is the hub's URL as this browser calls it. Raises NotFound, Unavailable."""
        return await self._following().begin(base)

    async def finish(self, held: str, answer: Mapping[str, str], base: str, peer: str) -> SignedIn:
        """Sign in who comes back from the issuer: `held` is the cookie of `begin`, `answer` the authorization response.

        Raises NotFound without an issuer, NotAllowed, Unavailable and TooFast, whose fact `said` is the kind of refusal; it is
        `elsewhere` when the response is no answer to what this browser began.
        """
        flow, whose = self._following(), guard.origin(peer)
        if (over := self._failures.silence(whose)) is not None:
            # each try makes the hub ask the issuer
            raise over
        number, cookie = self._ids.named(BROWSER), self._ids.secret()
        try:
            begun = flow.opened(held, answer.get("state", ""), base)
            await self._use_up(begun.state)
            person = await flow.person(begun, answer, peer)
        except NotAllowed as wrong:
            raise await self._failures.counted(wrong, whose, flow.refusal(wrong)) from wrong
        except Unavailable as away:
            raise await self._failures.counted(away, whose, flow.unavailable()) from away
        scope = None if person.conversations is None else tuple(sorted(person.conversations))
        ends = self._clock.now() + flow.seconds * SECOND
        roles = tuple(role for role in ROLES if role in person.roles)
        grant = _Grant(person.name, roles, scope, person.id, ends)

        async def admitted(tx: Tx) -> Browser:
            # an issuer that knows somebody gives out codes without end
            await self._gate.charge(tx, person.caller(peer), self._clock.now())
            return await self._admitted(tx, grant, number, cookie, peer)

        try:
            return SignedIn(await self._store.write(admitted), cookie)
        except TooFast as often:
            raise await self._failures.counted(often, whose, often) from often

    def owner(self, identity: Identity) -> str:
        """Who a signed-in browser belongs to, the same at each sign-in of the same person: a name for what a browser keeps.

        No secret, and nobody's name can be read from it.
        """
        # the terminal has no identity of its own
        who = identity.by or f"{identity.name}\n{' '.join(role for role in ROLES if role in identity.roles)}"
        return self._keys.digest(f"browser owner {who}")[:32]

    async def authenticate(self, cookie: str) -> Identity | None:
        """Who sent the cookie; None for one that opens nothing: it ended, or is of another hub. Raises Unavailable."""
        if not _SECRET.fullmatch(cookie):
            return None
        digest = self._digest("cookie", cookie)
        now, started, ends = self._clock.now(), self._clock.monotonic(), self._ends
        looked, found = self._known.get(digest, (0, None))
        if found is None or started - looked >= LOOK_SECONDS * SECOND:
            found = await self._store.read(lambda tx: self._looked(tx, digest, now))
            self._remember(digest, started, found, ends)
        if found is None or found.ended(now, IDLE_SECONDS * SECOND):
            return None
        if now - found.seen_at >= SEEN_SECONDS * SECOND:
            mine = found
            await self._store.write(lambda tx: tx.browsers.touch(mine.id, now))
            self._remember(digest, started, replace(found, seen_at=now), ends)
        return _identity(found)

    async def still(self, identity: Identity) -> bool:
        """Whether the browser is still signed in, without counting as a request of it. Raises Unavailable."""
        now, started, ends = self._clock.now(), self._clock.monotonic(), self._ends
        held = next((one for one in self._known.items() if one[1][1].id == identity.id), None)
        if held is None or started - held[1][0] >= LOOK_SECONDS * SECOND:
            row = await self._store.read(lambda tx: tx.browsers.get(identity.id))
            found = row and await self._store.read(lambda tx: self._looked(tx, row.digest, now))
            if row is not None:
                self._remember(row.digest, started, found, ends)
        else:
            found = held[1][1]
        return found is not None and not found.ended(now, IDLE_SECONDS * SECOND) and _identity(found) == identity

    async def seen(self, identity: Identity) -> None:
        """A page of this browser stands open: that is no silence. Raises Unavailable."""
        now = self._clock.now()
        for digest, (looked, found) in tuple(self._known.items()):
            if found.id == identity.id and now - found.seen_at >= SEEN_SECONDS * SECOND:
                await self._store.write(lambda tx: tx.browsers.touch(identity.id, now))
                if digest in self._known:
                    self._known[digest] = looked, replace(found, seen_at=now)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's own sign-in, with the streams it holds open. Raises NotAllowed for who is no browser."""

        async def ended(tx: Tx, now: int, ticket: Ticket) -> None:
            if await tx.browsers.end(caller.identity, now):
                await self._journal.record(tx, ticket, now, "browser.sign_out", caller.identity)

        await self._gate.own(caller, "browser.sign_out", ended)
        self._forget(caller.identity)

    async def list(self, caller: Caller) -> Sequence[Browser]:
        """Every sign-in that still opens something, oldest first. Raises NotAllowed."""

        async def listed(tx: Tx, now: int, ticket: Ticket) -> Sequence[Browser]:
            return [one for one in await tx.browsers.list() if not one.ended(now, IDLE_SECONDS * SECOND)]

        return await self._gate.own(caller, "browser.list", listed)

    async def revoke(self, caller: Caller, browser_id: str) -> Browser:
        """End somebody's sign-in, with the streams it holds open. Raises NotFound, also for one that ended before."""

        async def revoked(tx: Tx, now: int, ticket: Ticket) -> Browser:
            found = await tx.browsers.get(browser_id)
            if found is None or not await tx.browsers.end(browser_id, now):
                raise NotFound("no such browser, or it was signed out before", "mab dashboard --list shows them")
            await self._journal.record(tx, ticket, now, "browser.revoke", browser_id)
            return replace(found, ended_at=now)

        ended = await self._gate.own(caller, "browser.revoke", revoked)
        self._forget(browser_id)
        return ended

    async def _signed_in(self, tx: Tx, code: str, number: str, cookie: str, peer: str) -> Browser:
        now, digest = self._clock.now(), self._digest("code", code)
        link = await tx.browsers.take_link(digest)
        if link is None or not access.same(link.digest.hex(), digest.hex()):
            raise NotAllowed("no link of this hub, or it was used")
        if not access.same(link.seal, self._keys.digest(link.bound())):
            raise NotAllowed("the row of the link was altered")
        if now >= link.expires_at or now < link.expires_at - LINK_SECONDS * SECOND:
            raise NotAllowed("the link has expired")
        if not await self._stands(tx, link.key, now):
            raise NotAllowed("the key that made the link was revoked or has expired")
        ends = now + SIGNED_IN_SECONDS * SECOND
        ends = ends if link.until is None else min(ends, link.until)
        grant = _Grant(link.name, link.roles, link.conversations, link.key, ends)
        return await self._admitted(tx, grant, number, cookie, peer)

    async def _use_up(self, state: str) -> None:
        """The state opens once: of many who bring it one goes on. Raises NotAllowed, Unavailable."""
        until = self._clock.now() + FLOW_SECONDS * SECOND
        used = Link(self._digest("state", state), "", (), None, "", None, until)

        async def kept(tx: Tx) -> None:
            await tx.browsers.sweep(self._clock.now())
            await tx.browsers.add_link(used)

        try:
            await self._store.write(kept)
        except Conflict as again:
            raise elsewhere("the state was used before") from again

    async def _admitted(self, tx: Tx, grant: _Grant, number: str, cookie: str, peer: str) -> Browser:
        now = self._clock.now()
        browser = Browser(
            id=number,
            digest=self._digest("cookie", cookie),
            name=grant.name,
            roles=grant.roles,
            conversations=grant.conversations,
            key=grant.key,
            signed_in_at=now,
            expires_at=grant.until,
            seen_at=now,
        )
        browser = replace(browser, seal=self._keys.digest(browser.bound()))
        await tx.browsers.add(browser)
        draft = Draft(
            at=now,
            conversation="",
            session="",
            actor=_identity(browser).caller(peer).label,
            action="browser.sign_in",
            target=number,
            facts=self._facts(browser, peer),
        )
        await self._journal.append(tx, draft)
        return browser

    def _facts(self, browser: Browser, peer: str) -> dict[str, str | int | bool | None]:
        facts: dict[str, str | int | bool | None] = {"peer": self._journal.safe(peer), "roles": " ".join(browser.roles)}
        return {**facts, "by": browser.key} if browser.key else facts

    async def _looked(self, tx: Tx, digest: bytes, now: int) -> Browser | None:
        """The browser of that cookie, unless its row was altered or the key behind it ended."""
        found = await tx.browsers.by_digest(digest)
        if found is None or not access.same(found.digest.hex(), digest.hex()):
            return None
        if not access.same(found.seal, self._keys.digest(found.bound())):
            return None
        return found if await self._stands(tx, found.key, now) else None

    async def _stands(self, tx: Tx, key_id: str, now: int) -> bool:
        if not key_id.startswith("key_"):
            # of the terminal or of an issuer: nothing of this hub to be revoked
            return True
        key = await tx.api_keys.get(key_id)
        return key is not None and not key.ended(now)

    def _following(self) -> CodeFlow:
        if self._flow is None:
            raise NotFound("nobody signs in by an issuer here", "mab dashboard, at a terminal, prints a link")
        return self._flow

    def _digest(self, kind: str, secret: str) -> bytes:
        # a code opens no session and a cookie no conversation, whatever anybody puts where
        return self._keys.api_key_digest(f"browser {kind} {secret}")

    def _remember(self, digest: bytes, at: int, found: Browser | None, ends: int) -> None:
        if found is None or ends != self._ends:
            # somebody was signed out meanwhile: what was read may be older than that
            self._known.pop(digest, None)
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = at, found

    def _forget(self, browser_id: str) -> None:
        self._ends += 1
        self._known = {digest: held for digest, held in self._known.items() if held[1].id != browser_id}


def refusal() -> NotAllowed:
    """One sentence for every way a code can be wrong."""
    return NotAllowed(
        "this code opens nothing: it was used, it is older than a minute, or it is of another hub",
        "mab dashboard, at a terminal, prints a new one",
        authentication="failed",
    )


def _identity(browser: Browser) -> Identity:
    confined = None if browser.conversations is None else frozenset(browser.conversations)
    roles = frozenset(browser.roles)
    return Identity(browser.id, browser.name, BROWSER, roles, confined, browser.expires_at, browser.key)
