"""`mab help`: the help of a command, or of a topic that concerns all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.errors import NotFound

ENVIRONMENT = (
    ("MAB_HOME", "state directory, instead of the platform's"),
    ("MAB_STORE", "store URL, such as sqlite:///PATH"),
    ("MAB_MASTER_KEY", "64 hex characters, or file:PATH, keyring, command:LINE"),
    ("MAB_HUB__LOG_LEVEL", "any setting: section, two underscores, name; lists as JSON"),
    ("MAB_TOKEN", "token of the session that send, check, heartbeat, keepalive and task act as"),
    ("MAB_API_KEY", "key that mab mcp --connect shows to a hub elsewhere"),
    ("YOLO_MODE", "1 lets the agent of this mab mcp ask for commands"),
    ("NO_COLOR", "no colour when it is set and not empty"),
)


def register(app: typer.Typer) -> None:
    app.command("help")(show_help)


def show_help(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND or TOPIC", help="Topics: exit-codes, environment.")
    ] = None,
) -> None:
    """Show help for a command, or a topic such as exit-codes."""
    from multiagent_bridge.cli.app import app
    from multiagent_bridge.cli.exits import EXITS
    from multiagent_bridge.cli.tree import COMMANDS

    topic = words[0] if words else ""
    if topic == "exit-codes":
        output.table(["status", "code", "meaning"], EXITS)
    elif topic == "environment":
        output.table(["variable", "meaning"], ENVIRONMENT)
    elif not topic or topic in COMMANDS:
        app([*(words or []), "--help"], standalone_mode=False, prog_name="mab")
    else:
        raise NotFound(f"there is no help on {topic!r}", "mab help lists the commands; topics: exit-codes, environment")
