"""Browsers: who is signed in to the dashboard, and the one-time links by which they came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

BROWSER = "browser"
"""The kind of an identity that came by a cookie."""

SECRET_CHARACTERS = 43
"""Of a code and of a cookie: 256 random bits in an alphabet of 62."""


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link as it is stored: never its code. Instants in microseconds since 1970.

    `name`, `roles` and `conversations` are those the browser will have; `key` the id of the key of this hub that asked for
    it, empty for none; `until` the latest end of the sign-in, None for none of its own. `seal` vouches for all of it.
    """

    digest: bytes
    name: str
    roles: Sequence[str]
    conversations: Sequence[str] | None
    key: str
    until: int | None
    expires_at: int
    seal: str = ""

    def bound(self) -> str:
        """What `seal` vouches for."""
        whole = (self.digest.hex(), self.name, self.roles, self.conversations, self.key, self.until, self.expires_at)
        return "sign-in link " + json.dumps(whole)


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser that is, or was, signed in; the cookie itself is never stored. Instants in microseconds since 1970.

    `seen_at` is when it last asked for something, to the minute. `key` as in `Link`: the browser ends with it.
    """

    id: str
    digest: bytes
    name: str
    roles: Sequence[str]
    conversations: Sequence[str] | None
    key: str
    signed_in_at: int
    expires_at: int
    seal: str = ""
    seen_at: int = 0
    ended_at: int | None = None

    def bound(self) -> str:
        """What `seal` vouches for: all that never changes."""
        whole = (
            self.id,
            self.digest.hex(),
            self.name,
            self.roles,
            self.conversations,
            self.key,
            self.signed_in_at,
            self.expires_at,
        )
        return "browser " + json.dumps(whole)

    def ended(self, now: int, idle: int) -> bool:
        """Whether it opens nothing at `now`: signed out, past its end, or silent for `idle` microseconds.

        A clock set back by more than that ends it too: nobody knows how long it has been.
        """
        quiet = now - self.seen_at
        return self.ended_at is not None or now >= self.expires_at or not -idle < quiet < idle


@dataclass(frozen=True, slots=True)
class Made:
    """A new link, and the only time that its code is seen in clear."""

    name: str
    expires_at: int
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that just signed in, and the only time that its cookie is seen in clear."""

    browser: Browser
    cookie: str = field(repr=False)
