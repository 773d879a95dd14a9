"""`mab top`: the dashboard at a terminal. Textual is imported when it is run, and by nothing that merely lists it."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.util import find_spec

import typer

from multiagent_bridge.errors import Invalid, Refused


def register(app: typer.Typer) -> None:
    app.command()(top)


def top() -> None:
    """Show agents, conversations, approvals and the journal live; decide approvals by keys."""
    streams = (sys.stdin, sys.stdout)
    if any(stream is None or not stream.isatty() for stream in streams) or os.environ.get("TERM") in (None, "", "dumb"):
        raise Refused("mab top is for a person at a terminal", "for a pipe: mab status --watch --json")
    if find_spec("textual") is None:
        raise Invalid(
            "mab top needs the extra [tui]",
            "pip install 'mcp-multiagent-bridge[tui]'; without it: mab status --watch",
        )
    from multiagent_bridge.cli.top.app import run

    asyncio.run(run())
