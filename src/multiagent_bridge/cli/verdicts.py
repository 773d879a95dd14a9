"""The hub's verdict on an event of a client's hook. Standard library alone, as `mab hook` is."""

from __future__ import annotations

import json
import os
import re
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GREETING = 1
ANSWER_SECONDS = 5.0
"""Longest that a prompt waits for the hub."""

ALONE_SECONDS = 60.0
"""How long a waker waits by itself where the hub knows no hooks, before it looks after its client again."""

LINE_BYTES = 1_000_000
PASSING = (5, 9)
"""Exit statuses of refusals that time mends: a limit was met, the store cannot be used."""


class Failed(Exception):
    """There is no answer. The text says why, for a person who looks."""


class Refused(Failed):
    """The hub said no, and would say so again."""


def asked(what: str, name: str) -> dict[str, Any]:
    """The hub's verdict on one event. Raises Failed when none answers."""
    with connected(what, name) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            return verdict(connection, what, name)
        except TimeoutError:
            raise Failed("the hub does not answer in time") from None


def connected(what: str, name: str) -> socket.socket:
    """A connection that was told of the event. Raises Failed."""
    from multiagent_bridge.shim import hub

    directory, folder = hub.home(), -1
    path = f"{directory}/hub.sock"
    connection = socket.socket(socket.AF_UNIX)
    try:
        if len(os.fsencode(path)) > 100:
            folder = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{folder}/hub.sock"
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(path)
        _own(connection)
        hello = {
            "mab": GREETING,
            "version": hub.VERSION,
            "key": os.urandom(16).hex(),
            "as": name,
            "pid": os.getpid(),
            "verb": "hook",
            "event": what,
        }
        connection.sendall(json.dumps(hello).encode() + b"\n")
    except OSError as fault:
        connection.close()
        raise Failed(f"no hub answers: {(fault.strerror or str(fault)).lower()}") from None
    except BaseException:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return connection


def verdict(connection: socket.socket, what: str, name: str) -> dict[str, Any]:
    """The answer on `connection`. Raises Failed, and Refused when the hub said no."""
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(65_536)
        if not more or len(line) > LINE_BYTES:
            raise Failed("the hub closed the connection")
        line += more
    try:
        told = json.loads(line)
        if not told.get("ok"):
            why = str(told.get("error", "the hub refused"))
            raise Failed(why) if told.get("exit") in PASSING else Refused(why)
        found = told["hook"]
        return {"waiting": list(found["waiting"]), "wake": list(found["wake"]), "paused": list(found["paused"])}
    except KeyError:
        # a hub from before there were hooks
        return _looked(what, name)
    except (ValueError, TypeError, AttributeError):
        raise Failed("what answers at hub.sock is no hub") from None


def _own(connection: socket.socket) -> None:
    """Raises Failed when the hub is another user's."""
    if hasattr(socket, "SO_PEERCRED"):
        import struct

        _, owner, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if owner not in (os.geteuid(), 0):
            raise Failed("that hub is another user's")


def _looked(what: str, name: str) -> dict[str, Any]:
    """The verdict of this process itself, over the store: some twenty times the work of asking a hub."""
    from multiagent_bridge.cli import owner
    from multiagent_bridge.model.callers import Caller

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
        raise Failed("that is no name for an agent")
    user = os.geteuid()
    caller = Caller("", name, f"uid:{user}", alias=f"as:{user}:{name}")
    if what == "wake":
        return owner.run(lambda hub, me: hub.wakeups.wait(me, ALONE_SECONDS), caller).fields()
    return owner.run(lambda hub, me: hub.wakeups.noticed(me, what), caller).fields()
