"""User information of URLs and of connection strings."""

from __future__ import annotations

import re
import string

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random, is_reference
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span
from multiagent_bridge.guard.redaction.words import word_set

_USERINFO = re.compile(
    r"([^\s:/?#@\"'<>\\,|]{0,128})(?::([^\s/@\"'<>\\]{0,512}(?:@[^\s/@\"'<>\\:]{1,60}(?=@))?))?@(?=[\w\[.$%{-])"
)
_USERINFO_MAIL = re.compile(r"([^\s:/?#\"'<>\\,|]{1,128}):([^\s/@\"'<>\\]{1,128})@(?=[\w.-])")
_USERINFO_SLASHED = re.compile(r"([^\s:/?#@\"'<>\\,|]{0,64}):([^\s@\"'<>\\,;]{1,128})@(?=[\w.-]{1,200}[:/?])")
_SCHEME_CHARS = string.ascii_letters + string.digits + "+.-"
_KEPT = word_set(
    "pass password passwd pwd secret token key user username xxx xxxx **** *** your_password yourpassword "
    "redacted hidden "
)


def find_urls(text: str, budget: Budget) -> list[Span]:
    """Passwords (and tokens in the place of a user name) of `scheme://user:password@host`."""
    out: list[Span] = []
    at = text.find("://")
    while at >= 0:
        budget.spend()
        start = at + 3
        if at and text[at - 1] in _SCHEME_CHARS:
            found = _USERINFO.match(text, start) or _USERINFO_SLASHED.match(text, start)
            if found is None or found[2] is None:
                found = _USERINFO_MAIL.match(text, start) or found
            if found:
                out.extend(_userinfo(text, found))
        at = text.find("://", start)
    return out


def _userinfo(text: str, found: re.Match[str]) -> list[Span]:
    user, password = found[1], found[2]
    out: list[Span] = []
    if password and _is_password(password):
        out.append(Span(*found.span(2), "PASSWORD", "url-password", 2))
    token_user = is_random(user, 16) and PLACEHOLDER_MARK not in user
    if token_user and (password is None or len(user) >= 20):
        out.append(Span(*found.span(1), "SECRET", "url-token", 2))
    return out


def _is_password(password: str) -> bool:
    low = password.lower()
    if PLACEHOLDER_MARK in password or is_reference(password) or low in ("x-oauth-basic", "x-token-auth", ""):
        return False
    if password[:1] in "{$<%[*" and not re.match(r"%[0-9A-Fa-f]{2}", password):
        return False
    return not (low in _KEPT or set(password) <= set("*x.X"))
