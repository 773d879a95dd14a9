"""Two hubs on one PostgreSQL, as their agents meet them: `mab mcp` on either side, one store, one journal."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import NOW
from tests.machines.places import UNLIMITED, Place, made, until
from tests.machines.test_postgres_races import ROOT, Sea
from tests.machines.test_sqlite_kills import Writer
from tests.machines.test_sqlite_races import verified
from tests.postgres_server import PASSWORD, Server, served

pytestmark = [pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]

KEY = "5a" * 32
KILLS = 12


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def hubs(server: Server) -> Iterator[tuple[Place, Place]]:
    """Two state directories under one master key, as two machines would have them."""
    env = {**UNLIMITED, "MAB_STORE": server.create_now(), "MAB_MASTER_KEY": KEY}
    with ExitStack() as stack:
        yield stack.enter_context(made(**env)), stack.enter_context(made(**env))


def test_agents_at_two_hubs_share_a_conversation_and_one_journal(hubs: tuple[Place, Place]) -> None:
    here, there = hubs
    alice, bob = here.agent(), there.agent()
    invite = alice.good("create_conversation", my_role="backend", partner_role="frontend")["sessions"][1]["invite"]
    bob.good("join_conversation", invite=invite)
    # bob waits at the other hub, and is woken
    asked = bob.ask_tool("check_messages", wait_seconds=50)
    begun = time.monotonic()
    alice.good("send_to_partner", message="the build is green")
    mail = bob.answer(asked)["result"]["structuredContent"]["messages"]
    assert [one["message"] for one in mail] == ["the build is green"]
    assert time.monotonic() - begun < 40
    bob.good("send_to_partner", message="so it is")
    assert len(alice.good("check_messages", wait_seconds=20)["messages"]) == 1
    # each was read once, whichever hub is asked
    assert not bob.good("check_messages")["messages"]
    for place in hubs:
        place.verified()
        assert place.hub
        assert PASSWORD not in (place.home / "hub.log").read_text()


def test_a_hub_that_starts_leaves_what_another_is_handing_over(hubs: tuple[Place, Place]) -> None:
    here, there = hubs
    alice, _, conversation = here.pair()
    alice.good("send_to_partner", message="in flight")
    url = here.env["MAB_STORE"]
    mine = wiring.owner_of(config.Settings(home=here.home, store=url), "hub")

    async def claimed(store: Store) -> None:
        await store.write(lambda tx: tx.messages.claim(conversation, "b", [1], f"{mine}:1", NOW))

    async def waiting(store: Store) -> int:
        found = await store.read(lambda tx: tx.sessions.get(conversation, "b"))
        assert found is not None
        return found.unread

    sea = Sea(url)
    sea.within(claimed)
    there.agent().good("list_conversations")
    assert there.hub
    assert sea.within(waiting) == 0


def test_agents_see_unavailable_while_the_database_is_away_and_go_on_when_it_is_back(
    hubs: tuple[Place, Place], server: Server
) -> None:
    here, _ = hubs
    alice, bob, _ = here.pair()
    server.stop(signal.SIGKILL)
    refused = alice.call("send_to_partner", message="lost?", idempotency_key="k1")
    assert refused.code == "unavailable"
    server.start()
    until(
        lambda: alice.call("send_to_partner", message="lost?", idempotency_key="k1").code != "unavailable",
        "it is back",
        120,
    )
    alice.good("send_to_partner", message="lost?", idempotency_key="k1")
    mail = bob.good("check_messages", wait_seconds=20)["messages"]
    assert [one["message"] for one in mail] == ["lost?"]
    here.verified()


class Hub(Writer):
    """A process that writes to the database, and is killed and started again."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        super().__init__(ROOT, name)

    def start(self) -> None:
        words = [
            sys.executable,
            "-m",
            "tests.machines.postgres_worker",
            "write",
            self.name,
            str(self.lives * 1_000_000),
        ]
        self.begin(words, {"MAB_TEST_STORE": self.url, "PATH": ""})

    def begin(self, words: list[str], env: dict[str, str]) -> None:
        self.lives += 1
        self.process = subprocess.Popen(
            words, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.heard = threading.Thread(target=self.listen, args=(self.process,))
        self.heard.start()


def test_what_killed_hubs_acknowledged_is_there_once(server: Server) -> None:
    sea = Sea(server.create_now())
    hubs = [Hub(sea.url, f"h{n}") for n in range(2)]
    try:
        for turn in range(KILLS):
            victim = hubs[turn % 2]
            before = len(victim.acknowledged)
            until(lambda v=victim, b=before, t=turn: len(v.acknowledged) > b + 7 * t % 40, "it writes", 120)  # type: ignore[misc]
            victim.kill()
            victim.start()
    finally:
        for hub in hubs:
            hub.kill()
    said = {(hub.name, number) for hub in hubs for number in hub.acknowledged}
    assert len(said) > KILLS
    entries = [(entry["conversation"], entry["facts"]["n"]) for entry in sea.within(verified)]
    assert len(entries) == len(set(entries))
    assert said <= set(entries)
    names = {c.id for c in sea.within(lambda store: store.read(lambda tx: tx.conversations.list()))}
    assert names == {f"{name}.{number}" for name, number in entries}
