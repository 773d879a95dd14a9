"""Credentials from one state directory to a worker, through a real bare repository, a real hub and real MCP connections."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.machines.couriers import STARTING, Sync, Team, objects
from tests.machines.places import Place, running, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(240)]

FAR = ("--every", "600")
"""An interval that no test reaches: whatever comes sooner came by the hook."""

SOON = 60.0
"""The bar for the hook, in seconds: most of it for a machine that others keep busy, and far from the interval."""


@pytest.fixture
def team(fast: Place, tmp_path: Path) -> Team:
    return Team(fast, tmp_path)


@pytest.fixture
def syncs() -> Iterator[list[Sync]]:
    started: list[Sync] = []
    yield started
    for sync in started:
        sync.end()


def test_a_worker_comes_up_by_itself_when_its_credentials_appear(team: Team, syncs: list[Sync]) -> None:
    syncs.append(team.sync("--every", "0.3"))
    syncs[0].event("waiting")
    pushed = team.push()
    _, connected = syncs[0].event("connected")
    assert connected["conversation_id"] == team.conversation
    assert (connected["session_id"], connected["sequence"]) == ("b", pushed["sequence"])
    assert team.alive()["status"] == "working"
    assert team.alive()["alive"] is True


def test_with_the_hook_a_push_is_taken_up_at_once(team: Team, syncs: list[Sync]) -> None:
    team.place.mab("credentials", "hook", "--repo", str(team.repository))
    syncs.append(team.sync(*FAR))
    syncs[0].event("waiting")
    team.place.serve()
    team.push()
    pushed = time.monotonic()
    at, _ = syncs[0].event("connected")
    # the hook may be faster than the end of the push
    assert at - pushed < SOON


def test_an_agent_started_under_the_name_finds_its_conversation(team: Team, syncs: list[Sync]) -> None:
    team.push()
    syncs.append(team.sync("--every", "0.3"))
    syncs[0].event("connected")
    agent = team.place.agent("--as", "builder-1")
    (found,) = agent.good("list_conversations")["conversations"]
    assert (found["conversation_id"], found["session_id"]) == (team.conversation, "b")
    assert agent.good("update_my_status", status="waiting")["status"] == "waiting"


def test_a_rotation_is_changed_over_under_an_agent_that_works(team: Team, syncs: list[Sync]) -> None:
    team.push()
    syncs.append(team.sync("--every", "0.3"))
    syncs[0].event("connected")
    agent = team.place.agent("--as", "builder-1")
    agent.good("update_my_status", status="blocked")
    team.place.mab("rotate", team.conversation, "b")
    assert agent.call("check_messages").code == "not_allowed"
    pushed = team.push()
    _, connected = syncs[0].event("connected")
    assert (connected["sequence"], connected["generation"]) == (pushed["sequence"], 2)
    assert agent.good("check_messages")["messages"] == []
    assert team.alive()["status"] == "blocked"


def test_after_a_restart_the_worker_comes_up_though_the_repository_is_gone(team: Team, syncs: list[Sync]) -> None:
    team.push()
    first = team.sync("--every", "0.3", "--once-connected")
    first.event("connected")
    assert first.process.wait(STARTING) == 0
    first.end()
    away = team.repository.with_suffix(".away")
    team.repository.rename(away)
    syncs.append(team.sync("--every", "0.2"))
    syncs[0].event("unreachable")
    syncs[0].event("connected")
    away.rename(team.repository)
    syncs[0].event("reachable")
    assert [event["event"] for event in syncs[0].seen].count("unreachable") == 1


def test_credentials_that_were_rotated_away_are_not_tried_again(team: Team, syncs: list[Sync]) -> None:
    team.push()
    team.place.mab("rotate", team.conversation, "b")
    syncs.append(team.sync("--every", "0.2"))
    syncs[0].event("unusable")
    pushed = team.push()
    assert syncs[0].event("connected")[1]["sequence"] == pushed["sequence"]
    refused = [entry for entry in team.place.entries() if entry["code"] == "not_allowed"]
    assert len(refused) == 1


PROGRAM = """
import json, os, sys, time
seen = {name: value for name, value in os.environ.items() if name.startswith("MAB_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([os.getpid(), sys.argv, seen]) + "\\n")
while True:
    time.sleep(0.1)
"""


def test_the_program_is_started_with_ids_alone_and_again_after_a_rotation(
    team: Team, syncs: list[Sync], tmp_path: Path
) -> None:
    script, told = tmp_path / "program.py", tmp_path / "told"
    script.write_text(PROGRAM)
    team.push()
    words = ("--exec", f"{sys.executable} {script} {told}")
    syncs.append(team.sync("--every", "0.3", *words, MAB_TOKEN="f" * 64, MAB_MASTER_KEY_COPY="x"))
    syncs[0].event("started")
    first, argv, seen = until(lambda: lines(told), "the program has told")[0]
    assert argv == [str(script), str(told)]
    kept = {name: value for name, value in seen.items() if not name.startswith(("MAB_HOME", "MAB_LIMITS__"))}
    assert kept == {"MAB_AGENT": "builder-1", "MAB_CONVERSATION": team.conversation, "MAB_SESSION": "b"}
    team.place.mab("rotate", team.conversation, "b")
    team.push()
    syncs[0].event("started")
    second = until(lambda: lines(told)[1:], "the program was started again")[0][0]
    assert first not in running(team.place.home)
    syncs.pop().end()
    until(lambda: second not in running(team.place.home), "the program has ended with its sync")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_program_does_not_outlive_a_sync_whose_terminal_is_closed_or_that_is_interrupted(
    team: Team, syncs: list[Sync], tmp_path: Path, number: int
) -> None:
    script, told = tmp_path / "program.py", tmp_path / "told"
    script.write_text(PROGRAM)
    team.push()
    syncs.append(team.sync(*FAR, "--exec", f"{sys.executable} {script} {told}"))
    pid = until(lambda: lines(told), "the program has told")[0][0]
    syncs[0].process.send_signal(number)
    syncs[0].process.wait(SOON)
    try:
        assert pid not in running(team.place.home)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(str(pid)), signal.SIGKILL)


def lines(file: Path) -> list[list[object]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_two_syncs_of_one_worker_are_one_too_many(team: Team, syncs: list[Sync]) -> None:
    syncs.append(team.sync(*FAR))
    syncs[0].event("waiting")
    second = team.sync(*FAR)
    assert second.process.wait(STARTING) == 8
    second.end()


def test_pushes_of_many_owners_at_once_all_arrive(team: Team) -> None:
    import concurrent.futures

    names = [f"worker-{number}" for number in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: team.push(name), names))
    for name in names:
        where = ("--repo", str(team.repository), "--publisher", team.publisher, "--json")
        pulled = json.loads(team.place.mab("credentials", "pull", "--worker", name, *where).stdout)
        assert (pulled["state"], pulled["worker"]) == ("new", name)


def test_nothing_that_opens_anything_is_in_the_repository_the_journal_or_a_file_open_to_others(team: Team) -> None:
    team.push()
    tokens = json.loads(team.place.mab("tokens", team.conversation, "--json").stdout)["sessions"]
    (token,) = [row["token"] for row in tokens if row["session_id"] == "b"]
    found = objects(team.repository)
    assert b"builder-1" in found
    for word in (token, team.conversation, "orchestrator", str(team.place.home)):
        assert word.encode() not in found
    where = ("--repo", str(team.repository), "--publisher", team.publisher)
    team.place.mab("credentials", "pull", "--worker", "builder-1", *where)
    holders = [path for path in team.place.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert holders == [team.place.home / "credentials" / "builder-1.json"]
    assert holders[0].stat().st_mode & 0o077 == 0
