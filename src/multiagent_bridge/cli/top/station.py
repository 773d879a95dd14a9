"""Where `mab top` looks: the store that the settings name, and the hub of this machine as it answers a greeting."""

from __future__ import annotations

import asyncio
import os

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.cli import owner, running
from multiagent_bridge.cli.top.feed import Station
from multiagent_bridge.config import Settings

GREETING_SECONDS = 1.0
"""So long a hub may take to answer: whoever quits waits no longer than that."""


def station() -> Station:
    """By the settings of this place. Raises Invalid."""
    settings = config.load()

    async def hub_words() -> str:
        return await asyncio.to_thread(words, settings)

    return Station(owner.hub, owner.owner(), SystemClock(), lambda: stored(settings), hub_words)


def stored(settings: Settings) -> object:
    """Which store there is, None while there is none: opening it would make one."""
    path = wiring.store_file(settings)
    if path is None:
        return "server"
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def words(settings: Settings) -> str:
    """How the hub of this machine is, in a few words."""
    try:
        found = running.look(settings.home, GREETING_SECONDS)
    except OSError as error:
        return f"hub: cannot be looked at, {os.strerror(error.errno or 0).lower()}"
    who = f"process {found.pid}" if found.pid else "a process that is not known"
    said = {
        "answers": f"running, {who}, version {found.version}, {found.connections or 0} connected",
        "none": "not running; mab mcp starts it",
        "silent": f"{who} does not answer: mab doctor",
        "stale": "not running; it left its socket behind, the next mab mcp clears it away",
        "foreign": "what lies where its socket belongs is no socket: mab doctor",
        "refuses": f"refuses this program: {found.said}",
    }
    return f"hub: {said[found.state]}"
