"""Agents that send under load and repeat what was refused, and what their partners find in the end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.machines.agents import Agent, Result
from tests.machines.places import until

PAUSE_SECONDS = 0.05


@dataclass
class Sender:
    """An agent that sends numbered messages until it is told to stop, and repeats each until it was acknowledged.

    It pauses after each: a quick machine would else fill its conversation (10,000 messages) during one long cut.
    """

    agent: Agent
    name: str
    acknowledged: list[str] = field(default_factory=list)
    refused: list[Result] = field(default_factory=list)
    slowest: float = 0.0
    failure: str = ""
    enough: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Sender:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self._thread.join(180)
        assert not self._thread.is_alive()

    def moved(self, seconds: float) -> None:
        """Wait for two more messages: the first may have been on its way already."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + 2 or self.failure, f"{self.name} sends", seconds)
        assert not self.failure

    def _run(self) -> None:
        number = 0
        try:
            while not self.enough.is_set():
                self._send(f"{self.name} {number}")
                number += 1
                self.enough.wait(PAUSE_SECONDS)
        except BaseException as error:
            self.failure = repr(error)
            raise

    def _send(self, text: str) -> None:
        while True:
            result, seconds = timed(self.agent, text)
            self.slowest = max(self.slowest, seconds)
            if not result.failed:
                self.acknowledged.append(text)
                return
            assert result.code == "unavailable", result.text
            self.refused.append(result)
            self.enough.wait(0.05)


def timed(agent: Agent, text: str) -> tuple[Result, float]:
    begun = time.monotonic()
    result = agent.result(agent.ask_tool("send_to_partner", message=text, idempotency_key=text), 120)
    return result, time.monotonic() - begun


def stored(agent: Agent) -> Counter[str]:
    """Every message that the agent has read, with how often it stands in the store."""
    found: Counter[str] = Counter()
    before: dict[str, int] = {}
    while page := agent.good("check_messages", history=True, limit=50, **before)["messages"]:
        found.update(letter["message"] for letter in page)
        before = {"before": min(letter["id"] for letter in page)}
    return found


def unread(agent: Agent) -> list[str]:
    """Read all that is there."""
    found: list[str] = []
    while page := agent.good("check_messages")["messages"]:
        found += [letter["message"] for letter in page]
    return found


def goes_on(agent: Agent, text: str, seconds: float = 120.0) -> None:
    """The message is sent, at once or when it is repeated."""
    until(lambda: not timed(agent, text)[0].failed, f"{text} is sent", seconds)
