"""`mab mcp`: what an MCP client starts. Pumps lines between standard streams and the hub's Unix socket.

Standard library only, nothing of the package outside this folder, so that it answers in milliseconds. It starts the
hub when none answers, has an older hub make way, and after a crash of the hub reconnects, says of every call in flight
whether to repeat it, and goes on.
"""

from __future__ import annotations

import sys

from .hub import VERSION, HubProcess
from .pump import Pump

USAGE = "mab mcp [--as NAME] [--standalone | --connect URL]"

__all__ = ["VERSION", "main"]


def main(arguments: list[str]) -> int:
    """Run the shim with what follows `mab mcp` on the command line. Returns the exit status."""
    name = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--as" and rest:
            name = rest.pop(0)
        elif word.startswith("--as="):
            name = word[5:]
        else:
            print(f"mab: error: mab mcp does not know {word!r}\nmab: hint: {USAGE}", file=sys.stderr)
            return 2
    if sys.stdin is not None and sys.stdin.isatty():
        print("mab: mab mcp waits for an MCP client to speak; mab init has your clients start it", file=sys.stderr)
    try:
        return Pump(HubProcess(name)).run()
    except KeyboardInterrupt:
        return 130
