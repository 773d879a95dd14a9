"""`mab hook`: the command that a client's hooks run."""

from __future__ import annotations

from typing import Annotated

import typer

LENIENT = {"ignore_unknown_options": True, "allow_extra_args": True}
"""A usage error's exit status would keep an agent from stopping."""


def register(app: typer.Typer) -> None:
    """Mount the command on `app`."""
    app.command("hook", context_settings=LENIENT)(hook)


def hook(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help="start, prompt, stop, wake or end, or the client's own name of the event."
        ),
    ] = "",
    client: Annotated[str, typer.Option("--client", help="claude, codex, gemini or opencode.")] = "claude",
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="The agent's name in mab mcp --as NAME.")] = "",
    home: Annotated[str, typer.Option("--home", metavar="DIR", help="The state directory.")] = "",
) -> None:
    """Answer a hook of an agent's client: how much mail waits, and whether an idle agent goes on for it."""
    from multiagent_bridge.cli import wakeups

    raise typer.Exit(wakeups.answer(event, client, name, home))
