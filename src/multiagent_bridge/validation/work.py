"""Tests 3, 4 and 5: tasks are handed out, workers answer, and all of them send at the same moments."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter

from multiagent_bridge.validation.agents import Said
from multiagent_bridge.validation.beginnings import intact
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.ledger import within
from multiagent_bridge.validation.team import Team, Worker, good, read

STEPS = ("received", "25 %", "50 %", "75 %", "complete")
MESSAGES = 10
POLL_SECONDS = 0.5
MCP_MEAN = 100
"""Milliseconds: the protocol's target for a message through MCP. What it asks of a send alone is asked of the hub."""

PROBES = 200
"""Sends at most by which a session must meet its limit."""


async def distribution(team: Team, sheet: Sheet) -> None:
    """Test 3: one task to each worker at once."""
    calls = [
        {"tool": "assign_task", "arguments": worker.here | {"title": f"build the part of {worker.role}", "to": "b"}}
        for worker in team.workers
    ]
    before = await team.ledger.size()
    said = await team.orchestrator.burst(calls)
    hub = sheet.measure("assign_task, within the hub", within(await team.ledger.entries(before), "task.assign"), "ms")
    sheet.did("the orchestrator sent one task to each of eight workers, one call after the other without a pause")
    done = good(said)
    times = sheet.measure("assign_task, through MCP", [one.milliseconds for one in done], "ms")
    for worker, one in zip(team.workers, said, strict=True):
        worker.task = str(one.fields.get("task_id", ""))
    arrived = 0
    for worker in team.workers:
        mail = await read(worker.agent, worker.conversation)
        arrived += sum(worker.task in message["message"] for message in mail if worker.task)
        await worker.agent.good("update_my_status", status="working", tries=4, **worker.here)
    sheet.did("each worker read its mail")
    sheet.target("tasks sent", "exactly", 8, len(done))
    sheet.target("all sent within", "under", 1.0, max(o.ended for o in done) - min(o.began for o in done), "s")
    sheet.target("mean of a send, within the hub", "under", 5, hub.mean, "ms")
    sheet.target("mean of a send, through MCP", "under", MCP_MEAN, times.mean, "ms")
    sheet.target("tasks that arrived", "exactly", 8, arrived)


async def responses(team: Team, sheet: Sheet) -> None:
    """Test 4: each worker answers five times, and the orchestrator polls until it has read all forty."""
    before = await team.ledger.size()
    begin = time.monotonic() + 0.3
    working = [asyncio.create_task(_answering(worker, begin + 0.05 * n)) for n, worker in enumerate(team.workers)]
    heard: list[str] = []
    while not all(task.done() for task in working):
        await asyncio.sleep(POLL_SECONDS)
        heard += await _collected(team)
    heard += await _collected(team)
    said = [one for task in working for one in await task]
    sent = [one for one in said if one.tool == "send_to_partner" and not one.code]
    # what the bridge itself says of a task is not an answer of a worker
    entries = [entry for entry in await team.ledger.entries(before) if entry.session == "b"]
    hub = sheet.measure("send_to_partner, within the hub", within(entries, "message.send"), "ms")
    times = sheet.measure("send_to_partner, through MCP", [one.milliseconds for one in sent], "ms")
    sheet.measure(
        "update_task, through MCP",
        [one.milliseconds for one in said if one.tool == "update_task" and not one.code],
        "ms",
    )
    sheet.did(
        "each worker answered five times (received, 25 %, 50 %, 75 %, complete), as a step of its task and a message"
    )
    states = [task["state"] for worker in team.workers for task in await _tasks(team, worker)]
    expected = Counter(_answer(worker, step) for worker in team.workers for step in STEPS)
    sheet.did("the orchestrator polled all eight conversations meanwhile, and confirmed each completion")
    for worker in team.workers:
        await team.orchestrator.good("send_to_partner", message="confirmed", tries=6, **worker.here)
        await read(worker.agent, worker.conversation)
        await worker.agent.good("update_my_status", status="complete", tries=4, **worker.here)
    sheet.target("answers sent", "exactly", 40, len(sent))
    sheet.target("answers read, each once", "exactly", 40, _once(expected, heard))
    sheet.target("mean of a send, within the hub", "under", 10, hub.mean, "ms")
    sheet.target("mean of a send, through MCP", "under", MCP_MEAN, times.mean, "ms")
    sheet.target("tasks complete", "exactly", 8, states.count("complete"))


