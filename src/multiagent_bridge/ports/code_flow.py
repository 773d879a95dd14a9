"""The authorization server where people sign in to the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for. `claims` are those of the ID token, which verifies; the access token is as it came,
    empty without one.
    """

    claims: Mapping[str, object] = field(repr=False)
    access_token: str = field(default="", repr=False)


class AuthorizationServer(Protocol):
    """Where people sign in by an authorization code with PKCE (RFC 6749, section 4.1; RFC 7636; OpenID Connect Core, 3.1)."""

    name: str
    """Its identifier, an https URL."""

    async def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser asks for a code: `verifier` stands in it as its S256 challenge alone. Raises Unavailable."""
        ...

    async def answered(self, iss: str | None) -> None:
        """The authorization response is this server's: `iss` is its name, left out only by a server that sends none
        (RFC 9207). Raises NotAllowed, Unavailable.
        """

    async def redeem(self, code: str, redirect_uri: str, verifier: str) -> Tokens:
        """Exchange a code. The ID token was signed by this server, for this client alone, by an algorithm that is allowed.

        Its nonce and times are the caller's to judge. Raises NotAllowed (the server refuses the code, the ID token does not
        verify), Unavailable.
        """
        ...

    async def claims(self, access_token: str) -> Mapping[str, object]:
        """As `ports.Issuer.claims`: those of an access token for this hub."""
        ...
