"""Signing in at the issuer: the authorization request and the exchange of the code (RFC 6749, RFC 7636, RFC 9207, RFC 9700)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus, urlencode

from multiagent_bridge.adapters.oidc.fetching import LONGEST_URL, checked, failed, same_origin
from multiagent_bridge.adapters.oidc.issuer import OidcIssuer, named
from multiagent_bridge.adapters.oidc.keyset import Times
from multiagent_bridge.errors import Invalid, NotAllowed, Unavailable
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock
from multiagent_bridge.ports.code_flow import Tokens

AT_ONCE = 16
"""Codes that are exchanged at the same time: whoever asks for more has to come again."""

TOKEN_CHARACTERS = 65_536

ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""What a token endpoint may say (RFC 6749, section 5.2); anything else is not repeated."""


class OidcCodeFlow:
    """`ports.code_flow.AuthorizationServer` over HTTP. Codes go to the issuer's own host, or to `token_url`."""

    def __init__(
        self,
        issuer: OidcIssuer,
        client_id: str,
        clock: Clock,
        secret: str = "",
        scopes: Sequence[str] = ("openid", "profile"),
        token_url: str = "",
        times: Times | None = None,
    ) -> None:
        """`secret` empty: a public client. `times` is how long the issuer's metadata are used.

        Raises Invalid for scopes without openid, and an address that is neither HTTPS nor of this machine.
        """
        if "openid" not in scopes or not all(_plain(one) for one in scopes):
            raise Invalid("oidc.scopes are no scopes of OpenID Connect", 'a list with "openid" in it')
        if not _plain(client_id):
            raise Invalid("oidc.client_id is no client id", "as the issuer shows it: no spaces")
        self.name = issuer.name
        self._issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._scopes = tuple(scopes)
        self._token_url = checked("the address where codes are exchanged", token_url) if token_url else ""
        self._clock = clock
        self._times = times or Times()
        self._fetching = issuer.fetching
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._known: Mapping[str, object] = {}
        self._had: int | None = None
        self._tried: int | None = None
        self._why = failed("nobody has asked it yet")

    async def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        document = await self._metadata()
        methods = document.get("code_challenge_methods_supported")
        if methods is not None and (not isinstance(methods, list) or "S256" not in methods):
            raise failed("it has no PKCE by S256")
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = named(document, "authorization_endpoint")
        # what is said twice is nobody's (RFC 6749, section 3.1)
        _, question, held = endpoint.partition("?")
        if any(part.partition("=")[0] in asked for part in held.split("&")):
            raise failed("its authorization_endpoint says what a request says")
        return f"{endpoint}{'&' if question else '?'}{urlencode(asked)}"

    async def answered(self, iss: str | None) -> None:
        if iss is None:
            document = await self._metadata()
            if document.get("authorization_response_iss_parameter_supported") is True:
                raise NotAllowed("the answer does not say of which issuer it is")
        elif iss != self.name:
            raise NotAllowed("the answer is of another issuer")

    async def redeem(self, code: str, redirect_uri: str, verifier: str) -> Tokens:
        if self._places.locked():
            raise Unavailable("too many people sign in at once", "try again in a few seconds", retry_after=5)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        async with self._places:
            document = await self._metadata()
            status, answer = await self._fetching.posted(
                self._endpoint(document), *_authenticated(document, form, self._client_id, self._secret)
            )
        if status != 200:
            error = answer.get("error")
            said = error if isinstance(error, str) and error in ERRORS else "another error"
            if said == "invalid_grant":
                raise NotAllowed("the issuer refuses the code (invalid_grant)")
            raise Unavailable(f"the issuer refuses the hub ({said})", "look at oidc.client_id and what the issuer says")
        given, access = answer.get("id_token"), answer.get("access_token", "")
        if not isinstance(given, str) or len(given) > TOKEN_CHARACTERS:
            raise NotAllowed("the issuer gave no ID token")
        kind = answer.get("token_type")
        usable = isinstance(access, str) and isinstance(kind, str) and kind.lower() == "bearer"
        claims = await self._issuer.verified(given, (self._client_id,), ("jwt",), ("iat", "nonce"))
        _for_us_alone(claims, self._client_id)
        return Tokens(claims, str(access) if usable else "")

    async def claims(self, access_token: str) -> Mapping[str, object]:
        return await self._issuer.claims(access_token)

    def _endpoint(self, document: Mapping[str, object]) -> str:
        if self._token_url:
            return self._token_url
        found = named(document, "token_endpoint")
        if not same_origin(found, self.name):
            raise failed("it exchanges codes on another host: set oidc.token_url if that is right")
        return found

    async def _metadata(self) -> Mapping[str, object]:
        """The issuer's metadata, at most `fresh` old, or `stale` while it does not answer. Raises Unavailable."""
        async with self._turn:
            if self._older(self._had, self._times.fresh) and self._older(self._tried, self._times.again):
                self._tried = self._clock.monotonic()
                try:
                    self._known = await self._issuer.metadata()
                except Unavailable as error:
                    self._why = error
                else:
                    self._had = self._clock.monotonic()
            if self._older(self._had, self._times.stale):
                raise Unavailable(self._why.sentence, self._why.hint)
            return self._known

    def _older(self, at: int | None, seconds: int) -> bool:
        return at is None or self._clock.monotonic() - at >= seconds * SECOND


def _challenge(verifier: str) -> str:
    """BASE64URL(SHA256(verifier)), without padding (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def _authenticated(
    document: Mapping[str, object], form: dict[str, str], client_id: str, secret: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The form and the header lines by which the client says who it is (RFC 6749, section 2.3.1). Raises Unavailable."""
    if not secret:
        return {**form, "client_id": client_id}, {}
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    known = methods if isinstance(methods, list) else []
    if "client_secret_basic" in known:
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if "client_secret_post" in known:
        return {**form, "client_id": client_id, "client_secret": secret}, {}
    raise failed("it takes a client secret neither by header nor in the form")


def _for_us_alone(claims: Mapping[str, object], client_id: str) -> None:
    """OpenID Connect Core, section 3.1.3.7, points 3 to 5. Raises NotAllowed."""
    audience, party = claims.get("aud"), claims.get("azp")
    several = isinstance(audience, list) and len(audience) > 1
    if (several and party is None) or party not in (None, client_id):
        raise NotAllowed("the ID token is for another client, too")


def _plain(word: str) -> bool:
    """A word that stands in a scope (RFC 6749, section 3.3), or a client id of such letters."""
    return 0 < len(word) <= LONGEST_URL and all("!" <= one <= "~" and one not in '"\\' for one in word)
