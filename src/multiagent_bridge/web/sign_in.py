"""Signing in by a one-time code or at the issuer, and out. A link's code comes in the body of a form, never in an address."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from multiagent_bridge.errors import BridgeError, TooFast
from multiagent_bridge.model.identities import OIDC, Identity
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.web import code_flow, cookies
from multiagent_bridge.web.feed import Feed
from multiagent_bridge.web.pages import SIGN_IN, Pages, Visit, form_fields
from multiagent_bridge.web.rules import Rules
from multiagent_bridge.web.strangers import told

LINKS = "/sign-in-links"
"""Where a program with a bearer credential gets a code for a browser of its own person."""


def routes(pages: Pages, feed: Feed, rules: Rules) -> Sequence[BaseRoute]:
    hub = pages.hub

    async def asked(request: Request) -> Response:
        if request.scope["state"]["identity"] is not None:
            return Response(status_code=303, headers={"location": "/"})
        headers = request.scope["headers"]
        # said once: the cookie of a sign-in that ended opens nothing any more
        shown = cookies.left(headers) and request.headers.get("sec-fetch-dest") == "document"
        gone = {"set-cookie": cookies.written(rules, headers, "")} if shown else {}
        return pages.rendered("sign_in.html", 200, told(hub, request), **gone)

    async def signed_in(request: Request) -> Response:
        state = request.scope["state"]
        try:
            fields = dict(form_fields(request.headers.get("content-type", ""), await request.body()))
            made = await hub.browsers.sign_in(fields.get("code"), state["peer"])
            before: Identity | None = state["identity"]
            if before is not None:
                # whoever was signed in here is no longer
                await hub.browsers.sign_out(before.caller(state["peer"]))
                feed.end(before.id)
        except BridgeError as error:
            later = {"retry-after": str(max(1, int(error.retry_after)))} if isinstance(error, TooFast) else {}
            return pages.rendered("sign_in.html", error.http_status, told(hub, request, error), **later)
        line = cookies.written(rules, request.scope["headers"], made.cookie)
        return Response(status_code=303, headers={"location": "/", "set-cookie": line})

    async def signed_out(visit: Visit) -> Response:
        await hub.browsers.sign_out(visit.caller)
        feed.end(visit.identity.id)
        line = cookies.written(rules, visit.request.scope["headers"], "")
        return Response(status_code=303, headers={"location": SIGN_IN, "set-cookie": line})

    return (
        Route(SIGN_IN, asked, methods=["GET"]),
        Route(SIGN_IN, signed_in, methods=["POST"]),
        *code_flow.routes(pages, rules),
        pages.post("/sign-out", signed_out),
    )


def link_route(pages: Pages) -> Route:
    """`POST /sign-in-links` with a bearer credential: a code that signs a browser in with that credential's roles."""

    async def linked(request: Request) -> Response:
        state = request.scope["state"]
        identity: Identity = state["identity"]
        until = identity.expires_at if identity.kind == OIDC else None
        try:
            made = await pages.hub.browsers.link(identity.caller(state["peer"]), until)
        except BridgeError as error:
            said = {"error": error.code, "message": error.sentence, "hint": error.hint}
            return JSONResponse(said, error.http_status)
        return JSONResponse({"code": made.code, "expires_at": microseconds_to_iso(made.expires_at)})

    return Route(LINKS, linked, methods=["POST"])
