"""Two hubs, PostgreSQL and Valkey, each on a machine of its own, and cables between them that are cut, lose and crawl."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests import postgres_server, valkey_server
from tests.machines.agents import Agent
from tests.machines.network import Link, machines
from tests.machines.places import UNLIMITED, Place, made, until
from tests.machines.senders import Sender, goes_on, stored, timed, unread

pytestmark = [pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(240)]

PATIENCE = {
    "MAB_POSTGRES__STATEMENT_SECONDS": "3",
    "MAB_POSTGRES__CONNECT_SECONDS": "3",
    "MAB_POSTGRES__ACQUIRE_SECONDS": "3",
    "MAB_POSTGRES__LOCK_SECONDS": "3",
}
"""Shorter than what ships, so that the tests are; long enough for a busy machine to connect."""
ANSWER_SECONDS = 60.0
"""Longest wait for an answer during a cut: twice a statement's limit, a new connection, and room for a busy machine."""
BACK_SECONDS = 120.0
CUTS = 5

CUTTINGS: dict[str, Callable[[Link], None]] = {
    "pulled": Link.cut,
    "silent": lambda link: link.lose(to_far=True, to_near=True),
    "questions_lost": lambda link: link.lose(to_far=True),
    "answers_lost": lambda link: link.lose(to_near=True),
}


@dataclass
class Site:
    """`stores` and `bells` are the cables of each hub to PostgreSQL and to Valkey; `owner` the settings beside them all."""

    hubs: tuple[Place, Place]
    stores: tuple[Link, Link]
    bells: tuple[Link, Link]
    owner: dict[str, str]

    def heal(self) -> None:
        for link in (*self.stores, *self.bells):
            link.heal()

    def verified(self) -> None:
        told = self.hubs[0].mab("audit", "--verify", "--json", status=0, **self.owner).stdout
        assert json.loads(told)["verified"]

    def pair(self) -> tuple[Agent, Agent]:
        """Alice at the first hub and Bob at the second, in one conversation."""
        alice, bob = (place.agent() for place in self.hubs)
        opened = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=opened["sessions"][1]["invite"])
        return alice, bob


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        first, second, store, bell = stack.enter_context(machines(4))
        stores = Link(1, first, store), Link(2, second, store)
        bells = Link(3, first, bell), Link(4, second, bell)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(postgres_server._SETTINGS, "listen_addresses", "*")
        patch.setattr(postgres_server.Server, "start", _started(postgres_server.Server.start, store.within))
        postgres = stack.enter_context(postgres_server.served())
        patch.setattr(valkey_server.Server, "start", _started(valkey_server.Server.start, bell.within))
        valkey = stack.enter_context(valkey_server.served())
        valkey.client().config_set("bind", "*")
        valkey.client().config_set("port", "6379")
        url = postgres.create_now()
        database = url.partition("@/")[2].partition("?")[0]
        shared = UNLIMITED | PATIENCE | {"MAB_MASTER_KEY": "5a" * 32, "MAB_REDIS__PASSWORD": valkey_server.PASSWORD}
        hubs = []
        for machine, wire, cord in zip((first, second), stores, bells, strict=True):
            password = quote(postgres_server.PASSWORD, safe="")
            reached = {
                "MAB_STORE": f"postgresql://owner:{password}@{wire.far.address}/{database}",
                "MAB_REDIS__URL": f"redis://{cord.far.address}:6379/0",
            }
            hubs.append(stack.enter_context(made(**shared, **reached)))
            machine.within(hubs[-1].serve)
        yield Site(
            (hubs[0], hubs[1]), stores, bells, dict.fromkeys(PATIENCE, "60") | {"MAB_STORE": url, "MAB_REDIS__URL": ""}
        )


