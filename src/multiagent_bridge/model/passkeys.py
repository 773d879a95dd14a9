"""Passkeys: what a person's authenticator proved, and the one-time challenges it is asked with (W3C Web Authentication)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Passkey:
    """One registered passkey. `name` is the person's, `rp` the host it is for, `public_key` a COSE key, `count` how often the
    authenticator says it signed (0 for those that do not count). `seal` vouches for all that never changes. Instants in
    microseconds since 1970.
    """

    id: str
    credential: bytes
    name: str
    rp: str
    public_key: bytes
    count: int
    added_at: int
    seal: str = ""
    used_at: int | None = None

    def bound(self) -> str:
        """What `seal` vouches for."""
        whole = (self.id, self.credential.hex(), self.name, self.rp, self.public_key.hex(), self.added_at)
        return "passkey " + json.dumps(whole)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A one-time secret as it is stored: never itself. `bound` says exactly what it serves for; `seal` vouches for all."""

    digest: bytes
    bound: str
    expires_at: int
    seal: str = ""

    def sealed(self) -> str:
        """What `seal` vouches for."""
        return "passkey challenge " + json.dumps((self.digest.hex(), self.bound, self.expires_at))


@dataclass(frozen=True, slots=True)
class Origin:
    """The page that asks, as the browser knows it: `https://hub.example:8443`, and its host alone."""

    url: str
    host: str


@dataclass(frozen=True, slots=True)
class Invited:
    """A one-time code that registers a passkey for `name`, and the only time that it is seen in clear."""

    name: str
    expires_at: int
    code: str = field(repr=False)
