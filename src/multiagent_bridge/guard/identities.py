"""The form of a key of this hub, and what the claims of an issuer's token make of its bearer."""

from __future__ import annotations

import ipaddress
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.model.callers import ROLES
from multiagent_bridge.model.limits import SECOND

PREFIX = "mab_key_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODY = 43
"""Characters of 62 each: 256 random bits."""

CHECK = 6
"""Characters of checksum behind the body, so that a scanner knows a key from a word without asking this hub."""

TOKEN_CHARACTERS = 8_192
"""Longest bearer token that is looked at."""

ID_CHARACTERS = 255
"""Longest subject (OpenID Connect Core, section 2)."""

NAME_CHARACTERS = 100

SCOPES = ("scope", "scp")
"""The claims that hold one text of words (RFC 8693, section 4.2); every other must be a list."""

_KEY = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{BODY}}})([0-9A-Za-z]{{{CHECK}}})")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,}\.[A-Za-z0-9_-]{1,}\.[A-Za-z0-9_-]{1,}")
_CONVERSATION = re.compile(r"conv_[0-9a-z]{12}")
_UNSEEN = re.compile(r"[^\w .,:@'+\-/]+")


def written(body: str) -> str:
    """A key of this hub with its checksum: the CRC-32 of prefix and body in six characters."""
    rest, check = zlib.crc32((PREFIX + body).encode("ascii")), ""
    for _ in range(CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        check = ALPHABET[digit] + check
    return PREFIX + body + check


def is_key(bearer: str) -> bool:
    """Whether it has the form of a key: only then is it looked for."""
    found = _KEY.fullmatch(bearer)
    return found is not None and written(found[1]) == bearer


def is_token(bearer: str) -> bool:
    """Whether it has the form of a signed token (RFC 7519): only then is it handed to what reads them."""
    return len(bearer) <= TOKEN_CHARACTERS and _TOKEN.fullmatch(bearer) is not None


def origin(peer: str) -> str:
    """Whose failures are counted together: an IPv6 host has a whole /64 to choose its address from."""
    kind, colon, rest = peer.partition(":")
    try:
        address = ipaddress.ip_address(rest.split("%")[0])
    except ValueError:
        return peer[:NAME_CHARACTERS]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return f"{kind}{colon}{address.ipv4_mapped}"
        return f"{kind}{colon}{ipaddress.ip_network((int(address), 64), strict=False)}"
    return f"{kind}{colon}{address}"


@dataclass(frozen=True, slots=True)
class Claiming:
    """How claims are read. `roles`: role to the values of `roles_claim` that give it; a value nobody named gives nothing.

    `conversations_claim` empty: nobody is confined. `leeway` in seconds, for clocks that differ.
    """

    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    roles_claim: str = "roles"
    name_claim: str = "preferred_username"
    conversations_claim: str = ""
    leeway: int = 30


@dataclass(frozen=True, slots=True)
class Claimed:
    subject: str
    name: str
    roles: frozenset[str]
    conversations: frozenset[str] | None
    expires_at: int


def claimed(claims: Mapping[str, object], how: Claiming, now: int) -> Claimed:
    """Who a token of the issuer speaks for at `now`. Raises NotAllowed saying what is wrong with its claims.

    Types are those of RFC 7519 and RFC 9068: a text where a list is wanted is no list, a number that is a truth value no date.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= ID_CHARACTERS:
        raise NotAllowed("the token has no usable subject")
    expires = _lifetime(claims, how.leeway * SECOND, now)
    values = _values(claims, how.roles_claim)
    roles = frozenset(role for role in ROLES if values & how.roles.get(role, frozenset()))
    if not roles:
        raise NotAllowed("no claim of the token gives a role here")
    name = claims.get(how.name_claim)
    return Claimed(
        subject, shown(name if isinstance(name, str) and name else subject), roles, _confined(claims, how), expires
    )


def shown(name: str) -> str:
    """A name from outside as it may stand in one line of a journal or a list."""
    return _UNSEEN.sub("?", name)[:NAME_CHARACTERS].strip() or "?"


def _lifetime(claims: Mapping[str, object], leeway: int, now: int) -> int:
    """When it ends, in microseconds; the leeway is not part of it."""
    expires = _instant(claims, "exp")
    if expires is None:
        raise NotAllowed("the token has no end")
    if now >= expires + leeway:
        raise NotAllowed("the token has expired")
    for name in ("nbf", "iat"):
        begins = _instant(claims, name)
        if begins is not None and begins > now + leeway:
            raise NotAllowed(f"the token is not valid yet ({name})")
    return expires


def _instant(claims: Mapping[str, object], name: str) -> int | None:
    """A NumericDate in microseconds. A fraction counts; what is no plain number, or no year of this calendar, does not."""
    given = claims.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1 << 38:
        raise NotAllowed(f"the token's {name} is no date")
    return int(given * SECOND)


def _values(claims: Mapping[str, object], path: str) -> frozenset[str]:
    """The values of a claim: a list of texts, or for OAuth's own scope (RFC 8693) one text of words.

    A dot leads into an object (`realm_access.roles`), unless a claim has the whole name.
    """
    found: object = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if path in SCOPES and isinstance(found, str):
        return frozenset(found.split(" ")) - {""}
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise NotAllowed(f"the token's {path} is no list of texts")
    return frozenset(found)


def _confined(claims: Mapping[str, object], how: Claiming) -> frozenset[str] | None:
    return scope(sorted(_values(claims, how.conversations_claim))) if how.conversations_claim else None


def scope(conversations: Sequence[str]) -> frozenset[str]:
    """Conversations to be confined to. Raises NotAllowed for what is no conversation id."""
    if not all(_CONVERSATION.fullmatch(one) for one in conversations):
        raise NotAllowed("a conversation to be confined to has no conversation id")
    return frozenset(conversations)