def _started(start: Callable[..., None], within: Callable[[Callable[[], None]], None]) -> Callable[..., None]:
    """The same start on another machine; PostgreSQL lets in who comes over the cable, too."""

    def started(server: postgres_server.Server | valkey_server.Server) -> None:
        if isinstance(server, postgres_server.Server):
            with (server.files / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.77.0.0/16 scram-sha-256\n")
        within(lambda: start(server))

    return started


@pytest.fixture(autouse=True)
def healed(site: Site) -> Iterator[None]:
    yield
    site.heal()


def answered(agent: Agent, text: str) -> None:
    """The message is refused clearly and in time."""
    result, seconds = timed(agent, text)
    assert result.code == "unavailable", result.text
    assert re.search(r"\(.+\)\nretry_after: 1 s$", result.text), result.text
    assert seconds < ANSWER_SECONDS


@pytest.mark.parametrize("how", ["pulled", "silent", "answers_lost"])
def test_a_hub_without_its_database_says_so_in_time_and_goes_on_by_itself(site: Site, how: str) -> None:
    alice, bob = site.pair()
    goes_on(alice, "before")
    CUTTINGS[how](site.stores[0])
    answered(alice, "during")
    begun = time.monotonic()
    looked = alice.result(alice.ask_tool("check_messages"), BACK_SECONDS)
    assert (looked.code, time.monotonic() - begun < ANSWER_SECONDS) == ("unavailable", True), looked.text
    # what the lost hub held in the database is given up, and the other one goes on
    goes_on(bob, "meanwhile", ANSWER_SECONDS)
    site.stores[0].heal()
    goes_on(alice, "during")
    assert unread(bob) == ["before", "during"]
    assert unread(alice) == ["meanwhile"]
    assert stored(bob) == Counter(["before", "during"])
    site.verified()


@pytest.mark.parametrize("how", ["pulled", "silent"])
def test_a_hub_without_its_meter_lets_nobody_in_uncounted_and_goes_on_by_itself(site: Site, how: str) -> None:
    alice, bob = site.pair()
    goes_on(alice, "before")
    CUTTINGS[how](site.bells[0])
    answered(alice, "during")
    goes_on(bob, "meanwhile", ANSWER_SECONDS)
    site.bells[0].heal()
    goes_on(alice, "during")
    assert unread(alice) == ["meanwhile"]
    assert unread(bob) == ["before", "during"]
    assert stored(bob) == Counter(["before", "during"])
    site.verified()


@pytest.mark.parametrize("how", ["pulled", "silent"])
def test_who_waits_at_a_hub_that_no_bell_reaches_gets_mail_all_the_same(site: Site, how: str) -> None:
    alice, bob = site.pair()
    waiting = bob.ask_tool("check_messages", wait_seconds=50)
    # an answer at the same hub: the wait stands
    bob.good("list_conversations")
    CUTTINGS[how](site.bells[1])
    goes_on(alice, "without a bell")
    (mail,) = bob.result(waiting, BACK_SECONDS).fields["messages"]
    assert mail["message"] == "without a bell"
    site.bells[1].heal()
    goes_on(bob, "heard")
    assert unread(alice) == ["heard"]
    site.verified()


def test_a_slow_way_to_the_database_makes_its_hub_slow_and_nothing_else(site: Site) -> None:
    alice, bob = site.pair()
    goes_on(alice, "warm")
    site.stores[0].slow()
    with Sender(alice, "slow") as sender, Sender(bob, "beside") as beside:
        for _ in range(3):
            sender.moved(BACK_SECONDS)
            beside.moved(BACK_SECONDS)
    assert sender.slowest > 0.1, "the link was slow indeed"
    assert max(sender.slowest, beside.slowest) < ANSWER_SECONDS
    site.stores[0].heal()
    for one, reader in ((["warm", *sender.acknowledged], bob), (beside.acknowledged, alice)):
        assert unread(reader) == one
        assert stored(reader) == Counter(one)
    site.verified()


def test_nothing_that_was_acknowledged_is_lost_or_doubled_however_the_links_break(site: Site) -> None:
    choice = random.Random(7)
    alice, bob = site.pair()
    with Sender(alice, "alice") as first, Sender(bob, "bob") as second:
        senders = (first, second)
        for _ in range(CUTS):
            for sender in senders:
                sender.moved(BACK_SECONDS)
            number = choice.randrange(2)
            link = choice.choice((site.stores, site.bells))[number]
            refused = len(senders[number].refused)
            CUTTINGS[choice.choice(list(CUTTINGS))](link)
            until(lambda s=senders[number], r=refused: len(s.refused) > r or s.failure, "the cut is felt", BACK_SECONDS)  # type: ignore[misc]
            senders[1 - number].moved(BACK_SECONDS)
            link.heal()
        for sender in senders:
            sender.moved(BACK_SECONDS)
    assert all("retry_after: 1 s" in result.text for sender in senders for result in sender.refused)
    assert max(sender.slowest for sender in senders) < ANSWER_SECONDS
    for sender, reader in ((first, bob), (second, alice)):
        assert unread(reader) == sender.acknowledged
        assert stored(reader) == Counter(sender.acknowledged)
    site.verified()
