"""`mab`: the command line. Nothing heavy is imported before it is needed: `mab mcp` is the standard-library shim."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `mab` and `mcp-multiagent-bridge`. Leaves with an exit status of SPEC section 6."""
    words = sys.argv[1:]
    if (
        words[:1] == ["mcp"]
        and not {"--standalone", "--connect", "--help", "-h"} & {word.partition("=")[0] for word in words}
        and hasattr(__import__("socket"), "AF_UNIX")
    ):
        from multiagent_bridge import shim

        sys.exit(shim.main(words[1:]))
    if words[:1] == ["hook"] and not {"--help", "-h"} & set(words):
        # runs at every prompt of a client: a fifth of what the whole command line costs
        from multiagent_bridge.cli import wakeups

        sys.exit(wakeups.main(words[1:]))
    from multiagent_bridge.cli.app import run

    sys.exit(run(words))
