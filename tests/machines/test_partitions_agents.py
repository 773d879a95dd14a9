"""An agent elsewhere whose way to the hub swallows what the hub says: its mail is not read, and comes when the way is back."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faces.http_yard import certified, request
from tests.machines.agents import Agent
from tests.machines.network import Link, Machine, machines
from tests.machines.places import UNLIMITED, Place, made, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

GIVEN_UP_SECONDS = 120.0
"""The hub gives an answer 30 seconds to be taken."""


@dataclass
class Elsewhere:
    """An agent on a machine of its own; one connection for each call."""

    machine: Machine
    address: tuple[str, int]
    authority: Path
    key: str

    def ask(self, tool: str, **arguments: Any) -> ssl.SSLSocket:
        """The connection on which the answer will come."""
        context = ssl.create_default_context(cafile=str(self.authority))
        plain = self.machine.within(lambda: socket.create_connection(self.address, 30))
        wrapped = context.wrap_socket(plain, server_hostname="localhost")
        wrapped.sendall(request(tool, token=self.key, host="localhost", **arguments))
        return wrapped

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result."""
        content = b""
        with self.ask(tool, **arguments) as connection:
            while more := connection.recv(65_536):
                content += more
                with suppress(ValueError):
                    found, _ = json.JSONDecoder().raw_decode(content[content.index(b'{"jsonrpc"') :].decode())
                    return dict(found["result"]["structuredContent"])
        raise AssertionError(content)


@pytest.fixture
def place() -> Iterator[Place]:
    with made(**UNLIMITED) as found:
        yield found


@dataclass
class Site:
    alice: Agent
    bob: Elsewhere
    link: Link


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Site]:
    """Alice beside the hub, Bob at the far end of a cable."""
    authority = certified(tmp_path, "ca")
    certificate, private = certified(tmp_path, "server", authority)
    with ExitStack() as stack:
        here, there = stack.enter_context(machines(2))
        link = Link(1, here, there)
        words = ["--http", f"{link.near.address}:0", "--tls-cert", str(certificate), "--tls-key", str(private)]
        hub = here.within(lambda: place.serve(*words))
        assert hub.stderr is not None
        port = int(hub.stderr.readline().split()[2].decode().removesuffix("/mcp").rpartition(":")[2])
        key = json.loads(place.mab("key", "create", "bob", "--role", "agent", "--json").stdout)["key"]
        bob = Elsewhere(there, (link.near.address, port), authority[0], key)
        alice = place.agent()
        opened = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.call("join_conversation", invite=opened["sessions"][1]["invite"])
        yield Site(alice, bob, link)


def test_mail_that_went_into_a_dead_connection_is_unread_again(place: Place, site: Site) -> None:
    alice, bob = site.alice, site.bob

    def unread() -> int:
        (partner,) = alice.good("check_partner_status")["partners"]
        return int(partner["unread"])

    with bob.ask("check_messages", wait_seconds=50):
        # its wait stands at the hub: a second call of his was answered after it
        assert bob.call("list_conversations")["conversations"]
        site.link.lose(to_far=True)
        alice.good("send_to_partner", message="into the dark")
        until(lambda: unread() == 0, "the mail is handed to the dead connection")
        until(lambda: unread() == 1, "the hub gives the connection up", GIVEN_UP_SECONDS)
    site.link.heal()
    (mail,) = bob.call("check_messages")["messages"]
    assert mail["message"] == "into the dark"
    assert bob.call("check_messages")["messages"] == []
    place.verified()
