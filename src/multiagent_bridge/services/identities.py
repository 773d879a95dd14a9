"""Identities: who a bearer credential speaks for, and the keys of this hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, NotFound, TooFast
from multiagent_bridge.guard import access, text
from multiagent_bridge.guard import identities as guard
from multiagent_bridge.model.callers import NO_CREDENTIALS, ROLES, Caller
from multiagent_bridge.model.identities import KEY, OIDC, ApiKey, Identity
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.ports import Clock, Ids, Issuer, Keys, Meter, Store, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.redaction import Redaction

ACTION = "identity.authenticate"

USED_SECONDS = 60
"""A key's last use is written at most so often: most requests of a key write nothing."""

LONGEST_SECONDS = 3_650 * 86_400
SHORTEST_SECONDS = 60

LOOK_SECONDS = 1
"""`still` looks at the keys so often for all who wait together: a revocation elsewhere ends their streams that much later."""

EVERYBODY = "everybody"
CROWD = 20
"""All peers together may fail so many times as often as one of them: what they write is bounded, however many they are."""

PEERS = 10_000
"""Peers over their limit that are remembered in memory."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new key, and the only time that it is seen in clear."""

    key: ApiKey
    secret: str = field(repr=False)


class Identities:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        store: Store,
        clock: Clock,
        meter: Meter,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
        issuer: Issuer | None = None,
        claiming: guard.Claiming | None = None,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._store = store
        self._clock = clock
        self._meter = meter
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._limits = limits
        self._issuer = issuer
        self._claiming = claiming or guard.Claiming()
        self._rows: dict[str, ApiKey] = {}
        self._looked = -LOOK_SECONDS * SECOND
        self._silenced: dict[str, int] = {}
        self._unwritten = 0

    async def authenticate(self, bearer: str, peer: str) -> Identity:
        """Who sent `bearer`. `peer` is where from, such as `ip:192.0.2.7`: whose failures are counted together.

        Raises NotAllowed (one sentence, whatever is wrong with it; the journal has the reason), TooFast (too many failures of
        that peer; what is right still opens), Unavailable (the issuer's keys cannot be had).
        """
        try:
            return await self._known(bearer)
        except NotAllowed as wrong:
            raise await self._failed(wrong, guard.origin(peer)) from wrong

    async def still(self, identity: Identity) -> bool:
        """Whether the identity still stands: its key was not revoked, its time is not over.

        A revocation by another process shows within `LOOK_SECONDS`. Raises Unavailable.
        """
        now = self._clock.now()
        if identity.kind == KEY:
            found = await self._row(identity.id)
            return found is not None and not found.ended(now) and _identity(found) == identity
        leeway = self._claiming.leeway * SECOND
        return self._issuer is not None and identity.expires_at is not None and now < identity.expires_at + leeway

    def resource_metadata(self, url: str) -> Mapping[str, object] | None:
        """Protected-resource metadata (RFC 9728, section 2) of the resource at `url`; None without an issuer."""
        if self._issuer is None:
            return None
        found: dict[str, object] = {
            "resource": url,
            "authorization_servers": [self._issuer.name],
            "bearer_methods_supported": ["header"],
            "resource_name": "Multiagent Bridge",
        }
        if self._claiming.roles_claim in guard.SCOPES:
            found["scopes_supported"] = sorted({one for values in self._claiming.roles.values() for one in values})
        return found

    async def create(
        self,
        caller: Caller,
        name: object,
        roles: Sequence[str],
        conversations: Sequence[str] | None = None,
        seconds: int | None = None,
    ) -> Made:
        """Make a key of this hub, `seconds` None for one without an end.

        Raises Invalid, NotFound for a conversation that is not there, NotAllowed.
        """
        try:
            called = self._redaction.text(text.line("the name", name, 1, guard.NAME_CHARACTERS)).text
            wanted = {text.choice("the role", role, ROLES) for role in roles}
            if not wanted:
                raise Invalid("a key needs a role", f"one or more of {', '.join(ROLES)}")
            if seconds is not None:
                text.whole("the lifetime in seconds", seconds, SHORTEST_SECONDS, LONGEST_SECONDS)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, NO_CREDENTIALS, "key.create", refusal, seated=False) from refusal
        # outside the transaction, which may run again
        number, secret = self._ids.named("key"), self._ids.api_key()

        async def created(tx: Tx, now: int, ticket: Ticket) -> Made:
            for one in conversations or ():
                if await tx.conversations.get(one) is None:
                    raise NotFound("no such conversation", "mab list shows them")
            key = ApiKey(
                id=number,
                name=guard.shown(called),
                digest=self._keys.api_key_digest(secret),
                roles=tuple(role for role in ROLES if role in wanted),
                conversations=None if conversations is None else tuple(sorted(set(conversations))),
                created_at=now,
                expires_at=None if seconds is None else now + seconds * SECOND,
            )
            key = replace(key, seal=self._keys.digest(key.bound()))
            await tx.api_keys.add(key)
            confined = None if key.conversations is None else len(key.conversations)
            facts = {"roles": " ".join(key.roles), "conversations": confined, "seconds": seconds}
            await self._journal.record(tx, ticket, now, "key.create", number, facts)
            return Made(key, secret)

        return await self._gate.own(caller, "key.create", created)

    async def list(self, caller: Caller) -> Sequence[ApiKey]:
        """Every key, ended ones too, oldest first. Raises NotAllowed."""

        async def listed(tx: Tx, now: int, ticket: Ticket) -> Sequence[ApiKey]:
            return await tx.api_keys.list()

        return await self._gate.own(caller, "key.list", listed)

    async def revoke(self, caller: Caller, key_id: str) -> ApiKey:
        """End a key for good; what it holds open ends with it. Raises NotFound, also for one that was revoked before."""

        async def revoked(tx: Tx, now: int, ticket: Ticket) -> ApiKey:
            found = await tx.api_keys.get(key_id)
            if found is None or not await tx.api_keys.revoke(key_id, now):
                raise NotFound("no such key, or it was revoked before", "mab key list shows them")
            await self._journal.record(tx, ticket, now, "key.revoke", key_id)
            return replace(found, revoked_at=now)

        ended = await self._gate.own(caller, "key.revoke", revoked)
        self._rows[key_id] = ended
        return ended

    async def _known(self, bearer: str) -> Identity:
        """The identity behind a credential. Raises NotAllowed with what is wrong with it, for the journal alone."""
        if not isinstance(bearer, str) or not bearer.isascii() or len(bearer) > guard.TOKEN_CHARACTERS:
            raise NotAllowed("it has not the form of a credential")
        if bearer.startswith(guard.PREFIX):
            return await self._by_key(bearer)
        if self._issuer is None or not guard.is_token(bearer):
            raise NotAllowed("it is neither a key of this hub nor a token that it reads")
        claims = await self._issuer.claims(bearer)
        found = guard.claimed(claims, self._claiming, self._clock.now())
        number = self._keys.digest(f"identity {self._issuer.name}\n{found.subject}")[:32]
        name = guard.shown(self._redaction.text(found.name).text)
        return Identity(f"oidc_{number}", name, OIDC, found.roles, found.conversations, found.expires_at)

    async def _by_key(self, bearer: str) -> Identity:
        if not guard.is_key(bearer):
            raise NotAllowed("the key is cut or mistyped")
        digest = self._keys.api_key_digest(bearer)
        found = await self._store.read(lambda tx: tx.api_keys.by_digest(digest))
        if found is None or not access.same(found.digest.hex(), digest.hex()):
            raise NotAllowed("no key of this hub")
        now = self._clock.now()
        if found.ended(now):
            raise NotAllowed(f"{found.id} was revoked or has expired")
        if not access.same(found.seal, self._keys.digest(found.bound())):
            raise NotAllowed(f"the row of {found.id} was altered")
        if found.used_at is None or now - found.used_at >= USED_SECONDS * SECOND:
            await self._store.write(lambda tx: tx.api_keys.touch(found.id, now))
        return _identity(found)

    async def _row(self, key_id: str) -> ApiKey | None:
        """A key as it stood a moment ago: of a thousand who ask, one looks for all."""
        started = self._clock.monotonic()
        if started - self._looked >= LOOK_SECONDS * SECOND:
            self._looked = started
            self._rows = {row.id: row for row in await self._store.read(lambda tx: tx.api_keys.list())}
        elif key_id not in self._rows:
            found = await self._store.read(lambda tx: tx.api_keys.get(key_id))
            if found is not None:
                self._rows[key_id] = found
        return self._rows.get(key_id)

    async def _failed(self, wrong: NotAllowed, peer: str) -> BridgeError:
        """Count a failure and write it down; of a peer over its limit once, then silently. Returns what to raise."""
        started = self._clock.monotonic()
        left = max(self._silenced.get(peer, 0), self._silenced.get(EVERYBODY, 0)) - started
        if left > 0:
            self._unwritten += 1
            return _too_many(left)
        unwritten, self._unwritten = self._unwritten, 0

        async def written(tx: Tx) -> tuple[BridgeError, str, int]:
            now = self._clock.now()
            crowd = [Window(window.limit * CROWD, window.seconds) for window in self._limits.failures]
            of, wait = peer, await self._meter.charge(tx, f"{peer}:failed", self._limits.failures, now)
            if not wait:
                of, wait = EVERYBODY, await self._meter.charge(tx, f"{EVERYBODY}:failed", crowd, now)
            outcome = _too_many(wait) if wait else refusal()
            draft = Draft(
                at=now,
                conversation="",
                session="",
                actor="agent without identity",
                action=ACTION,
                outcome="refused",
                code=outcome.code,
                target=self._journal.safe(peer),
                latency_us=max(0, self._clock.monotonic() - started),
                facts={"reason": self._journal.safe(wrong.sentence), "unwritten": unwritten},
            )
            await self._journal.append(tx, draft)
            return outcome, of, wait

        outcome, of, wait = await self._store.write(written)
        if wait:
            self._silence(of, started + wait)
        return outcome

    def _silence(self, peer: str, until: int) -> None:
        if len(self._silenced) >= PEERS:
            now = self._clock.monotonic()
            self._silenced = {one: end for one, end in self._silenced.items() if end > now}
            if len(self._silenced) >= PEERS:
                self._silenced.clear()
        self._silenced[peer] = until


def refusal() -> NotAllowed:
    """One sentence for every way a credential can be wrong, so that nobody learns which part was right."""
    return NotAllowed(
        "this bearer credential opens nothing here",
        "use a key of this hub (mab key create), or a valid token of its issuer with a role; the journal has the reason",
        authentication="failed",
    )


def _identity(key: ApiKey) -> Identity:
    confined = None if key.conversations is None else frozenset(key.conversations)
    return Identity(key.id, key.name, KEY, frozenset(key.roles), confined, key.expires_at)


def _too_many(wait: int) -> TooFast:
    seconds = max(1, -(-wait // SECOND))
    return TooFast("too many failed authentications", f"try again in {seconds} s", retry_after=seconds)
