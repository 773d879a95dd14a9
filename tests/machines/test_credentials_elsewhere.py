"""A worker with a state directory of its own and nothing but HTTP to the hub: what it needs comes through the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.agents import environment
from tests.machines.couriers import STARTING, Team
from tests.machines.places import Place, made

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

PROGRAM = "import sys; from multiagent_bridge.cli.app import run; sys.exit(run(sys.argv[1:]))"
"""The command line as it is without the shim, which knows no other machines."""

SYNC = (
    f"from multiagent_bridge.cli import credentials_seat as s; import sys; s.MAB = (sys.executable, '-c', {PROGRAM!r}); "
    + PROGRAM
)


@pytest.fixture
def worker() -> Iterator[Place]:
    with made() as here:
        yield here


def test_a_worker_elsewhere_comes_up_with_what_the_repository_brought_it(
    fast: Place, worker: Place, tmp_path: Path
) -> None:
    hub = fast.serve("--http", "127.0.0.1:0")
    assert hub.stderr is not None
    url = hub.stderr.readline().decode().split()[-1]
    team = Team(fast, tmp_path)
    recipient = json.loads(worker.mab("credentials", "keygen", "--json").stdout)["recipient"]
    file = tmp_path / "hub.key"
    file.write_text(fast.mab("key", "create", "builder-1", "--role", "agent").stdout.splitlines()[0] + "\n")
    to = ("--worker", "builder-1", "--key", recipient, "--repo", str(team.repository))
    fast.mab("credentials", "push", team.conversation, "b", *to, "--hub", url, "--hub-key-file", str(file))

    where = ("--worker", "builder-1", "--repo", str(team.repository), "--publisher", team.publisher)
    done = subprocess.run(
        [sys.executable, "-c", SYNC, "credentials", "sync", *where, "--every", "1", "--once-connected", "--json"],
        env=environment(worker.home), cwd=tmp_path, capture_output=True, text=True, timeout=STARTING, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["accepted", "connected"]
    assert (events[-1]["conversation_id"], events[-1]["hub"]) == (team.conversation, url)
    assert team.alive()["status"] == "working"
    assert not (worker.home / "hub.pid").exists()
