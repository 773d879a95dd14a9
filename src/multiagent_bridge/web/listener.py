"""Who gets a connection: an accept loop with bounds, in front of TLS."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from multiagent_bridge.web.wire import HEADER_BYTES, IDLE_SECONDS, Wire

HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 2.0
PAUSE_SECONDS = 0.1
FINISH_SECONDS = 5.0
LEAVE_SECONDS = 0.3
"""A client that uses its connection again while it is being closed cannot know whether it was heard; told, it can."""

TLS_BYTES = 32_768
"""What asyncio sets aside for each TLS connection, two records' worth; its own default is eight times that."""

SPARE_FILES = 256
"""Open files that the rest of the hub needs."""

log = logging.getLogger(__name__)

# strangers must not write our log: a warning for everything that is no HTTP
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class Listener:
    """Serves `app` on listening sockets. At most `most` connections; a quarter of them may be half open, and of those
    the oldest makes way for the next.
    """

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        most: int,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._sockets = sockets
        self._tls = tls
        if tls is not None:
            asyncio.sslproto.SSLProtocol.max_size = TLS_BYTES
        self._most = _affordable(most)
        self._config = Config(
            app,
            http=Wire,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(IDLE_SECONDS),
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        self._config.load()
        self._state = ServerState()
        self._half_open: dict[object, Callable[[], object]] = {}
        self._working: set[Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Accept from now on."""
        for listening in self._sockets:
            listening.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(listening)))

    def hold(self) -> None:
        """Take no further connection. Those that stand may still ask, and be told that the hub is stopping."""
        for task in self._accepting:
            task.cancel()
        for listening in self._sockets:
            with suppress(OSError):
                # who is in the queue may have asked already, and would never hear why it was not answered
                while True:
                    self._begin(listening.accept()[0])
            listening.close()

    async def close(self) -> None:
        """End every connection; answers that are on their way still go out."""
        self.hold()
        await asyncio.sleep(LEAVE_SECONDS)
        for key in tuple(self._half_open):
            if not isinstance(key, Wire):
                self._half_open.pop(key)()
        for wire in self.wires:
            wire.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                while self.connections or self._state.tasks:
                    await asyncio.sleep(PAUSE_SECONDS / 5)
        for wire in self.wires:
            wire.abort()
        left = [*self._accepting, *self._tasks, *self._state.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def wires(self) -> Sequence[Wire]:
        """Every connection that speaks HTTP."""
        return [*self._working, *(key for key in self._half_open if isinstance(key, Wire))]

    @property
    def connections(self) -> int:
        """How many there are, half-open ones included."""
        return len(self._half_open) + len(self._working)

    def waits(self, wire: Wire) -> None:
        self._working.discard(wire)
        self._half_open.pop(wire, None)
        self._enter(wire, wire.abort)

    def works(self, wire: Wire) -> None:
        self._half_open.pop(wire, None)
        self._working.add(wire)

    def ends(self, wire: Wire) -> None:
        self._half_open.pop(wire, None)
        self._working.discard(wire)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                # no file left for it, or it was gone before we looked
                log.warning("a connection could not be taken: %s", error.strerror)
                self._shed()
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if self.connections >= self._most:
                self._shed()
            if self.connections >= self._most:
                connection.close()
                continue
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = asyncio.create_task(self._taken(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._tls is not None:
            self._enter(task, task.cancel)

    async def _taken(self, connection: socket.socket) -> None:
        """Give it a protocol, after its handshake if there is one."""
        _dead_ends(connection)
        loop = asyncio.get_running_loop()
        times: dict[str, Any] = {}
        if self._tls is not None:
            times = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
        try:
            await loop.connect_accepted_socket(
                lambda: Wire(self._config, self._state, self),
                connection,
                ssl=self._tls() if self._tls else None,
                **times,
            )
        except OSError:
            # it spoke no TLS, showed no certificate, or left
            connection.close()
        finally:
            self._half_open.pop(asyncio.current_task(), None)

    def _enter(self, key: object, let_go: Callable[[], object]) -> None:
        self._half_open[key] = let_go
        if len(self._half_open) > max(1, self._most // 4):
            self._shed()

    def _shed(self) -> None:
        """The half-open connection that has been so for longest goes."""
        oldest = next(iter(self._half_open), None)
        if oldest is not None:
            self._half_open.pop(oldest)()


def _affordable(most: int) -> int:
    """As many connections as wished for, or as the system allows files for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(most, soft - SPARE_FILES))


def _dead_ends(connection: socket.socket) -> None:
    """Have the kernel notice a client that is gone without a word."""
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
