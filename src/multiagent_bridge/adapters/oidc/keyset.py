"""The issuer's public keys: fetched when first needed, kept for minutes, held on to for an hour when the issuer is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import jwt

from multiagent_bridge.adapters.oidc.fetching import failed
from multiagent_bridge.errors import NotAllowed, Unavailable
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock

ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""The one algorithm that a key of this type and curve is used with; whatever else a token names is refused."""

MOST_KEYS = 100
KEY_ID_CHARACTERS = 256
RSA_BITS = range(2048, 8193)
"""RFC 7518, section 3.3, asks for the least; the most bounds what one signature costs."""

_EXPONENT_BITS = 64


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds. `fresh`: keys are fetched anew after so long; `stale`: the longest that they are used while the issuer does
    not answer; `again`: between two fetches at least.
    """

    fresh: int = 300
    stale: int = 3_600
    again: int = 10


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    algorithm: str
    public: jwt.PyJWK


class KeySet:
    """One fetch at a time, which no caller's end cuts short; who comes meanwhile uses what is there."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Mapping[str, object]]], clock: Clock, allowed: Collection[str], times: Times
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._allowed = allowed
        self._times = times
        self._flight: asyncio.Task[None] | None = None
        self._keys: tuple[Key, ...] = ()
        self._had: int | None = None
        self._tried: int | None = None
        self._why = failed("nobody has asked for them yet")

    async def find(self, name: str | None, algorithm: str) -> Key:
        """The key that a token names. One without a name means the only key of its algorithm.

        Raises NotAllowed for a key that the issuer does not publish, Unavailable when its keys cannot be had.
        """
        if self._older(self._had, min(self._times.fresh, self._times.stale)):
            await self._renew(wait=self._older(self._had, self._times.stale))
        if self._older(self._had, self._times.stale):
            raise self._why
        found = self._named(name, algorithm)
        if not found and name is not None and all(one.name != name for one in self._keys):
            # it may be newer than what we have
            await self._renew(wait=True)
            found = self._named(name, algorithm)
        # of two with one name nobody can say which is meant
        if len(found) != 1:
            raise NotAllowed("the token names no key that its issuer publishes for that algorithm")
        return found[0]

    def _named(self, name: str | None, algorithm: str) -> list[Key]:
        return [one for one in self._keys if one.algorithm == algorithm and name in (None, one.name)]

    def _older(self, at: int | None, seconds: int) -> bool:
        return at is None or self._clock.monotonic() - at >= seconds * SECOND

    async def _renew(self, wait: bool) -> None:
        """Fetch the keys, unless that was tried a moment ago."""
        if self._flight is None or self._flight.done():
            if not self._older(self._tried, self._times.again):
                return
            self._tried = self._clock.monotonic()
            self._flight = asyncio.create_task(self._fly())
        if wait:
            await asyncio.shield(self._flight)

    async def _fly(self) -> None:
        """A failure is remembered, and what is there stays."""
        try:
            keys = usable(await self._fetch(), self._allowed)
        except Unavailable as error:
            self._why = Unavailable(error.sentence, error.hint, retry_after=self._times.again)
        else:
            self._keys, self._had = keys, self._clock.monotonic()

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])


def usable(document: Mapping[str, object], allowed: Collection[str]) -> tuple[Key, ...]:
    """The keys of a JWK set (RFC 7517) that verify signatures here. Raises Unavailable when there is none."""
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise failed("what it publishes is no set of keys")
    found = tuple(key for one in listed if isinstance(one, dict) and (key := _key(one, allowed)) is not None)
    if not found:
        raise failed("it publishes no key that can be used here")
    return found


def _key(jwk: Mapping[str, object], allowed: Collection[str]) -> Key | None:
    """The key, or None for one of another use, type or strength: an issuer may publish such beside ours."""
    name, kind, curve = jwk.get("kid", ""), jwk.get("kty"), jwk.get("crv")
    if not isinstance(name, str) or len(name) > KEY_ID_CHARACTERS:
        return None
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return None
    algorithm = ALGORITHMS.get((kind, curve))
    if algorithm not in allowed or algorithm is None or jwk.get("alg", algorithm) not in (algorithm, _also(algorithm)):
        return None
    operations = jwk.get("key_ops", ["verify"])
    verifies = isinstance(operations, list) and "verify" in operations
    # a private key that was published is nobody's secret
    if jwk.get("use", "sig") != "sig" or not verifies or "d" in jwk or "k" in jwk:
        return None
    public = {part: jwk[part] for part in ("kty", "crv", "n", "e", "x", "y") if part in jwk}
    try:
        made = jwt.PyJWK.from_dict(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return Key(name, algorithm, made) if _strong(made) else None


def _also(algorithm: str) -> str:
    """The name that RFC 9864 gives the algorithm."""
    return "Ed25519" if algorithm == "EdDSA" else algorithm


def _strong(key: jwt.PyJWK) -> bool:
    if key.key_type != "RSA":
        return True
    numbers = key.key.public_numbers()
    return numbers.n.bit_length() in RSA_BITS and numbers.e % 2 == 1 and 1 < numbers.e < 1 << _EXPONENT_BITS
