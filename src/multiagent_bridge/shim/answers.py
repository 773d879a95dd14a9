"""What the shim itself says to a client: the answers to calls whose hub went away, or never was."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REPLAY = "mab:replay"
"""The id under which the shim says a client's handshake again; its answer is for nobody."""

LISTEN = "subscriptions/listen"
"""A request that is answered only when its stream of notifications ends: nobody waits for the answer."""

SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"

REPEATABLE = (
    "check_messages",
    "list_conversations",
    "update_my_status",
    "check_partner_status",
    "list_tasks",
    "enable_yolo_mode",
)

_ANSWER = b'{"jsonrpc":"2.0","id":'
_ID_BYTES = 256
_decoder = json.JSONDecoder()


def advice(request: dict[str, Any]) -> str:
    """Whether to repeat a request that may or may not have taken effect."""
    if request["method"] == LISTEN:
        return "listen again, then look: something may have moved meanwhile"
    if request["method"] != "tools/call":
        return "repeat it"
    params = request.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    arguments = params.get("arguments") if isinstance(params, dict) else None
    if name in REPEATABLE:
        return "repeat the call: nothing was lost"
    if name == "execute_command":
        return _advice_on_a_command(arguments if isinstance(arguments, dict) else {})
    if name != "send_to_partner":
        return "do not repeat it blindly: it may have taken effect; list_conversations shows where you are"
    if isinstance(arguments, dict) and arguments.get("idempotency_key"):
        return "repeat the call with the same idempotency_key: it is stored once"
    return (
        "do not repeat it blindly: it may have been stored; check_partner_status shows what your partner has not read, "
        "and with an idempotency_key a repeat is safe"
    )


def _advice_on_a_command(arguments: dict[str, Any]) -> str:
    if arguments.get("command_id"):
        return "repeat the call with its command_id: it runs at most once"
    if arguments.get("dry_run", True) is not False:
        return "repeat the call: a dry run does nothing"
    return "repeating it may ask the person twice, but runs nothing by itself"


def refusal(request: dict[str, Any], sentence: str) -> bytes:
    """The answer that carries `sentence`: the tool's own error where it is a tool call, so that the model reads it."""
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
    if request["method"] != "tools/call":
        return json.dumps(answer | {"error": {"code": -32000, "message": sentence}}).encode() + b"\n"
    result: dict[str, Any] = {"content": [{"type": "text", "text": sentence}], "isError": True}
    params = request.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    if isinstance(meta, dict) and "io.modelcontextprotocol/protocolVersion" in meta:
        result["resultType"] = "complete"
    return json.dumps(answer | {"result": result}).encode() + b"\n"


def resource(request: dict[str, Any]) -> str:
    """The URI that a request names; empty if it names none."""
    params = request.get("params")
    uri = params.get("uri") if isinstance(params, dict) else None
    return uri if isinstance(uri, str) else ""


def updated(uri: str) -> bytes:
    """The notification that the resource may have moved: whoever follows it looks again."""
    notice = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
    return json.dumps(notice).encode() + b"\n"


def succeeded(line: bytes) -> bool:
    """Whether the line answers a request with a result, not with an error."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and "result" in answer


def identity(line: bytes) -> str:
    """The id, as JSON, of the request that a line from the hub answers; empty for anything else."""
    if not line.startswith(_ANSWER):
        return ""
    for length in (_ID_BYTES, len(line)):
        try:
            return json.dumps(_decoder.raw_decode(line[len(_ANSWER) : length].decode("utf-8", "replace"))[0])
        except ValueError:
            continue
    return ""
