"""Signing in at the issuer: off to it, and back with a code (RFC 6749, section 4.1; RFC 9700).

No answer shows a token or a code, and no address of ours keeps one: whoever comes back is sent on at once. The last step is
a page, since a browser keeps a SameSite=Strict cookie from the rest of a navigation that another site began.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from multiagent_bridge.errors import BridgeError, NotFound, TooFast
from multiagent_bridge.services.code_flow import RETURN
from multiagent_bridge.web import cookies
from multiagent_bridge.web.pages import SIGN_IN, Pages, address
from multiagent_bridge.web.rules import Headers, Rules, authority, one
from multiagent_bridge.web.strangers import FAILED

START = f"{SIGN_IN}/issuer"
DONE = f"{SIGN_IN}/done"

ANSWER = ("code", "state", "iss", "error")
"""Parameters of an authorization response that are read."""


def routes(pages: Pages, rules: Rules) -> Sequence[BaseRoute]:
    browsers = pages.hub.browsers

    async def begun(request: Request) -> Response:
        headers = request.scope["headers"]
        base = rules.base(headers)
        if request.scope["state"]["identity"] is not None:
            return _to("/")
        # a page of elsewhere signs nobody in, and nobody at a name that the issuer does not send back to
        if one(headers, b"sec-fetch-site") != "same-origin" or not _at(headers, base):
            return _to(f"{base}{SIGN_IN}")
        try:
            made = await browsers.begin(base)
        except NotFound:
            return await pages.missing(request)
        except BridgeError as error:
            return _failed(error)
        return _to(made.address, cookies.written(rules, headers, made.cookie, cookies.FLOW))

    async def returned(request: Request) -> Response:
        headers = request.scope["headers"]
        given = request.query_params.multi_items()
        answer = {name: value for name, value in given if name in ANSWER}
        if len(answer) < sum(name in ANSWER for name, _ in given):
            # what is said twice is nobody's (RFC 6749, section 3.1)
            answer = {}
        held = cookies.cookie(rules, headers, cookies.FLOW)
        try:
            made = await browsers.finish(held, answer, rules.base(headers), request.scope["state"]["peer"])
        except NotFound:
            return await pages.missing(request)
        except BridgeError as error:
            over = error.facts.get("said") not in ("elsewhere", None)
            # an answer that is none of ours leaves what is under way alone
            return _failed(error, *([cookies.written(rules, headers, "", cookies.FLOW)] if over else []))
        kept = cookies.written(rules, headers, made.cookie)
        return _to(DONE, cookies.written(rules, headers, "", cookies.FLOW), kept)

    async def done(request: Request) -> Response:
        return pages.rendered("signed_in.html", 200, {})

    return (
        Route(START, begun, methods=["GET"]),
        Route(RETURN, returned, methods=["GET"]),
        Route(DONE, done, methods=["GET"]),
    )


def _at(headers: Headers, base: str) -> bool:
    """Whether the browser calls the hub by the name that the issuer sends it back to."""
    scheme, _, name = base.partition("://")
    usual = {"http": 80, "https": 443}[scheme]
    (host, port), (wanted, at) = authority(one(headers, b"host") or ""), authority(name)
    return (host, port or usual) == (wanted, at or usual)


def _to(where: str, *lines: str) -> Response:
    answer = Response(status_code=303, headers={"location": where})
    for line in lines:
        answer.headers.append("set-cookie", line)
    return answer


def _failed(error: BridgeError, *lines: str) -> Response:
    """The sign-in page with a sentence of ours, and without the code in its address."""
    word = "too_fast" if isinstance(error, TooFast) else str(error.facts.get("said") or error.code)
    return _to(address(SIGN_IN, failed=word if word in FAILED else "answer"), *lines)
