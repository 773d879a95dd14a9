"""The hub's Unix socket: who may connect, the greeting, and the connections it serves."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcp.server.lowlevel.server import Server

from multiagent_bridge import __version__
from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Unavailable
from multiagent_bridge.mcp import wakeups
from multiagent_bridge.mcp.stream import Stream
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.services.hub import Hub

GREETING = 1
"""Version of the first line that shim and hub exchange."""

GREETING_BYTES = 4096
GREETING_SECONDS = 5.0
FINISH_SECONDS = 0.5
GRACE_SECONDS = 3.0
BACKLOG = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_KEY = re.compile(r"[0-9a-f]{32}")

log = logging.getLogger(__name__)


class SocketFace:
    """Serves MCP to the shims of this user. `retire` is called when a newer shim asks the hub to make way.

    Without `gate` no agent's environment opens the gate of commands here.
    """

    def __init__(self, server: Server[Any], hub: Hub, retire: Callable[[], None], gate: bool = True) -> None:
        self._server = server
        self._hub = hub
        self._retire = retire
        self._gate = gate
        self._connections: set[asyncio.Task[None]] = set()
        self._streams: set[Stream] = set()
        self._left_at = 0.0
        self._listener: asyncio.Server | None = None

    @property
    def idle_seconds(self) -> float:
        """For how long nobody has been connected."""
        return 0.0 if self._connections else asyncio.get_running_loop().time() - self._left_at

    async def open(self, path: Path) -> None:
        """Listen at `path`; a socket left there by a dead hub is removed (the caller holds the hub's lock)."""
        self._left_at = asyncio.get_running_loop().time()
        with suppress(FileNotFoundError):
            path.unlink()
        listening = socket.socket(socket.AF_UNIX)
        _bind(listening, path)
        path.chmod(0o600)
        self._listener = (
            await asyncio.start_unix_server(self._accepted, sock=listening, backlog=BACKLOG, cleanup_socket=False)
            if sys.version_info >= (3, 13)
            else await asyncio.start_unix_server(self._accepted, sock=listening, backlog=BACKLOG)
        )

    async def close(self) -> None:
        """Stop listening and end every connection; calls that are about to be answered still are."""
        if self._listener is not None:
            self._listener.close()
        for stream in self._streams:
            stream.hold()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                while any(stream.busy for stream in self._streams):
                    await asyncio.sleep(FINISH_SECONDS / 25)
        for task in tuple(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(tuple(self._connections), timeout=GRACE_SECONDS)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._served(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._left_at = asyncio.get_running_loop().time()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            caller = await self._greeted(reader, writer)
            if caller is not None:
                stream = Stream(self._server, self._hub, caller, reader, writer)
                self._streams.add(stream)
                try:
                    await stream.serve()
                finally:
                    self._streams.discard(stream)
        except ConnectionError:
            pass
        except Exception:
            # one client's end must not end the listener
            log.exception("a connection ended")
        finally:
            writer.close()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Caller | None:
        """Read the first line and answer it. Returns who it is, or None when the connection ends here."""
        peer = _peer(writer)
        try:
            if peer != os.geteuid():
                raise NotAllowed("this hub serves another user", "start a hub of your own: mab mcp")
            async with asyncio.timeout(GREETING_SECONDS):
                line = await _first_line(reader)
            if not line:
                return None
            hello = _greeting(line)
            if hello.get("verb") == "retire":
                self._asked_to_retire(hello)
                caller = None
            elif hello.get("verb") == "ping":
                caller = None
            elif hello.get("verb") == "hook":
                await wakeups.answer(self._hub, _caller(hello, peer, False), hello, reader, writer)
                return None
            else:
                caller = _caller(hello, peer, self._gate)
        except (BridgeError, TimeoutError) as error:
            refusal = error if isinstance(error, BridgeError) else Unavailable("no greeting came", "use: mab mcp")
            await self._wrote_down(peer, refusal)
            answer: dict[str, object] = {"mab": GREETING, "version": __version__, "ok": False, "error": str(refusal)}
            writer.write(json.dumps(answer | {"exit": refusal.exit_status}).encode() + b"\n")
            await writer.drain()
            return None
        writer.write(
            json.dumps({"mab": GREETING, "version": __version__, "ok": True, "pid": os.getpid()}).encode() + b"\n"
        )
        await writer.drain()
        return caller

    async def _wrote_down(self, peer: int, refusal: BridgeError) -> None:
        with suppress(BridgeError):
            # a store that is down is no reason to leave the other end without its answer
            await self._hub.journal.refused(Caller("", f"of uid {peer}", f"uid:{peer}"), "connection.open", refusal)

    def _asked_to_retire(self, hello: dict[str, Any]) -> None:
        if release(str(hello.get("version", ""))) <= release(__version__):
            raise NotAllowed(f"this hub is version {__version__} already", "connect to it")
        log.info("making way for version %s", hello["version"])
        self._retire()


def release(version: str) -> tuple[int, ...]:
    """`1.2.3` as numbers, for comparison; what follows them does not count."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _greeting(line: bytes) -> dict[str, Any]:
    try:
        hello = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Invalid("the first line is not a greeting", "start the client through: mab mcp") from error
    if not isinstance(hello, dict) or hello.get("mab") != GREETING:
        raise Invalid("this hub does not know that greeting", "upgrade mcp-multiagent-bridge, then restart the client")
    return hello


def _caller(hello: dict[str, Any], peer: int, gate: bool) -> Caller:
    key = hello.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise Invalid("the greeting brings no connection key", "start the client through: mab mcp")
    # a shim that does not say so leaves it closed
    return identity(key, hello.get("as"), peer, gate and hello.get("yolo") is True)


def identity(key: str, name: object, peer: int, yolo: bool = False) -> Caller:
    """Who a connection is: its own random `key`, the name it was started under, and whether its environment opens the gate
    of commands. Raises Invalid for a bad name.
    """
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise Invalid("that is no name for an agent", "1 to 64 letters, digits, dots, dashes; for instance --as claude")
    # only a digest is kept: who reads the store cannot take up a connection
    digest = hashlib.sha256(b"connection" + key.encode()).hexdigest()[:32]
    label = name or f"anonymous-{digest[:6]}"
    alias = f"as:{peer}:{name}" if name else ""
    return Caller(f"key:{digest}", label, f"uid:{peer}", alias=alias, yolo=yolo)


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user at the other end, as the kernel knows it."""
    connection = writer.get_extra_info("socket")
    uid = os.geteuid()
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    elif sys.platform == "darwin":
        # struct xucred: version, uid, ...; level SOL_LOCAL 0, option LOCAL_PEERCRED 1
        _, uid = struct.unpack("2I", connection.getsockopt(0, 1, 76)[:8])
    return int(uid)


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    """The greeting; empty when the other end left. Raises Invalid when it is longer than any greeting."""
    try:
        line = await reader.readline()
    except ValueError as error:
        raise _too_long() from error
    if len(line) > GREETING_BYTES:
        raise _too_long()
    return line


def _too_long() -> Invalid:
    return Invalid("the greeting is too long", "start the client through: mab mcp")


def _bind(listening: socket.socket, path: Path) -> None:
    """Bind even where the path is longer than a socket address may be."""
    if len(os.fsencode(path)) <= 100:
        listening.bind(str(path))
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listening.bind(f"/proc/self/fd/{directory}/{path.name}")
    except OSError as error:
        raise Unavailable("the path of the state directory is too long for a socket", "set MAB_HOME shorter") from error
    finally:
        os.close(directory)
