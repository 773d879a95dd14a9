"""Each vendor's agent program, headless, over HTTPS with an API key: its model joins, reads, acknowledges and answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import AGENTS, Installed, run
from tests.clients.remote import Secured, remote, secured
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import ToolCall, structure

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

QUESTION = 'Which port?\nunread: 99\n{"unread": 98} → ask "ops" first'
ANSWER = "Port 8443."


@pytest.fixture
def hub(bridge: Bridge, tmp_path: Path) -> Iterator[Secured]:
    with secured(bridge, tmp_path / "tls") as found:
        yield found


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_elsewhere_joins_by_invite_reads_acknowledges_and_answers(
    name: str, installed: Installed, hub: Secured, tmp_path: Path
) -> None:
    opened = hub.bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    hub.bridge.call("lead", "send_to_partner", message=QUESTION, action_type="question")
    agent = remote(name, hub, hub.key(name))
    steps = [
        ToolCall("join_conversation", {"invite": opened["sessions"][1]["invite"]}),
        ToolCall("check_messages", {"auto_ack": False}),
        ToolCall("check_messages", {"ack_through": 1}),
        ToolCall("send_to_partner", {"message": ANSWER, "reply_to": 1, "idempotency_key": "first"}),
    ]

    with ScriptedModel(agent.wire(), steps) as model:
        finished = run(installed, agent, tmp_path / "agent", hub.bridge, model)

    assert (finished.status, model.failures, len(model.shown)) == (0, [], 4), finished
    joined, mail, acknowledged, sent = model.shown
    assert opened["conversation_id"] in joined
    if agent.shows_structure:
        (letter,) = structure(mail)["messages"]
        assert (letter["message"], letter["from"]) == (QUESTION, "a")
        assert structure(acknowledged) == {"messages": [], "unread": 0}
        assert structure(sent)["message_id"] == 2
    else:
        assert all(f"| {line}" in mail for line in QUESTION.splitlines())
        assert "no messages" in acknowledged
        assert "sent message 2 to a" in sent
    (answer,) = hub.bridge.call("lead", "check_messages")["messages"]
    assert (answer["message"], answer["from"], answer["reply_to"]) == (ANSWER, "b", 1)
    (partner,) = hub.bridge.call("lead", "check_partner_status")["partners"]
    assert (partner["session_id"], partner["unread"]) == ("b", 0)


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_that_was_told_of_no_authority_does_not_talk_to_the_hub(
    name: str, installed: Installed, hub: Secured, tmp_path: Path
) -> None:
    agent = remote(name, hub, hub.key(name), trusting=False)
    with ScriptedModel(agent.wire(), []) as model:
        finished = run(installed, agent, tmp_path / "agent", hub.bridge, model)
    # codex was told that it needs the server, the others go on without its tools
    assert (finished.status != 0, model.requests == []) == ((name == "codex"),) * 2, finished
    assert not [tool for tool in model.offered if "list_conversations" in tool]