def _answer(worker: Worker, step: str) -> str:
    return f"{worker.role}: {step}"


async def _answering(worker: Worker, begin: float) -> list[Said]:
    """One worker's five answers, with a pause between them as if it worked."""
    calls = []
    for number, step in enumerate(STEPS):
        action = "accept" if not number else "complete" if number == len(STEPS) - 1 else "progress"
        words = worker.here | {"task_id": worker.task, "action": action}
        if action == "progress":
            words["progress"] = step
        message = worker.here | {"message": _answer(worker, step), "action_type": "status_update"}
        calls.append({"tool": "update_task", "arguments": words, "tries": 8})
        calls.append({"tool": "send_to_partner", "arguments": message, "tries": 8})
    return await worker.agent.burst(calls, at=begin, gap=0.2)


async def _collected(team: Team) -> list[str]:
    heard = []
    for worker in team.workers:
        heard += [str(m["message"]) for m in await read(team.orchestrator, worker.conversation) if m["from"] == "b"]
    return heard


async def _tasks(team: Team, worker: Worker) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await team.orchestrator.good("list_tasks", **worker.here))["tasks"]
    return found


def _once(expected: Counter[str], heard: list[str]) -> int:
    """How many of the expected texts were heard exactly as often as they were sent."""
    got = Counter(heard)
    return sum(count for text, count in expected.items() if got[text] == count)


async def load(team: Team, sheet: Sheet) -> None:
    """Test 5: eight workers send ten messages each at the same moments; then one of them meets its limit."""
    await team.refilled()
    bodies = {
        worker.role: [f"{worker.role} {n}: {hashlib.sha256(f'{worker.role}/{n}'.encode()).hexdigest()}" for n in range(MESSAGES)]
        for worker in team.workers
    }  # fmt: skip
    begin = time.monotonic() + 0.5
    sent = await asyncio.gather(
        *(
            worker.agent.burst(
                [
                    {"tool": "send_to_partner", "arguments": worker.here | {"message": body}, "tries": 10}
                    for body in bodies[worker.role]
                ],
                at=begin,
            )
            for worker in team.workers
        )
    )
    sheet.did("eight workers sent ten messages each, beginning at one instant, without a pause")
    done = [one for said in sent for one in good(said)]
    sheet.measure("send_to_partner under load, through MCP", [one.milliseconds for one in done], "ms")
    heard = await _collected(team)
    expected = Counter(body for made in bodies.values() for body in made)
    numbers = {(one.arguments["conversation_id"], one.fields["message_id"]) for one in done}
    sheet.target("messages accepted", "exactly", 80, len(done))
    sheet.target("messages read, each once and unchanged", "exactly", 80, _once(expected, heard))
    sheet.target("different numbers of messages", "exactly", 80, len(numbers))
    await _limited(team, sheet)
    for worker in team.workers:
        await worker.agent.good("update_my_status", status="waiting", tries=4, **worker.here)
    await intact(team, sheet)


async def _limited(team: Team, sheet: Sheet) -> None:
    """One session sends as fast as it can until it is refused: no more than its limit allows got through; waiting mends it."""
    await team.refilled()
    worker = team.workers[0]
    accepted, refused, began = 0, "", time.monotonic()
    for number in range(PROBES):
        said = await worker.agent.call("send_to_partner", message=f"faster {number}", **worker.here)
        if said.code:
            refused = said.code
            break
        accepted += 1
    took = time.monotonic() - began
    allowed = 10 + int(took * 10 / max(1, int(team.profile.refill))) + 1
    later = await worker.agent.call("send_to_partner", tries=6, message="after the limit", **worker.here)
    await read(team.orchestrator, worker.conversation)
    sheet.did(
        "one worker sent as fast as it could until it was refused, waited as long as it was told to, and sent again"
    )
    sheet.holds("a session that is too fast is refused as too_fast", refused == "too_fast")
    sheet.target("accepted before the refusal", "at most", allowed, accepted)
    sheet.holds("after waiting it is accepted again", not later.code)
