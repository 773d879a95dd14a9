"""The tool of commands: execute_command, which asks, waits and runs what a person approved."""

from __future__ import annotations

from multiagent_bridge.mcp.tools import FLAG, TEXT, Answer, Call, Tool


async def execute(call: Call) -> Answer:
    words = call.words("command", "command_id", "approval_token", "dry_run", "wait_seconds")
    told = await call.hub.commands.execute(call.caller, call.credentials, progress=call.progress, **words)
    return Answer(told.text, told.fields())


TOOLS = (
    Tool(
        "execute_command",
        "Run a command in a sandbox, once a person has approved exactly that. By default only the verdict, argv and digest. "
        "dry_run=false asks for it; then call again with command_id, dry_run=false and wait_seconds (0-50): it waits for "
        "the decision, runs it once and brings the result.",
        {
            "command": TEXT,
            "command_id": TEXT,
            "approval_token": TEXT,
            "dry_run": FLAG,
            "wait_seconds": {"type": "number"},
        },
        execute,
        gated=True,
        destroys=True,
        open_world=True,
        waits_for="a person's decision, or the end of the run",
    ),
)
