"""A hub that goes away under its clients: killed, stopped, replaced by a newer one."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

import multiagent_bridge.shim
from tests.machines.agents import Agent
from tests.machines.places import Place, running, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]


def shim_of_version(folder: Path, version: str) -> list[str]:
    """A copy of the shim that says it is of that version, as an installation beside this one would."""
    copy = folder / "othershim"
    shutil.copytree(Path(multiagent_bridge.shim.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    hub = copy / "hub.py"
    before = hub.read_text()
    after = before.replace(f'VERSION = "{multiagent_bridge.shim.VERSION}"', f'VERSION = "{version}"')
    # the hub it starts must say that version too, as that installation's hub would
    start = '[sys.executable, "-I", "-m", "multiagent_bridge", "serve", "--detached"]'
    after = after.replace(start, f"[sys.executable, {str(folder / 'hub.py')!r}]")
    assert after.count(version) == 1
    assert start not in after
    hub.write_text(after)
    (folder / "hub.py").write_text(
        "import sys, multiagent_bridge\n"
        f"multiagent_bridge.__version__ = {version!r}\n"
        "from multiagent_bridge.cli.app import run\n"
        "sys.exit(run(['serve', '--detached']))\n"
    )
    run = f"import sys; sys.path.insert(0, {str(folder)!r}); from othershim import main; sys.exit(main([]))"
    return [sys.executable, "-c", run]


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_ten_shims_outlive_a_killed_hub_with_their_bindings_intact(fast: Place, era: str) -> None:
    pairs = [fast.pair(era) for _ in range(5)]
    waiting = [bob.ask_tool("check_messages", wait_seconds=50) for _, bob, _ in pairs]
    for _, bob, _ in pairs:
        # a later answer on the same connection: the wait stands at the hub
        bob.good("list_conversations")
    old = fast.kill_hub()
    for (_, bob, _), identity in zip(pairs, waiting, strict=True):
        assert bob.result(identity).text == (
            "unavailable: the hub stopped during this call (repeat the call: nothing was lost)"
        )
    for number, (alice, bob, conversation) in enumerate(pairs):
        assert alice.good("send_to_partner", message=f"after {number}")["message_id"] == 1
        assert [m["message"] for m in bob.good("check_messages")["messages"]] == [f"after {number}"]
        assert bob.good("list_conversations")["conversations"][0]["conversation_id"] == conversation
    assert fast.hub != old
    fast.verified()


def test_a_call_in_flight_when_the_hub_is_killed_says_whether_to_repeat_it(fast: Place) -> None:
    alice, _, _ = fast.pair()
    os.kill(fast.hub, signal.SIGSTOP)
    plain = alice.ask_tool("send_to_partner", message="in flight")
    keyed = alice.ask_tool("send_to_partner", message="in flight", idempotency_key="k")
    made = alice.ask_tool("create_conversation", my_role="backend", partner_role="frontend")
    seen = alice.ask_tool("check_partner_status")
    listed = alice.ask("tools/list")
    alice.handed_over()
    fast.kill_hub()
    said = [alice.result(identity).text for identity in (plain, keyed, made, seen)]
    assert all(text.startswith("unavailable: the hub stopped during this call (") for text in said)
    assert "do not repeat it blindly: it may have been stored" in said[0]
    assert "repeat the call with the same idempotency_key: it is stored once" in said[1]
    assert "do not repeat it blindly: it may have taken effect" in said[2]
    assert "repeat the call: nothing was lost" in said[3]
    assert "repeat it" in alice.answer(listed)["error"]["message"]
    assert len([m for m in alice.said if m.get("id") == plain]) == 1
    again = alice.good("send_to_partner", message="in flight", idempotency_key="k")
    assert again["message_id"] == 1


def test_a_handshake_in_flight_when_the_hub_is_killed_is_answered_by_the_next(fast: Place) -> None:
    fast.serve()
    os.kill(fast.hub, signal.SIGSTOP)
    agent = fast.agent(era="legacy", greet=False)
    # the greeting of the socket itself waits too, so nothing is lost when its hub dies
    identity = agent.ask(
        "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    )
    fast.kill_hub()
    assert agent.answer(identity)["result"]["protocolVersion"] == "2025-06-18"
    agent.notify("notifications/initialized")
    assert agent.good("list_conversations")["conversations"] == []
    fast.kill_hub()
    assert agent.good("list_conversations")["conversations"] == []


def test_calls_made_while_no_hub_is_there_wait_for_the_next_and_are_done_once(fast: Place) -> None:
    alice, bob, _ = fast.pair()
    fast.kill_hub()
    asked = [alice.ask_tool("send_to_partner", message=f"number {n}") for n in range(5)]
    sent = [alice.result(identity) for identity in asked]
    stored = {r.fields["message_id"] for r in sent if not r.failed}
    brought = [m["message"] for m in bob.good("check_messages")["messages"]]
    assert len(brought) == len(set(brought))
    assert len(stored) <= len(brought) <= 5


def test_a_newer_shim_has_an_older_hub_make_way_and_older_shims_go_on_with_the_newer_hub(
    fast: Place, tmp_path: Path
) -> None:
    alice, bob, _ = fast.pair()
    alice.good("send_to_partner", message="before")
    old = fast.hub
    waiting = bob.ask_tool("check_messages", wait_seconds=50)
    assert bob.result(waiting).fields["messages"][0]["message"] == "before"
    waiting = bob.ask_tool("check_messages", wait_seconds=50)
    bob.good("list_conversations")
    upgraded = Agent(fast.home, command=shim_of_version(tmp_path, "99.0.0"), env=fast.env)
    fast.agents.append(upgraded)
    assert upgraded.good("list_conversations")["conversations"] == []
    assert fast.hub != old
    assert "repeat the call: nothing was lost" in bob.result(waiting).text
    assert alice.good("send_to_partner", message="after")["message_id"] == 2
    assert [m["message"] for m in bob.good("check_messages")["messages"]] == ["after"]
    fast.verified()


def test_a_hub_newer_than_the_shim_serves_it(fast: Place, tmp_path: Path) -> None:
    upgraded = Agent(fast.home, command=shim_of_version(tmp_path, "99.0.0"), env=fast.env)
    fast.agents.append(upgraded)
    upgraded.good("list_conversations")
    hub = fast.hub
    assert fast.agent().good("list_conversations")["conversations"] == []
    assert fast.hub == hub


@pytest.mark.slow
def test_a_shim_that_meets_a_stopped_hub_says_so_in_bounded_time(fast: Place) -> None:
    fast.serve()
    os.kill(fast.hub, signal.SIGSTOP)
    start = time.monotonic()
    agent = fast.agent()
    refused = agent.result(agent.ask_tool("list_conversations"), 90)
    assert refused.text == "unavailable: the hub is there but does not answer (mab doctor names its process)"
    assert time.monotonic() - start < 60
    assert agent.process.wait(60) == 9
    os.kill(fast.hub, signal.SIGCONT)
    assert fast.agent().good("list_conversations")["conversations"] == []


@pytest.mark.slow
def test_a_call_that_a_hub_stops_under_is_answered_in_bounded_time_and_its_mail_is_not_lost(fast: Place) -> None:
    alice, bob, _ = fast.pair()
    alice.good("send_to_partner", message="unheard")
    hub = fast.hub
    os.kill(hub, signal.SIGSTOP)
    refused = bob.result(bob.ask_tool("check_messages"), 120)
    assert refused.code == "unavailable"
    assert bob.process.wait(60) == 9
    os.kill(hub, signal.SIGCONT)
    until(lambda: alice.good("check_partner_status")["unread"] == 1, "the mail is unread again")


def test_a_hub_that_is_asked_to_leave_answers_what_it_has_begun(fast: Place) -> None:
    alice, bob, _ = fast.pair()
    asked = [alice.ask_tool("send_to_partner", message=f"number {n}") for n in range(20)]
    hub = fast.hub
    os.kill(hub, signal.SIGTERM)
    done = [alice.result(identity) for identity in asked]
    until(lambda: hub not in running(fast.home), "the hub has left")
    stored = [r.fields["message_id"] for r in done if not r.failed]
    brought: list[int] = []
    while found := bob.good("check_messages")["messages"]:
        brought += [m["id"] for m in found]
    assert len(set(brought)) == len(brought)
    assert set(stored) <= set(brought)
    fast.verified()
