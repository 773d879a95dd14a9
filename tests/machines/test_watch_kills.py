"""Watches that are killed: what they leave in the bells folder goes with the next few rings."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess

import pytest

from tests.machines.agents import MAB, SECONDS, environment
from tests.machines.places import Place, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

WATCHES = 8


def names(place: Place) -> set[str]:
    return set(os.listdir(place.home / "bells"))


def test_killed_watches_are_swept_by_the_hub_and_the_living_one_hears_on(fast: Place) -> None:
    alice, bob, conversation = fast.pair()
    before = names(fast)
    words = [MAB, "watch", conversation, "--session", "b", "--json"]
    env = environment(fast.home, **fast.env)
    watches = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE) for _ in range(WATCHES)]
    try:
        until(lambda: len(names(fast) - before) == 3 * WATCHES, "each has a socket and is found under two topics", 120)
        living, *killed = watches
        for watch in killed:
            watch.send_signal(signal.SIGKILL)
            watch.wait(SECONDS)
        for number in range(6):
            alice.good("send_to_partner", message=f"number {number}")
            assert living.stdout is not None
            assert b'"mail"' in living.stdout.readline()
        sent = itertools.count()
        until(
            lambda: len(names(fast) - before) <= 3 or not alice.good("send_to_partner", message=f"more {next(sent)}"),
            "what the killed left is gone",
        )
        assert {name.rpartition("-")[0].rpartition("-")[2].lstrip(".") for name in names(fast) - before} == {
            str(living.pid)
        }
        assert len(bob.good("check_messages", limit=50)["messages"]) >= 6
    finally:
        for watch in watches:
            watch.terminate()
            watch.wait(SECONDS)
            assert watch.stdout is not None
            watch.stdout.close()
    fast.verified()
