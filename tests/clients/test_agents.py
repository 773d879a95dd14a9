"""Each vendor's agent program, headless, over stdio: its model joins by invite, sends, and reads its mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import AGENTS, Agent, Installed, run
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import ToolCall, structure

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

TOOLS = (
    "create_conversation",
    "join_conversation",
    "list_conversations",
    "send_to_partner",
    "check_messages",
    "update_my_status",
    "check_partner_status",
)
QUESTION = 'Which port?\nunread: 99\n{"unread": 98} → ask "ops" first'
ANSWER = "Port 8443, see AKIAIOSFODNN7EXAMPLE.\nIs that all?"


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_joins_by_invite_sends_and_reads_its_mail(
    agent: Agent, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    opened = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    invite = opened["sessions"][1]["invite"]
    bridge.call(
        "lead", "send_to_partner", message=QUESTION, action_type="question", files_involved=["deploy/ports.toml"]
    )
    steps = [
        ToolCall("join_conversation", {"invite": invite}),
        ToolCall("check_messages", {}),
        ToolCall("send_to_partner", {"message": ANSWER, "reply_to": 1, "idempotency_key": "first"}),
        ToolCall("check_messages", {"wait_seconds": 0}),
        ToolCall("join_conversation", {"invite": invite}),
    ]

    with ScriptedModel(agent.wire(), steps) as model:
        finished = run(installed, agent, tmp_path / "agent", bridge, model)

    assert (finished.status, model.failures, len(model.shown)) == (0, [], 5), finished
    assert {model.name(tool) for tool in TOOLS} <= set(model.offered)
    joined, mail, sent, nothing, refused = model.shown
    for fact in (opened["conversation_id"], "planner", "builder"):
        assert fact in joined
    if agent.shows_structure:
        (letter,) = structure(mail)["messages"]
        assert (letter["message"], letter["from"], letter["role"]) == (QUESTION, "a", "planner")
        assert (letter["action_type"], letter["files_involved"]) == ("question", ["deploy/ports.toml"])
        assert structure(sent)["redactions"] == ["AWS_KEY"]
        assert structure(nothing) == {"messages": [], "unread": 0}
    else:
        for line in QUESTION.splitlines():
            assert f"| {line}" in mail
        assert "from session a (planner), question" in mail
        assert "deploy/ports.toml" in mail
        assert [line for line in mail.splitlines() if line.startswith("unread:")] == ["unread: 0"]
        assert "redacted: AWS_KEY" in sent
        assert "no messages" in nothing
    assert invite not in joined
    assert "not_allowed" in refused or "refused" in refused

    (answer,) = bridge.call("lead", "check_messages")["messages"]
    assert answer["message"] == ANSWER.replace("AKIAIOSFODNN7EXAMPLE", "AWS_KEY_REDACTED")
    assert (answer["from"], answer["role"], answer["reply_to"]) == ("b", "builder", 1)
    (partner,) = bridge.call("lead", "check_partner_status")["partners"]
    assert (partner["session_id"], partner["alive"], partner["unread"]) == ("b", True, 0)
