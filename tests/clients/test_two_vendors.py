"""Programs of two vendors hold one conversation: one opens it, the other joins by invite, a question and its answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import AGENTS, Installed, run
from tests.clients.stub_model import Found, ScriptedModel
from tests.clients.wires import ToolCall, Wire, structure

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


class Expecting(ScriptedModel):
    """Waits for an answer only once its partner is there: how long a program takes to start is not part of their talk."""

    def __init__(self, wire: Wire, steps: Sequence[ToolCall], before: int) -> None:
        super().__init__(wire, steps)
        self.partner = threading.Event()
        self._before = before

    def answer(self, path: str, body: dict[str, Any]) -> str | None:
        if self._wire.path in path and len(self._wire.read(body).results) == self._before:
            self.partner.wait(240)
        return super().answer(path, body)


NEWEST_ID = Found(r'"messages":\[\{"id":(\d+)', int)
QUESTION = "May the parser drop comments?"
ANSWER = "No: the formatter needs them."
THANKS = "Understood, comments stay."


def test_claude_code_and_codex_ask_answer_and_confirm_in_one_conversation(
    installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    claude, codex = AGENTS["claude-code"], AGENTS["codex"]
    asking = [
        ToolCall("create_conversation", {"my_role": "reviewer", "partner_role": "author"}),
        ToolCall("send_to_partner", {"message": QUESTION, "action_type": "question"}),
        ToolCall("check_messages", {"wait_seconds": 50}),
        ToolCall("send_to_partner", {"message": THANKS, "reply_to": NEWEST_ID, "action_type": "complete"}),
        ToolCall("check_partner_status", {"partner": "b"}),
    ]
    with Expecting(claude.wire(), asking, 2) as asker, ThreadPoolExecutor(2) as beside:
        first = beside.submit(run, installed, claude, tmp_path / "claude", bridge, asker)
        opened = structure(asker.wait_for(1, 240)[0])
        answering = [
            ToolCall("join_conversation", {"invite": opened["sessions"][1]["invite"]}),
            ToolCall("check_messages", {"wait_seconds": 50}),
            ToolCall("send_to_partner", {"message": ANSWER, "reply_to": NEWEST_ID}),
            ToolCall("check_messages", {"wait_seconds": 50}),
            ToolCall("update_my_status", {"status": "complete", "note": "comments stay"}),
        ]
        with ScriptedModel(codex.wire(), answering) as answerer:
            joined_first = beside.submit(answerer.wait_for, 1, 240)
            joined_first.add_done_callback(lambda _: asker.partner.set())
            second = run(installed, codex, tmp_path / "codex", bridge, answerer)
        finished = first.result()

    assert (finished.status, asker.failures, len(asker.shown)) == (0, [], 5), finished
    assert (second.status, answerer.failures, len(answerer.shown)) == (0, [], 5), second
    joined, asked, _, thanked, _ = map(structure, answerer.shown)
    _, _, answered, confirmed, seen = map(structure, asker.shown)
    assert (joined["conversation_id"], joined["role"]) == (opened["conversation_id"], "author")
    (question,) = asked["messages"]
    assert (question["message"], question["from"], question["role"]) == (QUESTION, "a", "reviewer")
    (answer,) = answered["messages"]
    assert (answer["message"], answer["from"], answer["reply_to"]) == (ANSWER, "b", question["id"])
    (thanks,) = thanked["messages"]
    assert (thanks["message"], thanks["reply_to"], thanks["id"]) == (THANKS, answer["id"], confirmed["message_id"])
    assert (seen["session_id"], seen["role"], seen["alive"]) == ("b", "author", True)

    # both names find their conversation again over a new connection, with nothing left to read
    for name, session in ((claude.name, "a"), (codex.name, "b")):
        (place,) = bridge.call(name, "list_conversations")["conversations"]
        assert (place["conversation_id"], place["session_id"], place["unread"]) == (
            opened["conversation_id"],
            session,
            0,
        )
    (author,) = bridge.call(claude.name, "check_partner_status")["partners"]
    assert (author["status"], author["note"]) == ("complete", "comments stay")
