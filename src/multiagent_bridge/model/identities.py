"""Who a bearer credential speaks for: the identity that a key of this hub or a token of the issuer establishes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.model.callers import Caller

KEY = "key"
OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated bearer.

    `id` is stable and no secret; `name` is what people call it, safe to show; `kind` is `key` or `oidc`. `conversations` is
    what it is confined to, None for no confinement. `expires_at` in microseconds since 1970, None for never. `by` is, of a
    browser, the id of the key or person whose sign-in it is, empty for the terminal.
    """

    id: str
    name: str
    kind: str
    roles: frozenset[str]
    conversations: frozenset[str] | None
    expires_at: int | None
    by: str = ""

    def caller(self, peer: str, yolo: bool = False) -> Caller:
        """This identity as services know who asks; bindings are kept under its id, whatever connection it comes by."""
        return Caller(
            agent=f"bearer:{self.id}",
            name=self.name,
            peer=peer,
            yolo=yolo,
            roles=self.roles,
            conversations=self.conversations,
            identity=self.id,
        )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of this hub as it is stored: never the key itself. Instants in microseconds since 1970.

    `digest` is the keyed digest of the whole key, `conversations` None when it is confined to none. A key without an end
    has `expires_at` None. `seal` is the keyed digest of all that never changes: a row that was altered opens nothing.
    """

    id: str
    name: str
    digest: bytes
    roles: Sequence[str]
    conversations: Sequence[str] | None
    created_at: int
    expires_at: int | None
    seal: str = ""
    revoked_at: int | None = None
    used_at: int | None = None

    def bound(self) -> str:
        """What `seal` vouches for."""
        whole = (
            self.id,
            self.name,
            self.digest.hex(),
            self.roles,
            self.conversations,
            self.created_at,
            self.expires_at,
        )
        return "api key " + json.dumps(whole)

    def ended(self, now: int) -> bool:
        """Whether it opens nothing at `now`: it was revoked, or its time is over."""
        return self.revoked_at is not None or (self.expires_at is not None and now >= self.expires_at)
