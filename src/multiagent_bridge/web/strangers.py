"""What the sign-in page says to somebody who is not signed in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.web import cookies

KEPT = ("message", "reason", "note")
"""Fields whose words are given back when they came after the sign-in had ended: never a code, never an answer."""

FAILED: Mapping[str, tuple[str, str]] = {
    "denied": ("the issuer did not sign you in", "it, or you, said no there; try again, or ask whoever runs it"),
    "elsewhere": (
        "this sign-in was not begun in this browser, or was answered before, or took too long",
        "begin again here",
    ),
    "answer": ("the answer of the issuer does not hold", "begin again; the journal of the hub has the reason"),
    "role": (
        "nothing that the issuer says of you gives a role here",
        "ask whoever runs the hub; its journal has the reason",
    ),
    "unavailable": ("the issuer cannot be asked now", "try again soon, or sign in by a link of the terminal"),
    "too_fast": (
        "too many sign-ins, or too many that failed",
        "try again in a minute, or sign in by a link of the terminal",
    ),
}
"""Why a sign-in at the issuer failed, by the word that stands in our address: an address can be made by anybody."""


def told(hub: Hub, request: Request, error: BridgeError | None = None) -> dict[str, object]:
    """The names of `sign_in.html`."""
    return {
        "error": error,
        "failed": FAILED.get(request.query_params.get("failed", "")) if error is None else None,
        "ended": error is None and cookies.left(request.scope["headers"]),
        "issuer": urlsplit(hub.browsers.issuer).netloc,
        "typed": _typed(request),
    }


def _typed(request: Request) -> list[str]:
    """What a form brought that nobody was signed in for: shown to who sent it, in the answer to that very request."""
    if request.method != "POST" or request.url.path.startswith("/sign-in"):
        return []
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return []
    try:
        fields = parse_qsl(request.scope["state"]["body"].decode("utf-8"), max_num_fields=50, errors="strict")
    except ValueError:
        return []
    return [value for name, value in fields if name in KEPT and value.strip()]
