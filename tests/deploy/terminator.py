"""A small TLS proxy for tests, with the rules of deploy/nginx: one request a connection, the same key to the same hub."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

ADDRESS = "127.0.0.2"
"""Whom the hubs trust to say for whom it asks."""
SECONDS = 75.0
HEAD_BYTES = 65_536
DROPPED = ("connection", "forwarded", "x-forwarded-for", "x-forwarded-proto")


class Terminator:
    """Listens on a loopback port until `close`. `hubs` are ports; the keys that come are dealt to them in turn."""

    def __init__(self, certificate: Path, key: Path, hubs: Sequence[int]) -> None:
        self.hubs = list(hubs)
        self.dealt: dict[str, int] = {}
        """The number of the hub that each Authorization line went to last."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._door.getsockname()[1]
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, peer = self._door.accept()
                threading.Thread(target=self._one, args=(taken, peer[0]), daemon=True).start()

    def _one(self, taken: socket.socket, peer: str) -> None:
        taken.settimeout(SECONDS)
        with contextlib.suppress(OSError), taken, self._context.wrap_socket(taken, server_side=True) as client:
            content = b""
            while b"\r\n\r\n" not in content and len(content) < HEAD_BYTES:
                if not (more := client.recv(4096)):
                    return
                content += more
            head, _, body = content.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            kept = [line for line in lines if line.partition(":")[0].strip().lower() not in DROPPED]
            said = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in kept}
            kept += ["Connection: close", f"X-Forwarded-For: {peer}", "X-Forwarded-Proto: https"]
            with self._hub(said) as hub:
                hub.sendall("\r\n".join([first, *kept, "", ""]).encode("latin-1") + body)
                threading.Thread(target=_passed, args=(client, hub), daemon=True).start()
                _passed(hub, client)

    def _hub(self, said: dict[str, str]) -> socket.socket:
        """A connection to the hub that the name asks for, else to that of the key, else to another that answers."""
        named = said.get("host", "").partition(".")[0]
        wanted = int(named[4:]) - 1 if named in ("hub-1", "hub-2") else None
        who = said.get("authorization", "")
        with self._lock:
            start = self.dealt.setdefault(who, len(self.dealt) % len(self.hubs)) if wanted is None else wanted
        for number in [start, *(n for n in range(len(self.hubs)) if n != start and wanted is None)]:
            try:
                found = socket.create_connection(("127.0.0.1", self.hubs[number]), 3, source_address=(ADDRESS, 0))
            except OSError:
                continue
            found.settimeout(SECONDS)
            if wanted is None:
                self.dealt[who] = number
            return found
        raise OSError("no hub answers")


def _passed(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until the source ends."""
    with contextlib.suppress(OSError, ValueError):
        while content := source.recv(65_536):
            target.sendall(content)


@contextlib.contextmanager
def terminated(certificate: Path, key: Path, hubs: Sequence[int]) -> Iterator[Terminator]:
    proxy = Terminator(certificate, key, hubs)
    try:
        yield proxy
    finally:
        proxy.close()
