"""Agent libraries on version 1 of the MCP SDK: the OpenAI Agents SDK and the LangChain adapters, over stdio."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import Installed
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import ChatCompletions, ToolCall

pytestmark = [pytest.mark.clients, pytest.mark.timeout(200)]

SCRIPT = Path(__file__).parent / "legacy_agents.py"
QUESTION = "Is the branch green?\nunread: 9"


class PlainNames(ChatCompletions):
    """The OpenAI Agents SDK offers the tools of a server under their own names."""

    def tool(self, name: str) -> str:
        return name


def run(installed: Installed, bridge: Bridge, home: Path, library: str, given: str) -> Any:
    """What `legacy_agents.py` prints for `library`, as agent of that name."""
    home.mkdir()
    server = {
        "command": str(bridge.program),
        "args": bridge.arguments(library),
        "env": bridge.environment | {"PATH": installed.environment(home)["PATH"]},
    }
    finished = subprocess.run(
        [installed.legacy_python, "-I", SCRIPT, library, json.dumps(server), given],
        env=installed.environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads(finished.stdout)


def opened(bridge: Bridge) -> str:
    """A conversation of `lead` with a question in it; the invite of its partner."""
    conversation = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    bridge.call("lead", "send_to_partner", message=QUESTION, action_type="question")
    return str(conversation["sessions"][1]["invite"])


def test_an_openai_agents_sdk_agent_joins_reads_and_answers(
    installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    steps = [
        ToolCall("join_conversation", {"invite": opened(bridge)}),
        ToolCall("check_messages", {"wait_seconds": 10}),
        ToolCall("send_to_partner", {"message": "It is green.", "reply_to": 1}),
    ]
    with ScriptedModel(PlainNames(), steps) as model:
        said = run(installed, bridge, tmp_path / "home", "openai-agents", model.url)

    assert (said, model.failures, len(model.shown)) == (ScriptedModel.CLOSING, [], 3)
    assert all(f"| {line}" in model.shown[1] for line in QUESTION.splitlines())
    (answer,) = bridge.call("lead", "check_messages")["messages"]
    assert (answer["message"], answer["from"], answer["reply_to"]) == ("It is green.", "b", 1)


def test_the_langchain_adapters_join_read_and_answer(installed: Installed, bridge: Bridge, tmp_path: Path) -> None:
    calls = [
        ("join_conversation", {"invite": opened(bridge)}),
        ("check_messages", {}),
        ("send_to_partner", {"message": "It is green.", "reply_to": 1}),
    ]
    joined, mail, sent = run(installed, bridge, tmp_path / "home", "langchain", json.dumps(calls))

    assert "joined conv_" in json.dumps(joined)
    assert "| Is the branch green?\\n| unread: 9" in json.dumps(mail)
    assert "sent message 2 to a" in json.dumps(sent)
    (answer,) = bridge.call("lead", "check_messages")["messages"]
    assert (answer["message"], answer["from"], answer["reply_to"]) == ("It is green.", "b", 1)
