"""The stress test: one coordinator and nine workers, as fast as the limits allow, then with the limits raised."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from multiagent_bridge.validation.agents import Agent, Said, Server
from multiagent_bridge.validation.beginnings import intact
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.ledger import sent as journalled
from multiagent_bridge.validation.ledger import within
from multiagent_bridge.validation.profiles import RAISED
from multiagent_bridge.validation.team import Team, read

OPERATIONS = 482
"""Of the first generation, which this is to reach."""

LIMITED, RAISED_EACH = 12, 50
"""Messages of each agent: two more than its limit allows at once, and with the limits raised."""


async def stress(team: Team, sheet: Sheet) -> None:
    """Test S. The hub is started again with raised limits for the second part alone."""
    ninth = Agent(team.stage, "ninth")
    ninth.server = _server(team, "ninth")
    await ninth.connect()
    try:
        await _stressed(team, sheet, ninth)
    finally:
        await ninth.leave()


async def _stressed(team: Team, sheet: Sheet, ninth: Agent) -> None:
    agents = [team.orchestrator, *(worker.agent for worker in team.workers), ninth]
    await team.refilled()
    here = await _opened(agents)
    first = await _round(agents, here, LIMITED, "within limits", tries=40)
    sheet.did(
        f"ten agents in one conversation sent {LIMITED} messages each as fast as their limits allow, and read them all"
    )
    sheet.measure("tries of a send within limits", [len(one.attempts) for one in first.said], "tries")
    sheet.measure("send_to_partner within limits, through MCP", _answers(first.said), "ms")
    sheet.target("within limits: messages accepted", "exactly", LIMITED * len(agents), len(first.done))
    sheet.target("within limits: lost, doubled or changed", "exactly", 0, first.wrong)

    await asyncio.gather(*(agent.leave() for agent in agents))
    await team.stage.restart(**RAISED)
    await asyncio.gather(*(agent.connect() for agent in agents))
    sheet.did("closed all ten, started the hub again with its limits raised, and connected all ten again")
    before = await team.ledger.size()
    began = time.monotonic()
    second = await _round(agents, here, RAISED_EACH, "raised", tries=1)
    took = time.monotonic() - began
    entries = await team.ledger.entries(before)
    sheet.did(f"they sent {RAISED_EACH} messages each as fast as they could, and read them all")
    sheet.measure("send_to_partner with limits raised, through MCP", _answers(second.said), "ms")
    sheet.measure("of it within the hub", within(entries, "message.send"), "ms")
    sheet.measure("operations a second", [second.operations / took], "1/s")
    sheet.target("raised: operations", "at least", OPERATIONS, second.operations)
    sheet.target("raised: failures", "exactly", 0, len(second.said) - len(second.done))
    sheet.target("raised: lost, doubled or changed", "exactly", 0, second.wrong)
    sheet.target(
        "raised: messages in the journal", "exactly", RAISED_EACH * len(agents), len(journalled(entries, here))
    )
    sheet.target("mean of a send", "under", 100, _mean(second.said), "ms")
    await intact(team, sheet)


class Round:
    """What ten agents sent and read."""

    def __init__(
        self, said: Sequence[Said], expected: Counter[tuple[str, str]], heard: Counter[tuple[str, str]]
    ) -> None:
        self.said = said
        self.done = [one for one in said if not one.code]
        self.reads = sum(heard.values())
        self.wrong = sum(((expected - heard) + (heard - expected)).values())

    @property
    def operations(self) -> int:
        """Sends, and deliveries to a reader."""
        return len(self.done) + self.reads


async def _opened(agents: Sequence[Agent]) -> str:
    """A conversation of all ten; its id."""
    roles = ["coordinator", *(f"worker {n}" for n in range(1, len(agents)))]
    made = await agents[0].good("create_conversation", my_role=roles[0], partner_role=roles[1], more_roles=roles[2:])
    for agent, row in zip(agents[1:], made["sessions"][1:], strict=True):
        await agent.good("join_conversation", invite=row["invite"])
    return str(made["conversation_id"])


async def _round(agents: Sequence[Agent], here: str, each: int, name: str, tries: int) -> Round:
    """The coordinator sends to everybody, each worker to the coordinator; then everybody reads."""
    sending = []
    expected: Counter[tuple[str, str]] = Counter()
    begin = time.monotonic() + 0.5
    for agent in agents:
        bodies = [f"{agent.name} {name} {n}: {_digest(agent.name, name, n)}" for n in range(each)]
        readers = [one.name for one in agents[1:]] if agent is agents[0] else [agents[0].name]
        expected.update((reader, body) for reader in readers for body in bodies)
        sending.append(agent.burst([_call(agent, agents[0], here, body, tries) for body in bodies], at=begin))
    said = [one for made in await asyncio.gather(*sending) for one in made]
    heard: Counter[tuple[str, str]] = Counter()
    for agent in agents:
        heard.update((agent.name, m["message"]) for m in await read(agent, here) if m["from"] != "bridge")
    return Round(said, expected, heard)


def _call(agent: Agent, boss: Agent, here: str, body: str, tries: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {"conversation_id": here, "message": body}
    if agent is not boss:
        arguments["to"] = ["a"]
    return {"tool": "send_to_partner", "arguments": arguments, "tries": tries}


def _digest(agent: str, name: str, number: int) -> str:
    return hashlib.sha256(f"{agent}/{name}/{number}".encode()).hexdigest()


def _answers(said: Sequence[Said]) -> list[float]:
    """Of each accepted send, its last try alone, milliseconds: the waiting before it is the limit's."""
    return [1000 * (one.attempts[-1]["ended"] - one.attempts[-1]["began"]) for one in said if not one.code]


def _mean(said: Sequence[Said]) -> float | None:
    times = _answers(said)
    return sum(times) / len(times) if times else None


def _server(team: Team, name: str) -> Server:
    """As the first worker's client starts it, under another name."""
    known = team.workers[0].agent.server
    assert known is not None
    return Server(known.command, [*known.arguments[:-1], name], dict(known.environment))
