"""Two hubs over one store erase what expired: each conversation once, whoever of them is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.testing.hubs import OWNER
from tests.machines.places import UNLIMITED, Place, made, until
from tests.postgres_server import served

pytestmark = [pytest.mark.machines, pytest.mark.timeout(300)]

COUNT = 100
KEY = "5a" * 32
GRACE = "MAB_RETENTION__GRACE_SECONDS"
WAIT = 240.0
"""Longest start and work of two hubs on a machine that others keep busy."""

Hubs = tuple[Place, Place]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def hubs(request: pytest.FixtureRequest) -> Iterator[Hubs]:
    """Two state directories of one store under one master key."""
    with ExitStack() as stack:
        env = {**UNLIMITED, "MAB_MASTER_KEY": KEY, GRACE: "1"}
        if request.param == "postgresql":
            env["MAB_STORE"] = stack.enter_context(served()).create_now()
        here = stack.enter_context(made(**env))
        there = stack.enter_context(made(**{"MAB_STORE": f"sqlite:///{here.home / 'bridge.db'}"} | env))
        yield here, there


def filled(place: Place, count: int = COUNT) -> list[str]:
    """So many conversations that expire at once, each with a letter that b never read, and one that lives."""

    async def opened() -> list[str]:
        names = []
        async with AsyncExitStack() as stack:
            store = {"store": place.env["MAB_STORE"]} if "MAB_STORE" in place.env else {}
            hub = await wiring.open_hub(config.load(home=place.home, master_key=KEY, **store), stack)
            for _ in range(count + 1):
                found = await hub.conversations.create(OWNER, "backend", "frontend", None, 3_600)
                names.append(found.conversation.id)
                await hub.messages.send(OWNER, Credentials(names[-1], "a"), "never read")
            for name in names[:-1]:
                # not from the start: nothing can be sent in what expired
                await hub.conversations.extend(OWNER, name, 1)
        return names

    return asyncio.run(opened())


def told(place: Place, *actions: str) -> list[str]:
    """The conversations of those entries, as any command of the owner sees the journal."""
    shown = place.mab("audit", "-", "100000", "--json").stdout
    return [entry["conversation"] for entry in json.loads(shown) if entry["action"] in actions]


def left(place: Place) -> list[str]:
    return [row["conversation_id"] for row in json.loads(place.mab("list", "--json").stdout)]


def test_of_two_hubs_one_erases_each_conversation_with_one_entry(hubs: Hubs) -> None:
    here, there = hubs
    *gone, living = filled(here)
    for place in hubs:
        place.serve()
    until(lambda: left(here) == [living], "everything that expired is erased", WAIT)
    assert Counter(told(here, "conversation.erase")) == Counter(gone)
    assert Counter(told(there, "message.drop")) == Counter(gone)
    for place in hubs:
        place.verified()


def test_hubs_killed_while_they_erase_leave_nothing_half_done(hubs: Hubs) -> None:
    here, there = hubs
    *gone, living = filled(here)
    chance, kills, due = random.Random(5), 0, time.monotonic() + 2
    until(lambda: time.monotonic() > due, "all that expired is to go")
    while left(here) != [living] and kills < 3:
        hub = here.serve()
        # its first sweep comes a second after its start, and the whole work takes less than another
        time.sleep(0.9 + chance.random() * 0.4)
        hub.kill()
        hub.wait(60)
        here._killed = True
        kills += 1
    there.serve()
    until(lambda: left(there) == [living], "the other hub goes on", WAIT)
    assert Counter(told(there, "conversation.erase")) == Counter(gone)
    assert Counter(told(there, "message.drop")) == Counter(gone)
    there.verified()


def test_a_hub_that_is_told_never_to_erase_keeps_what_expired(hubs: Hubs) -> None:
    here, _ = hubs
    names = filled(here, 3)
    here.serve(**{GRACE: "0"})
    # whoever extends it may still do so
    for name in names:
        here.mab("extend", name)
    assert left(here) == names
