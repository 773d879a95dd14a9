"""A proxy that drops connections on which nothing came for a moment: every long poll through it ends early."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy import terminator
from tests.deploy.terminator import ADDRESS, terminated
from tests.faces.http_yard import certified
from tests.machines.agents import Agent
from tests.machines.places import UNLIMITED, Place, made, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]

SILENCE_SECONDS = 1.0
"""What polls wait for longer than; an answer of a busy machine may take longer, too, and is asked for again."""
MESSAGES = 25


@pytest.fixture
def place() -> Iterator[Place]:
    with made(**UNLIMITED) as found:
        yield found


@pytest.fixture
def bob(place: Place, tmp_path: Path) -> Iterator[Agent]:
    """An agent elsewhere, whose way to the hub is such a proxy."""
    hub = place.serve("--http", "127.0.0.1:0", "--behind-proxy", ADDRESS)
    assert hub.stderr is not None
    port = int(hub.stderr.readline().split()[2].decode().removesuffix("/mcp").rpartition(":")[2])
    authority = certified(tmp_path / "tls", "ca")
    certificate, private = certified(tmp_path / "tls", "server", authority)
    key = tmp_path / "bob.key"
    key.touch(0o600)
    key.write_text(json.loads(place.mab("key", "create", "bob", "--role", "agent", "--json").stdout)["key"])
    with ExitStack() as stack:
        proxy = stack.enter_context(terminated(certificate, private, [port]))
        words = ["--connect", f"https://localhost:{proxy.port}", "--as", "bob", "--key-file", str(key)]
        agent = Agent(tmp_path, *words, "--ca", str(authority[0]))
        stack.callback(agent.close)
        yield agent


@pytest.fixture
def alice(place: Place, bob: Agent, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """His partner, beside the hub. From now on the proxy drops what is silent."""
    agent = place.agent()
    opened = agent.good("create_conversation", my_role="backend", partner_role="frontend")
    bob.good("join_conversation", invite=opened["sessions"][1]["invite"])
    monkeypatch.setattr(terminator, "SECONDS", SILENCE_SECONDS)
    return agent


def answered(agent: Agent) -> list[str] | None:
    """What is there, None where the proxy dropped the answer: what it dropped was not read."""
    found = agent.call("check_messages")
    assert found.code in ("", "unavailable"), found.text
    return None if found.failed else [letter["message"] for letter in found.fields["messages"]]


def read(agent: Agent) -> list[str]:
    """The next mail: while the hub has not heard that a poll was dropped, that poll may hold it."""
    return until(lambda: answered(agent) or None, "the mail is there")


def test_a_long_poll_that_a_proxy_drops_is_answered_in_time_and_costs_no_mail(
    place: Place, alice: Agent, bob: Agent
) -> None:
    for number in range(3):
        dropped = bob.call("check_messages", wait_seconds=50)
        assert dropped.code == "unavailable", dropped.text
        alice.good("send_to_partner", message=f"after drop {number}")
        assert read(bob) == [f"after drop {number}"]
    assert until(lambda: (left := answered(bob)) is not None and [left], "an answer") == [[]]
    place.verified()


def test_what_is_acknowledged_by_number_comes_once_however_the_polls_are_dropped(
    place: Place, alice: Agent, bob: Agent
) -> None:
    choice, sent = random.Random(3), threading.Event()
    seen: list[str] = []
    drops = 0

    def send() -> None:
        for number in range(MESSAGES):
            alice.good("send_to_partner", message=f"message {number}")
            # around the moment at which a poll is dropped; now and then well behind it
            pause = choice.choice((0.0, 0.2, 1.0)) + choice.random() / 5
            sent.wait((2.0 if number % 8 == 7 else pause) * SILENCE_SECONDS)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        through = 0

        def polled() -> bool:
            nonlocal through, drops
            words = {"ack_through": through} if through else {}
            result = bob.call("check_messages", auto_ack=False, wait_seconds=50, **words)
            if result.failed:
                assert result.code == "unavailable", result.text
                drops += 1
                return False
            fresh = [letter for letter in result.fields["messages"] if letter["id"] > through]
            assert len(fresh) == len(result.fields["messages"]), "what was acknowledged does not come again"
            seen.extend(letter["message"] for letter in fresh)
            through = max([through, *(letter["id"] for letter in fresh)])
            return len(seen) == MESSAGES

        until(polled, "everything has come", 240)
    finally:
        sent.set()
        sending.join(120)
    assert seen == [f"message {number}" for number in range(MESSAGES)]
    assert drops, "the proxy dropped some"
    place.verified()
