"""`/metrics`: how the hub stands, for Prometheus, behind the door like every other route."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from multiagent_bridge.errors import BridgeError, TooFast
from multiagent_bridge.model.gauges import Reading
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.services.gauges import Gauges

PATH = "/metrics"
RETRY_SECONDS = 5.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every version of Prometheus reads."""


def route(gauges: Gauges, rendered: Callable[[Reading], bytes]) -> Route:
    """The route; `rendered` puts what was read into the text format of Prometheus."""

    async def metrics(request: Request) -> Response:
        identity: Identity = request.scope["state"]["identity"]
        try:
            reading = await gauges.read(identity.caller(request.scope["state"]["peer"]))
        except BridgeError as error:
            said = {"error": error.code, "message": error.sentence, "hint": error.hint}
            wait = error.retry_after if isinstance(error, TooFast) else RETRY_SECONDS
            later = {"retry-after": str(max(1, int(wait)))} if error.http_status in (429, 503) else {}
            return JSONResponse(said, error.http_status, later)
        return Response(rendered(reading), headers={"content-type": CONTENT_TYPE})

    return Route(PATH, metrics, methods=["GET"])
