"""Where to listen, and what that asks for: HOST:PORT, or what systemd handed over."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any

from multiagent_bridge.errors import Invalid, Unavailable

SYSTEMD = "systemd"
"""In place of HOST:PORT: the sockets of systemd's socket activation (sd_listen_fds(3))."""

FIRST_FILE = 3
BACKLOG = 1024

ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What the system says of an address that it does not have."""


def parsed(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[V6]:PORT`. Raises Invalid."""
    host, colon, port = address.rpartition(":")
    wrong = Invalid("that is no address to listen at", "HOST:PORT, such as 127.0.0.1:8765, or [::1]:8765")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise wrong
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        raise wrong
    host = host.strip("[]").lower()
    if not host:
        raise Invalid("the address to listen at names no host", "127.0.0.1:PORT for this machine, 0.0.0.0:PORT for all")
    return host, int(port)


def listening(address: str) -> Sequence[socket.socket]:
    """Listening sockets for `address`, or for what systemd handed over. Raises Invalid, Unavailable."""
    if address == SYSTEMD:
        return handed_over()
    host, port = parsed(address)
    opened: list[socket.socket] = []
    absent = OSError("it has no address")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in dict.fromkeys(found):
            try:
                opened.append(_bound(family, kind, protocol, where))
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
                # of localhost's two addresses many containers have switched ::1 off
                absent = error
                continue
            if port == 0:
                # a second one would get another port
                break
        if not opened:
            raise absent
    except OSError as error:
        for made in opened:
            made.close()
        raise Unavailable(
            f"nothing can listen at {address}: {(error.strerror or str(error)).lower()}",
            "is another program there, or the address not of this machine",
        ) from error
    return opened


def _bound(family: int, kind: int, protocol: int, where: Any) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(where)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def handed_over() -> Sequence[socket.socket]:
    """The sockets that systemd opened for this process. Raises Invalid when there are none, or others than TCP."""
    given, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if given != str(os.getpid()) or not count.isdigit() or not 0 < int(count) <= 16:
        raise Invalid("systemd handed over no socket", "start it from a .socket unit, or name HOST:PORT")
    found = []
    for number in range(FIRST_FILE, FIRST_FILE + int(count)):
        os.set_inheritable(number, False)
        try:
            made = socket.socket(fileno=number)
        except OSError as error:
            raise Invalid(
                "what systemd handed over is no socket", "ListenStream=HOST:PORT in the .socket unit"
            ) from error
        listens = made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if made.family not in (socket.AF_INET, socket.AF_INET6) or made.type != socket.SOCK_STREAM or not listens:
            raise Invalid("systemd handed over a socket that is not TCP", "ListenStream=HOST:PORT in the .socket unit")
        found.append(made)
    return found


def on_loopback(sockets: Sequence[socket.socket]) -> bool:
    """Whether nobody but this machine can reach any of them."""
    return all(ipaddress.ip_address(made.getsockname()[0]).is_loopback for made in sockets)


def shown(host: str, port: int, tls: bool) -> str:
    """The address as a URL."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
