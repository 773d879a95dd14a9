"""`mab status`: warnings, the hub, every conversation with its sessions. It starts nothing and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from multiagent_bridge.cli.conversations import Json


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again whenever it changes, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show warnings, the hub, and every conversation with its sessions."""
    # this module is imported to list the command: what it needs, when it runs
    if watch:
        from multiagent_bridge.cli.status import watch as watching

        asyncio.run(watching.run(as_json))
    else:
        from multiagent_bridge.cli.status import once

        asyncio.run(once.run(as_json))
