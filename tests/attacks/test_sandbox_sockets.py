"""From inside a sandbox: sockets of every kind, and the network."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.attacks.confined import USERS, Ground, ground

pytestmark = pytest.mark.parametrize("user", USERS)

CONNECT = r"""
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(5)
        one.connect(address)
        one.send(b'x')
        if kind == socket.SOCK_DGRAM:
            return one.recv(9) and True
attempt('unix', lambda: connect(socket.AF_UNIX, beside + '/s'))
attempt('abstract', lambda: connect(socket.AF_UNIX, '\0' + abstract))
attempt('tcp', lambda: connect(socket.AF_INET, ('127.0.0.1', tcp)))
attempt('udp', lambda: connect(socket.AF_INET, ('127.0.0.1', udp), socket.SOCK_DGRAM))
attempt('address', lambda: connect(socket.AF_INET, (address, tcp)))
"""


@contextmanager
def servers(here: Ground) -> Iterator[dict[str, Any]]:
    """Listening on this machine, for whoever comes."""
    abstract = f"mab-attack-{os.getpid()}-{os.urandom(4).hex()}"
    with ExitStack() as stack:
        unix, hidden = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        unix.bind(str(here.beside / "s"))
        (here.beside / "s").chmod(0o777)
        hidden.bind(f"\0{abstract}")
        for server in (unix, hidden):
            server.listen(8)
        tcp = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        echo = os.fork()
        if echo == 0:
            try:
                while True:
                    said, whom = udp.recvfrom(9)
                    udp.sendto(said, whom)
            finally:
                os._exit(0)
        stack.callback(os.waitpid, echo, 0)
        stack.callback(os.kill, echo, 9)
        yield {
            "beside": here.beside,
            "abstract": abstract,
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "address": own_address(),
        }


def own_address() -> str:
    """An address of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            # nothing is sent: the kernel only looks which way it would go
            one.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(one.getsockname()[0])


@pytest.mark.parametrize("writable", [True, False])
def test_no_server_of_this_machine_can_be_reached(user: str, writable: bool) -> None:
    with ground(user) as here, servers(here) as listening:
        outcome = here.inside(CONNECT, writable=writable, **listening)
        assert outcome.stdout.head == b"that was all\n"
        assert here.without(CONNECT, **listening) == ["unix", "abstract", "tcp", "udp", "address"]


def test_a_command_with_network_reaches_servers_here_but_no_socket_of_the_file_system(user: str) -> None:
    """What `LACKS` says of a command that was given the network, and what even that one does not get."""
    with ground(user) as here, servers(here) as listening:
        outcome = here.inside(CONNECT, network=True, **listening)
        said = outcome.stdout.head.decode().split("\n")
        assert "unix" not in said
        assert {"tcp", "udp", "abstract"} <= set(said)


def test_there_is_no_network_but_a_loopback_of_its_own(user: str) -> None:
    script = r"""
attempt('interfaces', lambda: [name for _, name in socket.if_nameindex() if name != 'lo'] or False)
attempt('route', lambda: len(read('/proc/net/route').splitlines()) > 1 or False)
attempt('out', lambda: socket.create_connection(('192.0.2.1', 9), timeout=5))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt('host name', lambda: socket.gethostname() != 'sandbox' or False)
with socket.create_server(('127.0.0.1', 0)) as own, socket.create_connection(own.getsockname(), timeout=5):
    left, right = socket.socketpair()
    left.close(), right.close()
"""
    with ground(user) as here:
        assert here.gained(script) == []


@pytest.mark.parametrize("network", [True, False])
def test_only_ordinary_families_of_sockets_can_be_made(user: str, network: bool) -> None:
    script = r"""
for family in range(0, 50):
    for kind in (1, 2, 3, 5):
        attempt(f'{family}', lambda: socket.socket(family, kind).close())
        attempt(f'{family}', lambda: call('socketpair', family, kind, 0, ctypes.byref((ctypes.c_int * 2)())))
"""
    with ground(user) as here:
        outcome = here.inside(script, network=network)
        said = outcome.stdout.head.decode().split("\n")
        assert said[-2:] == ["that was all", ""], outcome.stderr.head
        assert {"1", "2", "10", "16"} >= set(said[:-2]) >= {"1", "2", "16"}


def test_vsock_is_refused_by_the_filter_not_for_want_of_it(user: str) -> None:
    script = r"""
import errno
for number, family in (('socket', 40), ('socketpair', 40), ('socket', 17), ('socket', 38), ('socket', 40 | 1 << 32)):
    try:
        call(number, ctypes.c_long(family), 1, 0, 0)
    except OSError as error:
        if error.errno != errno.EPERM:
            print(number, family, error)
    else:
        print(number, family)
"""
    with ground(user) as here:
        assert here.gained(script) == []
