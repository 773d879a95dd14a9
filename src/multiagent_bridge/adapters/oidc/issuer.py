"""The issuer whose bearer tokens the hub believes: what it signed, for whom, by which algorithm (RFC 8725, RFC 9068)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jwt

from multiagent_bridge.adapters.oidc.fetching import Fetching, checked, failed, same_origin
from multiagent_bridge.adapters.oidc.keyset import ALGORITHMS, KEY_ID_CHARACTERS, KeySet, Times
from multiagent_bridge.errors import Invalid, NotAllowed
from multiagent_bridge.ports import Clock

DISCOVERY = "/.well-known/openid-configuration"
TYPES = ("jwt", "at+jwt", "application/at+jwt")

REQUIRED = ("iss", "aud", "sub", "exp")

_OPTIONS: jwt.types.Options = {
    # the hub judges times by its own clock
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}


class OidcIssuer:
    """`ports.Issuer` over HTTP. Nothing in a token says where its key is fetched from: `jku`, `x5u` and `jwk` are not read."""

    def __init__(
        self,
        name: str,
        audience: Sequence[str],
        clock: Clock,
        jwks_url: str = "",
        algorithms: Sequence[str] = tuple(ALGORITHMS.values()),
        times: Times | None = None,
        fetching: Fetching | None = None,
    ) -> None:
        """`audience`: who this hub is in a token's `aud`; one of them suffices. `jwks_url` empty: the issuer's discovery
        document names it. Raises Invalid for an address that is neither HTTPS nor of this machine, or no audience.
        """
        self.name = checked("the issuer", name)
        if "?" in name:
            raise Invalid("the issuer holds a query", "leave it out")
        if not audience or not all(audience):
            raise Invalid("the issuer's tokens need an audience", "set oidc.audience to what stands in their aud")
        if not algorithms or not set(algorithms) <= set(ALGORITHMS.values()):
            raise Invalid("an algorithm of tokens is not one of ours", f"use {', '.join(ALGORITHMS.values())}")
        self._audience = tuple(audience)
        self._jwks_url = checked("the address of the issuer's keys", jwks_url) if jwks_url else ""
        self.fetching = fetching or Fetching()
        self._allowed = frozenset(algorithms)
        self._keys = KeySet(self._published, clock, self._allowed, times or Times())

    async def claims(self, bearer: str) -> Mapping[str, object]:
        return await self.verified(bearer, self._audience, TYPES)

    async def verified(
        self, bearer: str, audience: Sequence[str], types: Sequence[str], required: Sequence[str] = ()
    ) -> Mapping[str, object]:
        """The claims of a token of one of these types that the issuer signed for that audience, the `required` ones among
        them. Raises as `claims`.
        """
        name, algorithm = self._header(bearer, types)
        key = await self._keys.find(name, algorithm)
        try:
            found: dict[str, object] = jwt.decode(
                bearer,
                key.public,
                algorithms=[key.algorithm],
                audience=audience,
                issuer=self.name,
                options={**_OPTIONS, "require": [*REQUIRED, *required]},
            )
        except jwt.PyJWTError as error:
            raise NotAllowed(f"the token does not verify ({type(error).__name__})") from error
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise NotAllowed("the token does not verify: it is malformed") from error
        return found

    async def close(self) -> None:
        await self._keys.close()

    def _header(self, bearer: str, types: Sequence[str]) -> tuple[str | None, str]:
        """Name of the key and algorithm, neither believed yet. Raises NotAllowed."""
        try:
            header = jwt.get_unverified_header(bearer)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise NotAllowed("the token's header is malformed") from error
        algorithm, name, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not isinstance(algorithm, str) or algorithm not in self._allowed:
            raise NotAllowed("the token is signed by an algorithm that is not allowed")
        if "crit" in header or "b64" in header:
            raise NotAllowed("the token's header asks for what nobody here understands")
        if not isinstance(kind, str) or kind.lower() not in types:
            raise NotAllowed("the token is of another type")
        if name is not None and (not isinstance(name, str) or not 0 < len(name) <= KEY_ID_CHARACTERS):
            raise NotAllowed("the token names no usable key")
        return name, algorithm

    async def _published(self) -> Mapping[str, object]:
        """The key set as the issuer publishes it now. Raises Unavailable."""
        return await self.fetching.document(self._jwks_url or await self._discovered())

    async def metadata(self) -> Mapping[str, object]:
        """What the issuer says of itself now (OpenID Connect Discovery, section 4). Raises Unavailable."""
        document = await self.fetching.document(self.name.rstrip("/") + DISCOVERY)
        if document.get("issuer") != self.name:
            raise failed("its discovery document is of another issuer")
        return document

    async def _discovered(self) -> str:
        """Where the keys are: of the issuer's own origin only."""
        url = named(await self.metadata(), "jwks_uri")
        if not same_origin(url, self.name):
            raise failed("its keys are on another host: set oidc.jwks_url if that is right")
        return url


def named(document: Mapping[str, object], name: str) -> str:
    """An address that the issuer's metadata name. Raises Unavailable for one that is neither HTTPS nor of this machine."""
    found = document.get(name)
    try:
        return checked(f"its {name}", found if isinstance(found, str) else "")
    except Invalid as error:
        raise failed(error.sentence) from error
