"""A token that is renewed between real processes: a worker keeps the new one, and everybody who was let in goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.machines.couriers import Sync, Team
from tests.machines.places import Place

pytestmark = [pytest.mark.machines, pytest.mark.timeout(240)]

RENEWING = {"MAB_TOKENS__ROTATE_SECONDS": "3600", "MAB_TOKENS__GRACE_SECONDS": "3600"}


@pytest.fixture
def team(fast: Place, tmp_path: Path) -> Team:
    fast.env.update(RENEWING)
    return Team(fast, tmp_path)


@pytest.fixture
def syncs() -> Iterator[list[Sync]]:
    started: list[Sync] = []
    yield started
    for sync in started:
        sync.end()


def aged(team: Team) -> None:
    """Two hours pass for the conversation, and no time for anybody else."""
    connection = apsw.Connection(str(team.place.home / "bridge.db"))
    connection.set_busy_timeout(60_000)
    connection.execute("UPDATE conversations SET created_at = created_at - 7200000000")
    connection.close()


def kept(team: Team) -> tuple[str, int]:
    """The token in the worker's file, and its generation."""
    said = json.loads((team.place.home / "credentials" / "builder-1.json").read_bytes())
    return said["token"], said["generation"]


def tokens(team: Team) -> dict[str, str]:
    shown = json.loads(team.place.mab("tokens", team.conversation, "--json").stdout)
    return {row["session_id"]: row["token"] for row in shown["sessions"]}


def test_a_worker_keeps_the_token_it_was_given_and_begins_with_it_again(team: Team, syncs: list[Sync]) -> None:
    pushed = tokens(team)["b"]
    aged(team)
    team.push()
    syncs.append(team.sync("--every", "600"))
    _, renewed = syncs[0].event("renewed")
    assert (renewed["session_id"], renewed["generation"]) == ("b", 2)
    syncs[0].event("connected")
    assert kept(team) == (tokens(team)["b"], 2)
    assert kept(team)[0] != pushed
    agent = team.place.agent("--as", "builder-1")
    assert agent.good("update_my_status", status="waiting")["status"] == "waiting"
    assert syncs.pop().end() == 0
    syncs.append(team.sync("--every", "600"))
    syncs[0].event("connected")
    assert all(event["event"] != "renewed" for event in syncs[0].seen)
    # used by now, so that the one that was pushed opens nothing any more
    beat = ("send", team.conversation, "hello", "--session", "b")
    assert "not_allowed" in team.place.mab(*beat, status=4, MAB_TOKEN=pushed).stderr
    assert agent.good("send_to_partner", message="still here")["status"] == "sent"
    team.place.mab("audit", "--verify")
