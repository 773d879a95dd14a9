"""The program that stands over the client of an engine: `python -I -S docker_supervisor.py LIFELINE NAME ENGINE WORD...`.

It runs `ENGINE WORD...`, and when the hub has gone, whose end of the pipe LIFELINE closes then, it removes the container
NAME: killing a client leaves what it started running. Standard library alone, since it starts without the package.
"""

from __future__ import annotations

import os
import select
import sys

TICK = 0.05
"""Seconds between two looks where the system has no descriptors for processes."""


def stand(lifeline: int, name: str, argv: list[str]) -> int:
    """The client's exit status, 128 + N for signal N."""
    os.set_inheritable(lifeline, False)
    client = started(argv)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    ended = -1
    if hasattr(os, "pidfd_open"):
        ended = os.pidfd_open(client)
        poll.register(ended, select.POLLIN)
    while True:
        ready = dict(poll.poll(None if ended >= 0 else TICK * 1000))
        pid, status = os.waitpid(client, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if lifeline in ready:
            for end in (["kill", name], ["rm", "-f", "-v", name]):
                os.waitpid(started([argv[0], *end]), 0)
            os.kill(client, 9)
            os.waitpid(client, 0)
            return 137


def started(argv: list[str]) -> int:
    return os.posix_spawn(argv[0], argv, os.environ)


if __name__ == "__main__":
    sys.exit(stand(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
