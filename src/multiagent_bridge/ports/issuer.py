"""The issuer of bearer tokens that are believed besides our own keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Issuer(Protocol):
    """Who signs the bearer tokens that this hub believes besides its own keys (OAuth 2.1, OpenID Connect)."""

    name: str
    """Its identifier, an https URL."""

    async def claims(self, bearer: str) -> Mapping[str, object]:
        """The claims of a token that this issuer signed for this hub, by an algorithm that is allowed.

        Its times are the caller's to judge. Raises NotAllowed saying what is wrong with it, Unavailable when the issuer's
        keys cannot be had.
        """
        ...
