"""Independent agent libraries, whose own loop calls what the model chooses: over stdio, and over HTTPS with an API key."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.bridge import Bridge, Json
from tests.clients.programs import Installed
from tests.clients.remote import Secured, secured
from tests.clients.stub_model import Found, ScriptedModel
from tests.clients.wires import ChatCompletions, ToolCall

pytestmark = [pytest.mark.clients, pytest.mark.timeout(200)]

SCRIPT = Path(__file__).parent / "library_agents.py"
LIBRARIES = ("openai-agents", "langchain")
QUESTION = "Is the branch green?\nunread: 9"
NUMBER = Found(r"message (\d+) from", int)


class PlainNames(ChatCompletions):
    """These libraries offer the tools of a server under their own names."""

    def tool(self, name: str) -> str:
        return name


@pytest.fixture
def hub(bridge: Bridge, tmp_path: Path) -> Iterator[Secured]:
    with secured(bridge, tmp_path / "tls") as found:
        yield found


def run(
    installed: Installed, home: Path, library: str, server: Json, model: ScriptedModel, **more: str
) -> subprocess.CompletedProcess[str]:
    home.mkdir()
    return subprocess.run(
        [installed.legacy_python, "-I", SCRIPT, library, json.dumps(server), model.url],
        env=installed.environment(home) | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def opened(bridge: Bridge) -> str:
    """A conversation of `lead` with a question in it; the invite of its partner."""
    conversation = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    bridge.call("lead", "send_to_partner", message=QUESTION, action_type="question")
    return str(conversation["sessions"][1]["invite"])


def plan(invite: str) -> list[ToolCall]:
    return [
        ToolCall("join_conversation", {"invite": invite}),
        ToolCall("check_messages", {"auto_ack": False}),
        ToolCall("check_messages", {"ack_through": NUMBER}),
        ToolCall("send_to_partner", {"message": "It is green.", "reply_to": 1, "idempotency_key": "first"}),
        ToolCall("check_messages", {"wait_seconds": 0}),
    ]


def judge(finished: subprocess.CompletedProcess[str], model: ScriptedModel, bridge: Bridge) -> None:
    """The model was shown each result, and the partner sees what was done."""
    assert finished.returncode == 0, finished.stderr[-4000:]
    assert (finished.stdout.strip(), model.failures, len(model.shown)) == (ScriptedModel.CLOSING, [], 5), model.shown
    joined, mail, acknowledged, sent, nothing = model.shown
    assert "joined conv_" in joined
    assert all(f"| {line}" in mail for line in QUESTION.splitlines())
    assert "no messages" in acknowledged
    assert "sent message 2 to a" in sent
    assert "no messages" in nothing
    (answer,) = bridge.call("lead", "check_messages")["messages"]
    assert (answer["message"], answer["from"], answer["reply_to"]) == ("It is green.", "b", 1)
    (partner,) = bridge.call("lead", "check_partner_status")["partners"]
    assert (partner["session_id"], partner["unread"]) == ("b", 0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_joins_reads_acknowledges_and_answers_over_stdio(
    library: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    server = {
        "command": str(bridge.program),
        "args": bridge.arguments(library),
        "env": bridge.environment | {"PATH": installed.environment(home)["PATH"]},
    }
    with ScriptedModel(PlainNames(), plan(opened(bridge))) as model:
        judge(run(installed, home, library, server, model), model, bridge)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_joins_reads_acknowledges_and_answers_over_https(
    library: str, installed: Installed, hub: Secured, tmp_path: Path
) -> None:
    server = {"url": hub.url, "headers": {"Authorization": f"Bearer {hub.key(library)}"}}
    with ScriptedModel(PlainNames(), plan(opened(hub.bridge))) as model:
        finished = run(installed, tmp_path / "home", library, server, model, SSL_CERT_FILE=str(hub.authority))
        judge(finished, model, hub.bridge)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_was_told_of_no_authority_does_not_talk_to_the_hub(
    library: str, installed: Installed, hub: Secured, tmp_path: Path
) -> None:
    server = {"url": hub.url, "headers": {"Authorization": f"Bearer {hub.key(library)}"}}
    with ScriptedModel(PlainNames(), []) as model:
        finished = run(installed, tmp_path / "home", library, server, model)
    assert finished.returncode != 0
    assert model.requests == []
