"""Tests 1 and 2: nine agents are set up by one command each, and eight conversations are opened."""

from __future__ import annotations

import asyncio
import json
import time
import tomllib
from pathlib import Path
from typing import Any

from multiagent_bridge.validation.agents import Agent, Failed, Server
from multiagent_bridge.validation.frame import NotHere, Sheet
from multiagent_bridge.validation.team import ORCHESTRATOR, Team, Worker

SELF_TESTS = ("master key", "database", "state directory", "socket path", "hub", "bubblewrap", "landlock", "sandbox")
"""What `mab doctor` looks at that security stands on."""

TOKEN_CHARACTERS = 64


async def installation(team: Team, sheet: Sheet) -> None:
    """Test 1: `mab init` writes each client's configuration, and the agent is started from what it wrote."""
    began = time.monotonic()
    set_up = [await _installed(team, agent) for agent in team.everybody]
    sheet.did("ran `mab init --client NAME --as AGENT --yes` for each of nine agents, each in a home of its own")
    connected = await asyncio.gather(*(agent.connect() for agent in team.everybody))
    sheet.did(
        "started nine agents at once, each a process, from the configuration written; each greeted its hub over MCP"
    )
    sheet.measure("set-up of one agent", [1000 * seconds for seconds in set_up], "ms")
    sheet.measure("connecting of one agent", [1000 * seconds for seconds in connected], "ms")
    sheet.measure("set-up of all nine", [time.monotonic() - began], "s")
    sheet.target("agents connected", "exactly", 9, sum(bool(agent.tools) for agent in team.everybody))
    versions = {agent.protocol for agent in team.everybody}
    sheet.target("revisions of MCP spoken", "at least", 2, len(versions))
    checks = await _doctor(team)
    failed = [row for row in checks if row["verdict"] == "fail"]
    looked = [row for row in checks if row["check"] in SELF_TESTS]
    sheet.did(f"ran `mab doctor`: {len(checks)} checks, {len(looked)} of them of what security stands on")
    sheet.target("checks of `mab doctor` failed", "exactly", 0, len(failed))


async def _installed(team: Team, agent: Agent) -> float:
    """Set one agent up by one command. Returns how long that took, seconds."""
    codex = agent is team.workers[-1].agent
    home = team.stage.environment(HOME=str(agent.folder))
    words = ["init", "--client", "codex" if codex else "claude-code", "--as", agent.name, "--yes"]
    if agent is team.workers[-2].agent:
        words.append("--yolo")
    began = time.monotonic()
    status, _, said = await team.stage.mab(*words, environment=home)
    took = time.monotonic() - began
    if status:
        raise Failed(f"mab init for {agent.name} left with status {status}: {said.strip()}")
    entry = _codex(agent.folder) if codex else _claude(agent.folder)
    agent.server = Server(entry["command"], list(entry["args"]), dict(entry.get("env", {})))
    return took


def _claude(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / ".claude.json").read_text(encoding="utf-8"))["mcpServers"]["mab"]
    return found


def _codex(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((home / ".codex" / "config.toml").read_text())["mcp_servers"]["mab"]
    return found


async def _doctor(team: Team) -> list[dict[str, str]]:
    _, out, said = await team.stage.mab("doctor", "--json")
    try:
        rows: list[dict[str, str]] = json.loads(out)["checks"]
    except ValueError as error:
        raise NotHere(f"mab doctor does not answer: {said.strip()}") from error
    return rows


async def conversations(team: Team, sheet: Sheet) -> None:
    """Test 2: the orchestrator opens eight, and each worker joins with the three credentials that leave for it."""
    team.began = await team.ledger.size() + 1
    tokens: list[str] = []
    took = []
    for worker in team.workers:
        said = await team.orchestrator.call("create_conversation", my_role=ORCHESTRATOR, partner_role=worker.role)
        if said.code:
            raise Failed(f"no conversation for {worker.role}: {said.text}")
        took.append(said.milliseconds)
        worker.conversation, worker.token = said.fields["conversation_id"], said.fields["session_b_token"]
        tokens += [said.fields["session_a_token"], said.fields["session_b_token"]]
    sheet.did("the orchestrator opened a conversation with each of eight workers")
    joined = await asyncio.gather(*(_joined(worker) for worker in team.workers))
    sheet.did("each worker joined with the conversation, session and token that were handed to its process alone")
    sheet.measure("opening a conversation", took, "ms")
    wellformed = {token for token in tokens if len(token) == TOKEN_CHARACTERS}
    sheet.target("conversations", "exactly", 8, len({worker.conversation for worker in team.workers}))
    sheet.target("different tokens of 64 characters", "exactly", 16, len(wellformed))
    sheet.target("workers that joined as session b", "exactly", 8, sum(joined))
    await intact(team, sheet)


async def _joined(worker: Worker) -> bool:
    found = await worker.agent.good(
        "join_conversation", conversation_id=worker.conversation, session_id="b", token=worker.token
    )
    await worker.agent.good("update_my_status", status="waiting", **worker.here)
    return bool(found["session_id"] == "b")


async def intact(team: Team, sheet: Sheet) -> None:
    """The store is whole, and its journal and every stored message verify."""
    word = await asyncio.to_thread(_integrity, team.stage.home / "bridge.db")
    sheet.holds("the store's own integrity check says ok", word == "ok")
    verified = await team.ledger.verify()
    sheet.did(f"verified the store: {verified.entries} entries, {verified.messages} messages")
    sheet.holds("every entry, link, checkpoint and stored message verifies", verified.entries > 0)


def _integrity(database: Path) -> str:
    import apsw

    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        return str(next(iter(connection.execute("PRAGMA integrity_check")))[0])
    finally:
        connection.close()
