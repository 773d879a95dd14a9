"""Valkey flushed, its scripts forgotten, its connections ended, itself killed, under load of two hubs that ring and count."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from tests import postgres_server, valkey_server
from tests.machines.agents import Agent
from tests.machines.places import UNLIMITED, Place, made
from tests.machines.senders import Sender, goes_on, stored, unread

pytestmark = [pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]

TURNS = 6
SERVED_SECONDS = 120.0


@dataclass
class Site:
    hubs: tuple[Place, Place]
    valkey: valkey_server.Server

    def pair(self) -> tuple[Agent, Agent]:
        """Alice at the first hub and Bob at the second, in one conversation."""
        alice, bob = (place.agent() for place in self.hubs)
        opened = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=opened["sessions"][1]["invite"])
        return alice, bob

    def harmed(self, how: str) -> None:
        if how == "killed":
            self.valkey.stop()
            self.valkey.start()
            return
        with closing(self.valkey.client()) as client:
            if how == "flushed":
                client.flushall()
            elif how == "scripts forgotten":
                client.script_flush()
            else:
                for kind in ("normal", "pubsub"):
                    client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")  # type: ignore[no-untyped-call]


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server.served())
        valkey = stack.enter_context(valkey_server.served())
        shared = {
            "MAB_STORE": postgres.create_now(),
            "MAB_MASTER_KEY": "5a" * 32,
            "MAB_REDIS__URL": valkey.url,
            "MAB_REDIS__PASSWORD": valkey_server.PASSWORD,
        }
        hubs = [stack.enter_context(made(**UNLIMITED, **shared)) for _ in range(2)]
        yield Site((hubs[0], hubs[1]), valkey)


@pytest.mark.parametrize("how", ["flushed", "scripts forgotten", "connections ended", "killed"])
def test_whatever_valkey_loses_no_mail_is_lost_or_doubled(site: Site, how: str) -> None:
    alice, bob = site.pair()
    with Sender(alice, "alice") as first, Sender(bob, "bob") as second:
        for _ in range(TURNS):
            for sender in (first, second):
                sender.moved(SERVED_SECONDS)
            site.harmed(how)
        for sender in (first, second):
            sender.moved(SERVED_SECONDS)
    if how in ("flushed", "scripts forgotten"):
        # what was counted is gone, and nobody is refused for it
        assert not first.refused
        assert not second.refused
    for sender, reader in ((first, bob), (second, alice)):
        assert unread(reader) == sender.acknowledged
        assert stored(reader) == Counter(sender.acknowledged)
    # the bell rings again: who waits is woken
    waiting = bob.ask_tool("check_messages", wait_seconds=50)
    begun = time.monotonic()
    goes_on(alice, "awake")
    (mail,) = bob.result(waiting, 120).fields["messages"]
    assert (mail["message"], time.monotonic() - begun < 40) == ("awake", True)
    assert json.loads(site.hubs[0].mab("audit", "--verify", "--json").stdout)["verified"]
