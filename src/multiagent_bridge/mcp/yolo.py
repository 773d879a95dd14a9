"""The tool of the guard's modes: enable_yolo_mode, with which an agent asks and a person decides."""

from __future__ import annotations

from multiagent_bridge.mcp.tools import COUNT, TEXT, Answer, Call, Tool
from multiagent_bridge.model.yolo import MODES


async def enable(call: Call) -> Answer:
    words = call.words("workspace", "timeout", "sandbox")
    asked = await call.hub.yolo.ask(call.caller, call.credentials, call.arguments.get("mode"), **words)
    return Answer(asked.text, asked.fields())


TOOLS = (
    Tool(
        "enable_yolo_mode",
        "Ask the person to let commands run. It enables nothing: a person decides at a terminal, and may choose otherwise. "
        "Call it again to see what came of it.",
        {"mode": {"type": "string", "enum": list(MODES)}, "workspace": TEXT, "timeout": COUNT, "sandbox": TEXT},
        enable,
        required=("mode",),
        repeatable=True,
        gated=True,
    ),
)
