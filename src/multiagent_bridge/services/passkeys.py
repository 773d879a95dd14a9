"""Passkeys: a person's authenticator says yes to exactly what a page showed, in place of the code of the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from multiagent_bridge.errors import NotAllowed, NotApproved, NotFound, Unavailable
from multiagent_bridge.guard import access, text
from multiagent_bridge.model.browsers import BROWSER
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import SECOND, Window
from multiagent_bridge.model.passkeys import Challenge, Invited, Origin, Passkey
from multiagent_bridge.ports import Authenticators, Clock, Ids, Keys, Tx
from multiagent_bridge.services.approvals import Approvals, Approved, Request, Scope, meant
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import Journal

CHALLENGE_SECONDS = 120
INVITED_SECONDS = 300

NAME_CHARACTERS = 100

TRIES = (Window(10, 60), Window(60, 3_600))
"""Codes of registrations typed by one identity."""


T = TypeVar("T")


class Passkeys:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        approvals: Approvals,
        authenticators: Authenticators | None,
    ) -> None:
        """Without `authenticators` (the extra is not installed) nothing is registered and nothing asked."""
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._approvals = approvals
        self._authenticators = authenticators

    async def invite(self, caller: Caller, name: str) -> Invited:
        """A one-time code with which a browser of that name registers a passkey within `INVITED_SECONDS`.

        It comes from the terminal, since a program that can fetch the page could register a passkey of its own. Raises
        Invalid, Unavailable without the extra.
        """
        code = self._ids.secret()

        async def invited(tx: Tx, now: int, ticket: Ticket) -> Invited:
            self._library()
            who = text.line("the name", name, 1, NAME_CHARACTERS)
            until = now + INVITED_SECONDS * SECOND
            await self._keep(tx, code, {"act": "invite", "name": who}, until, now)
            await self._journal.record(tx, ticket, now, "passkey.invite", "", {"name": self._journal.safe(who)})
            return Invited(who, until, code)

        return await self._gate.own(caller, "passkey.invite", invited)

    async def registration(self, caller: Caller, code: str, origin: Origin) -> Mapping[str, str]:
        """Use up a code of the terminal. Returns `challenge` and `options` of navigator.credentials.create.

        Raises NotApproved (no such code, or for another name), NotAllowed for who is no browser, TooFast, Unavailable.
        """
        challenge = self._ids.secret()

        async def begun(tx: Tx, now: int, ticket: Ticket) -> Mapping[str, str] | NotApproved:
            library = self._browsing(caller)
            await self._gate.limit(tx, f"passkeys:{caller.identity}", TRIES, now)
            wanted = {"act": "invite", "name": caller.name}
            if not await self._taken(tx, code.strip(), wanted, now):
                wrong = NotApproved("that is no code for a passkey of this name", "mab passkey add NAME, at a terminal")
                await self._journal.refusal(tx, ticket, now, "", wrong)
                return wrong
            await self._keep(tx, challenge, self._register(caller, origin), now + CHALLENGE_SECONDS * SECOND, now)
            known = [one.credential for one in await self._of(tx, caller.name, origin.host)]
            return {"challenge": challenge, "options": library.creation(origin.host, challenge, caller.name, known)}

        return _good(await self._gate.own(caller, "passkey.register", begun))

    async def register(self, caller: Caller, challenge: str, answer: str, origin: Origin) -> Passkey:
        """Keep the passkey that `answer` proves. Raises NotApproved, Conflict for one that is registered already."""

        async def registered(tx: Tx, now: int, ticket: Ticket) -> Passkey | NotApproved:
            library = self._browsing(caller)
            try:
                if not await self._taken(tx, challenge, self._register(caller, origin), now):
                    raise _stale()
                credential, public_key, count = library.created(answer, challenge, origin.host, origin.url)
            except NotApproved as wrong:
                # written here, so that the challenge stays used up
                await self._journal.refusal(tx, ticket, now, "", wrong)
                return wrong
            number = self._ids.named("passkey")
            bare = Passkey(number, credential, caller.name, origin.host, public_key, count, now)
            passkey = replace(bare, seal=self._keys.digest(bare.bound()))
            await tx.passkeys.add(passkey)
            facts = {"name": self._journal.safe(caller.name), "rp": origin.host}
            await self._journal.record(tx, ticket, now, "passkey.register", number, facts)
            return passkey

        return _good(await self._gate.own(caller, "passkey.register", registered))

    async def challenge(
        self, caller: Caller, ids: Sequence[str], scope: Scope | None, origin: Origin
    ) -> Mapping[str, str]:
        """Ask for a yes to exactly these commands as they are now, from this browser, once, within `CHALLENGE_SECONDS`.

        Returns `challenge` and `options` of navigator.credentials.get. Raises NotApproved without a passkey, and as
        `Approvals.propose`.
        """
        challenge = self._ids.secret()

        async def asked(tx: Tx, now: int, ticket: Ticket) -> Mapping[str, str]:
            library = self._browsing(caller)
            what = await self._approvals.asked(tx, ticket, now, ids, scope)
            known = [one.credential for one in await self._of(tx, caller.name, origin.host)]
            if not known:
                raise NotApproved(
                    "no passkey of this name is registered for this host", "type the code of the terminal"
                )
            await self._keep(tx, challenge, self._approve(caller, origin, what), now + CHALLENGE_SECONDS * SECOND, now)
            return {"challenge": challenge, "options": library.request(origin.host, challenge, known)}

        return await self._gate.own(caller, "command.approve", asked)

    async def approve(
        self, caller: Caller, ids: Sequence[str], scope: Scope | None, challenge: str, answer: str, origin: Origin
    ) -> Sequence[Approved]:
        """Say yes by a passkey to exactly what `challenge` was made for. Raises as `Approvals.approve`."""

        async def signed(tx: Tx, now: int, requests: Sequence[Request]) -> NotApproved | None:
            library = self._browsing(caller)
            try:
                if not await self._taken(tx, challenge, self._approve(caller, origin, meant(requests, scope)), now):
                    raise _stale()
                credential = library.credential(answer)
                mine = [one for one in await self._of(tx, caller.name, origin.host) if one.credential == credential]
                if not mine:
                    raise NotApproved("that passkey is not one of this name on this host", "use one that is")
                key = mine[0]
                count = library.asserted(answer, challenge, origin.host, origin.url, key.public_key, key.count)
                if not await tx.passkeys.use(key.id, key.count, count, now):
                    raise _stale()
            except NotApproved as wrong:
                return wrong
            return None

        return await self._approvals.proven(caller, ids, scope, signed)

    async def mine(self, caller: Caller, origin: Origin) -> Sequence[Passkey]:
        """The caller's own for that host; none without the extra."""

        async def looked(tx: Tx, now: int) -> Sequence[Passkey]:
            return await self._of(tx, caller.name, origin.host) if self._authenticators else []

        return await self._gate.look(caller, "command.list", looked)

    async def list(self, caller: Caller) -> Sequence[Passkey]:
        """Every passkey, oldest first."""

        async def listed(tx: Tx, now: int, ticket: Ticket) -> Sequence[Passkey]:
            return await tx.passkeys.list()

        return await self._gate.own(caller, "passkey.list", listed)

    async def remove(self, caller: Caller, passkey_id: str) -> None:
        """It says yes to nothing any more. Raises NotFound."""

        async def removed(tx: Tx, now: int, ticket: Ticket) -> None:
            if not await tx.passkeys.remove(passkey_id):
                raise NotFound("no such passkey", "mab passkey list shows them")
            await self._journal.record(tx, ticket, now, "passkey.remove", passkey_id)

        await self._gate.own(caller, "passkey.remove", removed)

    def _library(self) -> Authenticators:
        if self._authenticators is None:
            raise Unavailable("passkeys are not installed", "pip install 'multiagent-bridge[passkeys]'")
        return self._authenticators

    def _browsing(self, caller: Caller) -> Authenticators:
        if not caller.identity.startswith(f"{BROWSER}_"):
            raise NotAllowed("passkeys are for browsers that are signed in", "mab dashboard")
        return self._library()

    def _register(self, caller: Caller, origin: Origin) -> Mapping[str, str]:
        return {"act": "register", "browser": caller.identity, "name": caller.name, "origin": origin.url}

    def _approve(self, caller: Caller, origin: Origin, what: str) -> Mapping[str, str]:
        return {**self._register(caller, origin), "act": "approve", "what": what}

    async def _keep(self, tx: Tx, secret: str, bound: Mapping[str, str], until: int, now: int) -> None:
        """Store a one-time secret with what it serves for."""
        await tx.passkeys.sweep(now)
        bare = Challenge(self._digest(secret), json.dumps(bound, sort_keys=True), until)
        await tx.passkeys.add_challenge(replace(bare, seal=self._keys.digest(bare.sealed())))

    async def _taken(self, tx: Tx, secret: str, bound: Mapping[str, str], now: int) -> bool:
        """Whether the secret serves for exactly that and still does; either way it never does again."""
        found = await tx.passkeys.take_challenge(self._digest(secret))
        if found is None or not access.same(found.seal, self._keys.digest(found.sealed())):
            return False
        # a clock that was set back by more than the longest life of one tells nothing
        return (
            found.bound == json.dumps(bound, sort_keys=True) and 0 < found.expires_at - now <= INVITED_SECONDS * SECOND
        )

    async def _of(self, tx: Tx, name: str, rp: str) -> Sequence[Passkey]:
        """Those of a person on a host whose row nobody altered."""
        return [
            one
            for one in await tx.passkeys.list()
            if (one.name, one.rp) == (name, rp) and access.same(one.seal, self._keys.digest(one.bound()))
        ]

    def _digest(self, secret: str) -> bytes:
        return self._keys.code_digest(f"passkey {secret}")


def _stale() -> NotApproved:
    return NotApproved("that question was answered, has expired or was another one", "try again on the page")


def _good(outcome: T | NotApproved) -> T:
    if isinstance(outcome, NotApproved):
        raise outcome
    return outcome
