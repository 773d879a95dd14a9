"""The sign-in cookie, and what a request of a browser must say of itself: pure judgements about its header."""

from __future__ import annotations

from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.web.rules import Headers, Refusal, Rules, authority, one

SAFE = frozenset({"GET", "HEAD"})

SECONDS = 7 * 86_400
"""A cookie outlives every sign-in, so that the page can say that it ended: the hub alone knows when that is."""

BROWSER = "mab_browser"
FLOW = "mab_sign_in"
"""Of a sign-in at the issuer that is under way. It is SameSite=Lax: who comes back from there comes from another site."""

FLOW_SECONDS = 600

LINES: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-read=(), display-capture=()",
    ),
    # with no-referrer a browser sends `Origin: null` with our own forms (Fetch standard, section 4.5)
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
"""On every answer of the dashboard, refusals too."""


def name(rules: Rules, headers: Headers, kind: str = BROWSER) -> str:
    """The cookie's name. Cookies know no ports, so that two hubs of one machine need two names."""
    secure = rules.tls or bool(rules.proxies)
    return f"{'__Host-' if secure else ''}{kind}{_port(headers)}"


def left(headers: Headers) -> bool:
    """Whether a browser that nobody is signed in with still holds the cookie of a sign-in at this hub: it ended."""
    return any(_held(headers, f"{prefix}{BROWSER}{_port(headers)}") for prefix in ("", "__Host-"))


def cookie(rules: Rules, headers: Headers, kind: str = BROWSER) -> str:
    """The value of our cookie; empty without it, and when a request has several of that name: one was planted."""
    found = _held(headers, name(rules, headers, kind))
    return found[0] if len(found) == 1 else ""


def _port(headers: Headers) -> str:
    port = authority(one(headers, b"host") or "")[1]
    return f"_{port}" if port else ""


def _held(headers: Headers, wanted: str) -> list[str]:
    found = []
    for key, value in headers:
        if key == b"cookie":
            for part in value.decode("latin-1").split(";"):
                called, _, held = part.strip().partition("=")
                if called == wanted:
                    found.append(held)
    return found


def written(rules: Rules, headers: Headers, value: str, kind: str = BROWSER) -> str:
    """The Set-Cookie line; an empty `value` takes the cookie away."""
    secure = "; Secure" if rules.tls or rules.proxies else ""
    age, same = (SECONDS, "Strict") if kind == BROWSER else (FLOW_SECONDS, "Lax")
    line = f"{name(rules, headers, kind)}={value}; Path=/; HttpOnly; SameSite={same}"
    return f"{line}; Max-Age={age if value else 0}{secure}"


def checked(rules: Rules, method: str, headers: Headers) -> None:
    """Only our own pages may act, and only they may fetch parts of pages. Raises Refusal.

    Browsers say in Origin and Sec-Fetch-Site which page asks, and no page can change that (Fetch Metadata, W3C).
    """
    origin, site = one(headers, b"origin"), one(headers, b"sec-fetch-site")
    if origin is not None and origin.lower() not in _own(rules, headers):
        raise Refusal(403, NotAllowed("another page may not use the dashboard", "open the dashboard itself"))
    if method in SAFE:
        opens = one(headers, b"sec-fetch-mode") == "navigate" and one(headers, b"sec-fetch-dest") == "document"
        if site not in (None, "same-origin", "none") and not opens:
            raise Refusal(403, NotAllowed("another page may not fetch from the dashboard", "open the dashboard itself"))
        return
    if origin is None or site != "same-origin":
        raise Refusal(
            403,
            NotAllowed(
                "the request does not say that a page of the dashboard sent it",
                "use its forms, in a browser that sends Origin and Sec-Fetch-Site",
            ),
        )


def _own(rules: Rules, headers: Headers) -> frozenset[str]:
    """Our origin as this browser knows it."""
    scheme = "https" if rules.tls or rules.proxies else "http"
    return frozenset({f"{scheme}://{one(headers, b'host') or ''}".lower(), rules.base(headers).lower()})
