"""Passkeys on the page Approvals: registering one with a code of the terminal, and asking one for a yes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.passkeys import Origin
from multiagent_bridge.services.approvals import Scope
from multiagent_bridge.web.pages import Pages, Visit

CHARACTERS = 20_000
"""Of an authenticator's answer."""

Ids = Callable[[Sequence[tuple[str, str]]], Sequence[str]]
ScopeOf = Callable[[Mapping[str, str]], Scope | None]


def routes(pages: Pages, ids_of: Ids, scope_of: ScopeOf) -> Sequence[BaseRoute]:
    async def challenge(visit: Visit) -> Response:
        """What the passkey is asked for a yes to exactly these."""
        fields = await visit.fields()
        ids, scope = ids_of(fields), scope_of(dict(fields))
        return await _told(visit.hub.passkeys.challenge(visit.caller, ids, scope, origin(visit)))

    return (
        pages.get("/approvals/passkeys", page),
        pages.post("/approvals/passkeys/begin", begin),
        pages.post("/approvals/passkeys/add", add),
        pages.post("/approvals/challenge", challenge),
    )


async def page(visit: Visit) -> Response:
    return await _page(visit)


async def begin(visit: Visit) -> Response:
    form = await visit.form()
    return await _told(visit.hub.passkeys.registration(visit.caller, form.get("code", "")[:100], origin(visit)))


async def add(visit: Visit) -> Response:
    form = await visit.form()
    answer = form.get("answer", "")[:CHARACTERS]
    try:
        await visit.hub.passkeys.register(visit.caller, form.get("challenge", ""), answer, origin(visit))
    except BridgeError as error:
        return await _page(visit, error)
    return visit.to("/approvals/passkeys")


def origin(visit: Visit) -> Origin:
    """The page that asks. A POST says so itself, and the door has seen that it is ours."""
    said = (
        visit.request.headers.get("origin") or f"{visit.request.url.scheme}://{visit.request.headers.get('host', '')}"
    )
    host = said.partition("://")[2]
    if host.startswith("["):
        return Origin(said, host.partition("]")[0][1:])
    return Origin(said, host.partition(":")[0].lower())


def named(host: str) -> bool:
    """Whether a browser takes it as the host of a passkey: a name, never an address."""
    return ":" not in host and not host.rpartition(".")[2].isdigit()


async def _page(visit: Visit, error: BridgeError | None = None) -> Response:
    here = origin(visit)
    mine = await visit.hub.passkeys.mine(visit.caller, here)
    port = visit.request.headers.get("host", "").rpartition(":")[2]
    answer = visit.page("passkeys.html", mine=mine, host=here.host, named=named(here.host), port=port, error=error)
    if error is not None:
        answer.status_code = error.http_status
    return answer


async def _told(asked: Awaitable[Mapping[str, str]]) -> Response:
    """Options for the script; what went wrong as a sentence that it can show."""
    try:
        return JSONResponse(await asked)
    except BridgeError as error:
        return JSONResponse({"error": error.code, "message": error.sentence, "hint": error.hint}, error.http_status)
