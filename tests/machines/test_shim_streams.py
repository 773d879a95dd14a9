"""What happens to mail when a client leaves, dies, cancels, or does not read."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.machines.agents import MAB, MODERN, PATIENT, Agent, environment
from tests.machines.places import Place, until

pytestmark = pytest.mark.machines


def unread(place: Place, conversation: str, session: str) -> int:
    """A session's unread count as the owner sees it."""
    (row,) = [c for c in json.loads(place.mab("list", "--json").stdout) if c["conversation_id"] == conversation]
    return next(int(s["unread"]) for s in row["sessions"] if s["session_id"] == session)


def connected(place: Place) -> int:
    """How many connections the hub has: its descriptors that are sockets bound to nobody's name."""
    held = 0
    for descriptor in os.listdir(f"/proc/{place.hub}/fd"):
        try:
            held += os.readlink(f"/proc/{place.hub}/fd/{descriptor}").startswith("socket:")
        except OSError:
            continue
    return held


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_client_that_closes_its_end_lets_the_shim_leave_with_0_and_the_hub_see_it(place: Place, era: str) -> None:
    stays = place.agent(era=era)
    stays.good("list_conversations")
    before = connected(place)
    leaves = place.agent(era=era, command=PATIENT)
    leaves.good("list_conversations")
    assert connected(place) == before + 1
    # it would have waited for ten minutes for a hub that does not see it
    assert leaves.leave() == 0
    assert leaves.complaints() == ""
    until(lambda: connected(place) == before, "the hub let the connection go")


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_client_killed_in_mid_wait_leaves_its_mail_unread(place: Place, era: str) -> None:
    alice, bob, conversation = place.pair(era)
    before = connected(place)
    bob.ask_tool("check_messages", wait_seconds=50)
    # a later answer on the same connection: the wait stands at the hub
    bob.good("list_conversations")
    bob.kill()
    until(lambda: connected(place) == before - 1, "the hub saw it go")
    alice.good("send_to_partner", message="still there")
    assert unread(place, conversation, "b") == 1


def test_a_client_that_closes_its_end_in_mid_wait_leaves_its_mail_unread(place: Place) -> None:
    alice, bob, conversation = place.pair()
    bob.ask_tool("check_messages", wait_seconds=50)
    bob.good("list_conversations")
    assert bob.leave() == 0
    alice.good("send_to_partner", message="still there")
    assert unread(place, conversation, "b") == 1


def test_an_answer_that_the_client_no_longer_reads_leaves_its_mail_unread(fast: Place) -> None:
    place = fast
    alice = place.agent()
    made = alice.good("create_conversation", my_role="backend", partner_role="frontend")
    conversation = made["conversation_id"]
    reader, writer = os.pipe()
    deaf = subprocess.Popen(
        [MAB, "mcp"],
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.DEVNULL,
        env=environment(place.home, **place.env),
    )
    os.close(writer)
    assert deaf.stdin is not None
    credentials = {"conversation_id": conversation, "session_id": "b", "token": made["session_b_token"]}
    params = {"name": "check_messages", "arguments": credentials | {"wait_seconds": 50}, "_meta": MODERN}
    ask = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    deaf.stdin.write(json.dumps(ask).encode() + b"\n")
    deaf.stdin.flush()
    until(lambda: alice.good("check_partner_status")["alive"], "it waits")
    os.close(reader)
    alice.good("send_to_partner", message="nobody read this")
    # its end is still open for writing, so that only the failed write tells the shim
    assert deaf.wait(60) == 0
    deaf.stdin.close()
    until(lambda: unread(place, conversation, "b") == 1, "the mail is unread again")
    brought = place.agent().good("check_messages", **credentials)
    assert [m["message"] for m in brought["messages"]] == ["nobody read this"]
    place.verified()


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_cancelled_wait_leaves_later_mail_unread(place: Place, era: str) -> None:
    alice, bob, conversation = place.pair(era)
    identity = bob.ask_tool("check_messages", wait_seconds=50)
    bob.cancel(identity)
    # a later answer on the same connection shows that the cancellation was read
    bob.good("list_conversations")
    alice.good("send_to_partner", message="kept")
    assert unread(place, conversation, "b") == 1
    assert [m["message"] for m in bob.good("check_messages")["messages"]] == ["kept"]
    assert [m for m in bob.said if m.get("id") == identity] == []


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_mail_whose_cancellation_crosses_its_answer_was_answered_or_is_unread_again(fast: Place, era: str) -> None:
    alice, bob, conversation = fast.pair(era)
    for number in range(25):
        sent = alice.good("send_to_partner", message=f"number {number}")["message_id"]
        identity = bob.ask_tool("check_messages")
        bob.cancel(identity)
        bob.good("list_conversations")
        answered = any(message.get("id") == identity for message in bob.said)
        until(lambda done=answered: done or unread_here(bob) == 1, f"message {sent} is unread again")
        bob.good("check_messages", ack_through=sent, auto_ack=False)
    assert unread(fast, conversation, "b") == 0
    fast.verified()


def unread_here(agent: Agent) -> int:
    return int(agent.good("list_conversations")["conversations"][0]["unread"])


def test_a_client_that_cancels_every_call_it_is_done_with_gets_its_mail_once(place: Place) -> None:
    alice, bob, _ = place.pair()
    alice.good("send_to_partner", message="read")
    identity = bob.ask_tool("check_messages")
    assert len(bob.result(identity).fields["messages"]) == 1
    bob.cancel(identity)
    assert bob.good("check_messages")["messages"] == []
    assert len(bob.good("check_messages", history=True)["messages"]) == 1


def test_requests_piped_in_at_once_are_answered_before_the_shim_leaves(place: Place) -> None:
    place.agent().good("list_conversations")
    asked = b"".join(
        json.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/list", "params": {"_meta": MODERN}}).encode() + b"\n"
        for n in range(3)
    )
    done = subprocess.run([MAB, "mcp"], input=asked, capture_output=True, env=environment(place.home), timeout=120)
    assert done.returncode == 0
    assert sorted(json.loads(line)["id"] for line in done.stdout.splitlines()) == [0, 1, 2]


def test_a_client_that_sends_its_handshake_in_one_piece_is_served(place: Place) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": "one", "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": "two", "method": "tools/call", "params": {"name": "list_conversations"}},
    ]
    asked = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    done = subprocess.run([MAB, "mcp"], input=asked, capture_output=True, env=environment(place.home), timeout=120)
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers["one"]["result"]["protocolVersion"] == "2025-06-18"
    assert answers["two"]["result"]["structuredContent"]["conversations"] == []


def test_the_shim_refuses_words_it_does_not_know(place: Place) -> None:
    done = place.mab("mcp", "--loud", status=2)
    assert done.stderr.splitlines()[0] == "mab: error: mab mcp does not know '--loud'"


def test_a_hub_that_a_shim_started_gets_none_of_its_clients_secrets(place: Place) -> None:
    place.agent(env={"GITHUB_TOKEN": "ghp_secret", "CLAUDE_CODE_MESSAGING_TOKEN": "secret"}).good("list_conversations")
    with open(f"/proc/{place.hub}/environ", "rb") as file:
        given = file.read()
    assert b"MAB_HOME=" in given
    assert b"secret" not in given
