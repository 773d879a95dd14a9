"""Hooks of Schemathesis for a hub: what a JSON-RPC answer means, which HTTP statuses alone do not say."""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

MALFORMED = (-32700, -32600, -32602)
"""Parse error, invalid request, invalid parameters: what is not to be said about a request that fits the description."""

OURS = re.compile(r"[a-z_]+: ")

ROUTED = os.environ.get("MAB_FUZZED_ERA") == "modern"


@schemathesis.auth()
class Key:
    """A key of the hub, but in the cases that are about not having one; an empty one is none."""

    def get(self, case: Any, context: Any) -> str:
        return os.environ["MAB_FUZZED_KEY"]

    def set(self, case: Any, data: str, context: Any) -> None:
        if data:
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Ask for JSON; name the method and the tool in the header, too, as that era wants it."""
    if case.path != "/mcp" or case.method != "POST":
        return
    case.headers["Accept"] = "application/json"
    if re.fullmatch("[0-9a-f]{32}", case.headers.get("Mab-Connection", "0" * 32)):
        # who is refused again and again is slowed down, connection by connection
        case.headers["Mab-Connection"] = uuid.uuid4().hex
    body = case.body
    if ROUTED and isinstance(body, dict):
        params = body.get("params")
        named = params.get("name", params.get("uri")) if isinstance(params, dict) else None
        for name, value in (("Mcp-Method", body.get("method")), ("Mcp-Name", named)):
            if isinstance(value, str) and re.fullmatch("[!-~]+", value):
                case.headers[name] = value


def said(response: Any) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@schemathesis.check
def wrong_messages_are_refused(ctx: Any, response: Any, case: Any) -> bool | None:
    """`negative_data_rejection`, which an error of JSON-RPC or of a tool satisfies as well as a status does."""
    answer = said(response)
    result = answer.get("result")
    if "error" in answer or (isinstance(result, dict) and result.get("isError")):
        return None
    return negative_data_rejection(ctx, response, case)


@schemathesis.check
def right_messages_are_taken(ctx: Any, response: Any, case: Any) -> bool | None:
    """`positive_data_acceptance`; a message may be refused for what it asks for, but never for its form."""
    error = said(response).get("error")
    if case.path != "/mcp" or case.method != "POST" or not isinstance(error, dict):
        return positive_data_acceptance(ctx, response, case)
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    # a refusal of ours says its own code, such as `not_found: `
    if fits and error.get("code") in MALFORMED and not OURS.match(str(error.get("message", ""))):
        raise Failure(operation=case.operation.label, title="Valid message called malformed", message=str(error))
    return None
