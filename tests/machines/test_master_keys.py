"""A rotation of the master key killed at every step, and under hubs that go on: nothing is ever unreadable."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.cli import owner
from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.testing.hubs import agent

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.machines, pytest.mark.timeout(600)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MAB_MASTER_KEY", "MAB_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MAB_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAB_LIMITS__READS", "[[1000000, 60]]")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "least"), [("rotate", 25), ("retire", 12), ("reseal", 18)])
def test_killed_at_any_step_nothing_is_lost_and_the_command_goes_on(home: Path, verb: str, least: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.machines.rotation_worker", str(home.parent), verb],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["wrong"] == [], done.stderr
    assert told["steps"] >= least


async def mab(*words: str) -> str:
    """Run a command in a process of its own, while hubs of this one go on. Returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "multiagent_bridge", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 250)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def rotated_under_two_hubs(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        hubs = [await wiring.open_hub(config.load(), stack, owner=f"hub{n}") for n in (1, 2)]
        alice, bob = agent("alice"), agent("bob")
        made = await hubs[0].conversations.create(alice, "backend", "frontend")
        await hubs[1].conversations.join(bob, NO_CREDENTIALS, made.invites[1])
        await hubs[0].messages.send(alice, NO_CREDENTIALS, "before")
        given, rounds, ended = Credentials(made.conversation.id, "a", made.tokens[0]), 0, asyncio.Event()

        async def go_on() -> None:
            """Calls at both hubs, by connection and by the token of before; every one must succeed."""
            nonlocal rounds
            while not ended.is_set():
                for hub in hubs:
                    await hub.status.heartbeat(alice, NO_CREDENTIALS)
                    await hub.status.heartbeat(agent("stranger"), given)
                    mail = await hub.messages.check(bob, NO_CREDENTIALS, hub.ids.claim(), auto_ack=False)
                    assert [letter.text for letter in mail.letters] == ["before"]
                rounds += 1

        async with asyncio.timeout(400), asyncio.TaskGroup() as group:
            group.create_task(go_on())
            await mab("master-key", "rotate")
            ended.set()
        assert rounds > 1
        await hubs[0].messages.send(alice, NO_CREDENTIALS, "after")
        await mab("master-key", "retire")
        for hub in hubs:
            # looks at the master keys itself, so that nobody here waits for a second to pass
            assert (await hub.evidence.verify()).messages == 2
        signer = hubs[0].journal.verifier_key.partition("+")[0]
        backup = await hubs[0].backups.make(owner.owner(), str(folder / "after.age"), "")
        assert backup.manifest.signer == signer
        fresh = [token for _, token in await hubs[0].conversations.tokens(owner.owner(), made.conversation.id)]
        for hub in hubs:
            await hub.status.heartbeat(alice, NO_CREDENTIALS)
            await hub.status.heartbeat(agent("stranger"), Credentials(made.conversation.id, "a", fresh[0]))
            with pytest.raises(NotAllowed):
                await hub.status.heartbeat(agent("stranger"), given)


def test_two_hubs_go_on_while_the_key_is_rotated_and_retired_beside_them(home: Path) -> None:
    asyncio.run(rotated_under_two_hubs(home.parent))


async def replaced_by_a_hub() -> None:
    conversation = json.loads(await mab("create", "backend", "frontend", "--json"))["conversation_id"]
    for text in ("one", "two"):
        await mab("send", conversation, text)
    await mab("master-key", "rotate")
    await mab("master-key", "reseal", "--leave")
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "multiagent_bridge", "serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(240):
            while True:
                found = json.loads(await mab("master-key", "status", "--json"))
                if found["reseal"]["state"] == "finished":
                    break
                assert hub.returncode is None
    finally:
        hub.terminate()
        await asyncio.wait_for(hub.wait(), 60)
    assert (found["reseal"]["texts"], found["reseal"]["data_keys"]) == (2, 1)
    said = await mab("check", conversation, "--session", "b")
    assert "one" in said
    assert "two" in said


def test_a_hub_that_serves_goes_on_with_what_was_begun(home: Path) -> None:
    asyncio.run(replaced_by_a_hub())
