"""The code flow: a browser signs in at the issuer and comes back with a code that opens here alone, once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from multiagent_bridge.errors import NotAllowed, Unavailable
from multiagent_bridge.guard import access
from multiagent_bridge.guard import identities as guard
from multiagent_bridge.model.browsers import SECRET_CHARACTERS
from multiagent_bridge.model.identities import OIDC, Identity
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock, Ids, Keys
from multiagent_bridge.ports.code_flow import AuthorizationServer, Tokens
from multiagent_bridge.services.redaction import Redaction

FLOW_SECONDS = 600
"""How long a person may take at the issuer."""

RETURN = "/sign-in/return"
"""Where the issuer sends browsers back to: the path of the redirect URI that is registered there."""

CODE_CHARACTERS = 2_048

_HELD = re.compile(rf"([0-9A-Za-z]{{{SECRET_CHARACTERS}}})\.([0-9]{{1,16}})")
_CODE = re.compile(rf"[ -~]{{1,{CODE_CHARACTERS}}}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that goes on at the issuer: the `address` to send the browser to, and the cookie it has to bring back."""

    address: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way. All of it is derived from the cookie under the hub's own secret, so that nothing is stored for
    strangers and no browser knows its verifier. `base` is the hub's URL as that browser calls it.
    """

    base: str
    began_at: int
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def redirect_uri(self) -> str:
        return self.base + RETURN


class CodeFlow:
    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        server: AuthorizationServer,
        claiming: guard.Claiming,
        seconds: int,
    ) -> None:
        """`seconds`: the longest that a sign-in by the issuer lasts."""
        self._clock = clock
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._server = server
        self._claiming = claiming
        self.seconds = seconds

    @property
    def issuer(self) -> str:
        """Its identifier, an https URL."""
        return self._server.name

    async def begin(self, base: str) -> Begun:
        """Begin a sign-in of a browser that knows the hub as `base`, a URL without a path. Raises Unavailable."""
        cookie = f"{self._ids.secret()}.{self._clock.now()}"
        flow = self._flow(cookie, base)
        return Begun(await self._server.address(flow.redirect_uri, flow.state, flow.nonce, flow.verifier), cookie)

    def opened(self, cookie: str, state: str, base: str) -> Flow:
        """The sign-in that this browser began, if `state` is its own. Raises NotAllowed."""
        if not _HELD.fullmatch(cookie):
            raise elsewhere("the browser brought no cookie of a sign-in under way")
        flow = self._flow(cookie, base)
        if not access.same(state, flow.state):
            raise elsewhere("the state is not that of the browser")
        now = self._clock.now()
        if not -SECOND < now - flow.began_at < FLOW_SECONDS * SECOND:
            raise elsewhere("the sign-in was begun too long ago")
        return flow

    async def person(self, flow: Flow, answer: Mapping[str, str], peer: str) -> Identity:
        """Who comes back with this authorization response: the identity of their bearer tokens. Raises NotAllowed, Unavailable.

        An agent is refused, as it is by `browser.link`.
        """
        try:
            await self._server.answered(answer.get("iss"))
        except NotAllowed as wrong:
            raise NotAllowed(wrong.sentence, said="answer") from wrong
        if "error" in answer:
            # the words are the issuer's own or anybody's: none is repeated
            kind = "access_denied" if answer["error"] == "access_denied" else "an error"
            raise NotAllowed(f"the issuer says {kind}", said="denied")
        code = answer.get("code", "")
        if not _CODE.fullmatch(code):
            raise NotAllowed("the answer has no code", said="answer")
        try:
            tokens = await self._server.redeem(code, flow.redirect_uri, flow.verifier)
            self._judge(flow, tokens.claims)
        except NotAllowed as wrong:
            raise NotAllowed(wrong.sentence, said="answer") from wrong
        try:
            found = self._identity(await self._claimed(tokens))
            access.permit(found.caller(peer), "browser.link")
        except NotAllowed as wrong:
            raise NotAllowed(wrong.sentence, said="role") from wrong
        return found

    def refusal(self, wrong: NotAllowed) -> NotAllowed:
        """What the browser hears: the kind of refusal in `said`, and nothing that the issuer or anybody else said."""
        return NotAllowed("this sign-in at the issuer opens nothing", "begin again", said=wrong.facts.get("said"))

    def unavailable(self) -> Unavailable:
        """The same of an issuer that cannot be asked."""
        return Unavailable("the issuer cannot be asked", "try again soon, or sign in by a link", said="unavailable")

    def _flow(self, cookie: str, base: str) -> Flow:
        began = int(cookie.rpartition(".")[2])

        def derived(what: str) -> str:
            return self._keys.digest(f"code flow {what}\n{cookie}\n{base}\n{self._server.name}")

        return Flow(base, began, derived("state"), derived("nonce"), derived("verifier"))

    def _judge(self, flow: Flow, claims: Mapping[str, object]) -> None:
        """The ID token answers this very request (OpenID Connect Core, section 3.1.3.7). Raises NotAllowed."""
        nonce, issued = claims.get("nonce"), claims.get("iat")
        if not isinstance(nonce, str) or not access.same(nonce, flow.nonce):
            raise NotAllowed("the nonce is not that of the request")
        leeway, now = self._claiming.leeway, self._clock.now()
        if isinstance(issued, bool) or not isinstance(issued, int | float):
            raise NotAllowed("the ID token's iat is no date")
        if issued < flow.began_at // SECOND - leeway:
            raise NotAllowed("the ID token is older than the request")
        ends = claims.get("exp")
        if isinstance(ends, bool) or not isinstance(ends, int | float) or now // SECOND >= ends + leeway:
            raise NotAllowed("the ID token has expired")

    async def _claimed(self, tokens: Tokens) -> guard.Claimed:
        """What the claims allow: those of the ID token, or where it gives no role those of the access token for this hub.

        Many issuers write roles into access tokens alone. Raises NotAllowed, Unavailable.
        """
        now = self._clock.now()
        try:
            return guard.claimed(tokens.claims, self._claiming, now)
        except NotAllowed:
            if not tokens.access_token:
                raise
        found = guard.claimed(await self._server.claims(tokens.access_token), self._claiming, now)
        if found.subject != tokens.claims.get("sub"):
            raise NotAllowed("the access token is of somebody else")
        return found

    def _identity(self, found: guard.Claimed) -> Identity:
        number = self._keys.digest(f"identity {self._server.name}\n{found.subject}")[:32]
        name = guard.shown(self._redaction.text(found.name).text)
        return Identity(f"oidc_{number}", name, OIDC, found.roles, found.conversations, found.expires_at)


def elsewhere(why: str) -> NotAllowed:
    """The browser that comes back is not the one that went, as far as anybody can tell; `why` is for the journal."""
    return NotAllowed(why, said="elsewhere")
