"""`mab mcp --as NAME` keeps an agent's conversations, for one live connection at a time; and `--standalone`."""

from __future__ import annotations

import os
import signal

import pytest

from tests.machines.agents import Agent
from tests.machines.places import Place, running, until, words_of

pytestmark = pytest.mark.machines


def named(place: Place, era: str, name: str, *words: str) -> Agent:
    return place.agent("--as", name, *words, era=era)


def talking(place: Place, era: str) -> tuple[Agent, Agent]:
    """Claude (session a) and Codex (session b), both started under their names."""
    claude, codex = named(place, era, "claude"), named(place, era, "codex")
    made = claude.good("create_conversation", my_role="backend", partner_role="frontend")
    codex.good("join_conversation", invite=made["sessions"][1]["invite"])
    return claude, codex


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_name_gets_its_conversations_back_after_a_restart_of_the_shim(fast: Place, era: str) -> None:
    place = fast
    claude, codex = talking(place, era)
    claude.good("send_to_partner", message="while you were away")
    codex.kill()
    again = named(place, era, "codex")
    until(lambda: not again.call("check_partner_status").failed, "the old connection is gone")
    assert again.good("list_conversations")["agent"] == "codex"
    assert [m["message"] for m in again.good("check_messages")["messages"]] == ["while you were away"]
    again.good("send_to_partner", message="back")
    assert [m["message"] for m in claude.good("check_messages")["messages"]] == ["back"]


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_name_gets_its_conversations_back_after_a_restart_of_shim_and_hub(place: Place, era: str) -> None:
    claude, codex = talking(place, era)
    codex.kill()
    claude.kill()
    place.kill_hub()
    claude, codex = named(place, era, "claude"), named(place, era, "codex")
    claude.good("send_to_partner", message="after the crash")
    assert [m["message"] for m in codex.good("check_messages")["messages"]] == ["after the crash"]


def test_a_connection_without_a_name_keeps_nothing_over_a_restart_of_the_shim(place: Place) -> None:
    _, bob, _ = place.pair()
    bob.kill()
    refused = place.agent().call("check_messages")
    assert refused.code == "not_allowed"


def test_another_name_gets_nothing_of_it(place: Place) -> None:
    talking(place, "modern")
    assert named(place, "modern", "claude2").good("list_conversations")["conversations"] == []


def test_two_live_connections_of_one_name_do_not_read_each_others_mail(place: Place) -> None:
    claude, codex = talking(place, "modern")
    second = named(place, "modern", "codex")
    claude.good("send_to_partner", message="for the first")
    refused = second.call("check_messages")
    assert refused.code == "not_allowed"
    assert [m["message"] for m in codex.good("check_messages")["messages"]] == ["for the first"]


def test_two_connections_of_one_name_that_race_for_its_mail_get_each_message_once(place: Place) -> None:
    claude, codex = talking(place, "modern")
    codex.kill()
    pair = [named(place, "modern", "codex") for _ in range(2)]
    for number in range(5):
        claude.good("send_to_partner", message=f"number {number}")
    asked = [(agent, agent.ask_tool("check_messages")) for agent in pair]
    results = [agent.result(identity) for agent, identity in asked]
    brought = [m["id"] for r in results if not r.failed for m in r.fields["messages"]]
    served = [r for r in results if not r.failed]
    assert len(served) <= 1
    assert brought == sorted(set(brought))


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_standalone_serves_in_its_own_process_beside_a_hub(place: Place, era: str) -> None:
    alone = place.agent("--standalone", era=era)
    made = alone.good("create_conversation", my_role="backend", partner_role="frontend")
    assert not any("serve" in words_of(process) for process in running(place.home))
    served = place.agent(era=era)
    served.good("join_conversation", invite=made["sessions"][1]["invite"])
    waiting = alone.ask_tool("check_messages", wait_seconds=30)
    served.good("send_to_partner", message="from the hub's side")
    assert alone.result(waiting).fields["messages"][0]["message"] == "from the hub's side"
    waiting = served.ask_tool("check_messages", wait_seconds=30)
    alone.good("send_to_partner", message="from the process alone")
    assert served.result(waiting).fields["messages"][0]["message"] == "from the process alone"
    assert alone.leave() == 0
    place.verified()


def test_standalone_keeps_a_name_over_a_restart(place: Place) -> None:
    alone = place.agent("--standalone", "--as", "claude")
    made = alone.good("create_conversation", my_role="backend", partner_role="frontend")
    os.kill(alone.process.pid, signal.SIGKILL)
    alone.process.wait(60)
    again = place.agent("--standalone", "--as", "claude")
    found = again.good("list_conversations")["conversations"]
    assert [c["conversation_id"] for c in found] == [made["conversation_id"]]
