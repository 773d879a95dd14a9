"""`/sign-in/proof`: the program that prints a sign-in link asks here whether this is who the link is for."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from multiagent_bridge.guard import proofs

PATH = "/sign-in/proof"


class Proof:
    """What one process proves itself by. `url` is what it says that it serves; while that is empty nothing is proven."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(proofs.SECRET_BYTES)
        self.url = ""

    def route(self) -> Route:
        """Answers anybody: what it signs is of use to nobody but who asked, and holds for this address alone."""

        async def proven(request: Request) -> Response:
            asked = request.query_params.getlist("nonce")
            at = request.scope.get("server")
            if not self.url or at is None or len(asked) != 1 or not proofs.NONCE.fullmatch(asked[0]):
                return PlainTextResponse("nonce: 64 hex digits\n", 400)
            return PlainTextResponse(proofs.proof(self.secret, self.url, at[0], at[1], asked[0]))

        return Route(PATH, proven, methods=["GET"])
