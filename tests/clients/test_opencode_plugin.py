"""The plugin of opencode in a real Node: when it asks `mab hook`, what it says to a session, and when it is silent."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.clients.plugins import PLUGINS
from tests.clients.programs import Installed

pytestmark = [pytest.mark.clients, pytest.mark.timeout(60)]

MAB = """#!/bin/sh
told=$(cat)
echo "$2 $told" >> calls
case $2 in
wake)
  trap 'echo ended >> calls; exit 0' TERM
  while [ ! -e mail ]; do sleep 0.02; done
  rm mail
  echo "two messages wait" >&2
  exit 2 ;;
prompt) if [ -e answer ]; then cat answer; fi ;;
esac
"""
STAGE = """
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { MultiagentBridge } from "../multiagent-bridge.js"
const prompts = []
const parents = { child: "root" }
const client = { session: {
  get: async ({ path: { id } }) => ({ data: { id, parentID: parents[id] } }),
  prompt: async (asked) => { prompts.push(asked) },
} }
const plugin = await MultiagentBridge({ client })
const model = { providerID: "p", modelID: "m" }
const say = async (id, text, agent = "build") => {
  const parts = [{ id: "prt_1", messageID: "msg_1", sessionID: id, type: "text", text }]
  await plugin["chat.message"]({ sessionID: id }, { message: { agent, model }, parts })
  return parts
}
const event = (type, properties) => plugin.event({ event: { type, properties } })
const idle = (sessionID) => event("session.idle", { sessionID })
const calls = () => (existsSync("calls") ? readFileSync("calls", "utf8").trim().split("\\n") : [])
const until = async (seen) => {
  for (let turn = 0; turn < 9000 && !seen(); turn++) await new Promise((resolve) => setTimeout(resolve, 10))
  if (!seen()) throw Error("never seen: " + seen)
}
const armed = (count = 1) => until(() => calls().filter((call) => call.startsWith("wake")).length >= count)
const mail = () => writeFileSync("mail", "")
const out = {}
"""


@pytest.fixture
def played(installed: Installed, tmp_path: Path) -> Any:
    """Play a scene with the plugin on a stage that looks like opencode's terminal interface."""

    def play(scene: str, stage: str = "tui/worker.js", program: str = "mab") -> dict[str, Any]:
        mab = tmp_path / "mab"
        mab.write_text(MAB)
        mab.chmod(0o755)
        text = PLUGINS["opencode"].text([str(tmp_path / program)], "me", "")
        (tmp_path / "multiagent-bridge.js").write_text(text)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        worker = tmp_path / stage
        worker.parent.mkdir()
        ending = "await plugin.dispose?.()\nconsole.log(JSON.stringify({ ...out, prompts, calls: calls() }))\n"
        worker.write_text(STAGE + scene + "\n" + ending)
        done = subprocess.run(
            [installed.place / "bin" / "node", worker], cwd=tmp_path, env=installed.environment(tmp_path),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return play


def test_mail_prompts_the_idle_session_once_with_the_agent_and_the_model_of_its_person(played: Any) -> None:
    shown = played("""
        await say("root", "hello", "plan")
        await idle("root"); await armed(); await idle("root")
        mail(); await until(() => prompts.length)
        await say("root", "two messages wait")
    """)
    (prompt,) = shown["prompts"]
    assert prompt["path"] == {"id": "root"}
    assert (prompt["body"]["agent"], prompt["body"]["model"]) == ("plan", {"providerID": "p", "modelID": "m"})
    assert prompt["body"]["parts"] == [{"type": "text", "text": "two messages wait"}]
    # what it said itself comes by as a message too, and is no person's
    assert [call.split()[0] for call in shown["calls"]] == ["prompt", "wake"]


def test_what_waits_is_added_to_a_prompt_and_changes_no_word_of_it(played: Any) -> None:
    shown = played("""
        writeFileSync("answer", JSON.stringify({ hookSpecificOutput: { additionalContext: "one waits" } }))
        out.parts = await say("root", "hello")
    """)
    first, second = shown["parts"]
    assert first["text"] == "hello"
    assert (second["text"], second["synthetic"], second["messageID"]) == ("one waits", True, "msg_1")
    assert second["id"] > first["id"]


@pytest.mark.parametrize(
    "scene",
    [
        'await say("root", "hello"); await event("session.error", { sessionID: "root", error: { name: "MessageAbortedError" } });'
        ' await idle("root")',
        'await say("child", "a task of the other agent"); await idle("child")',
        'await idle("root")',
        'await say("root", "hello"); await say("second", "hello"); await idle("root")',
    ],
    ids=["interrupted", "an agent's own agent", "nobody ever typed", "its person went on elsewhere"],
)
def test_no_waker_is_armed_where_none_belongs(scene: str, played: Any) -> None:
    shown = played(scene + "; await new Promise((resolve) => setTimeout(resolve, 200))")
    assert [call for call in shown["calls"] if call.startswith("wake")] == []


@pytest.mark.parametrize(
    "scene",
    [
        'await event("session.status", { sessionID: "root", status: { type: "busy" } })',
        'await event("session.deleted", { sessionID: "root" })',
        'await say("root", "more")',
        'await say("second", "hello")',
        "await plugin.dispose()",
    ],
    ids=["at work", "deleted", "a prompt", "a prompt elsewhere", "opencode ends"],
)
def test_the_waker_ends_as_soon_as_its_session_is_not_idle(scene: str, played: Any) -> None:
    shown = played(f"""
        await say("root", "hello"); await idle("root"); await armed()
        {scene}
        await until(() => calls().includes("ended"))
        mail(); await new Promise((resolve) => setTimeout(resolve, 100))
    """)
    assert shown["prompts"] == []


def test_after_an_interrupt_the_next_turn_arms_again(played: Any) -> None:
    shown = played("""
        await say("root", "hello")
        await event("session.error", { sessionID: "root", error: { name: "MessageAbortedError" } }); await idle("root")
        await say("root", "go on"); await idle("root"); await armed()
        mail(); await until(() => prompts.length)
    """)
    assert len(shown["prompts"]) == 1


def test_outside_the_terminal_interface_it_hooks_nothing(played: Any) -> None:
    assert played("out.hooks = Object.keys(plugin)", stage="src/index.js")["hooks"] == []


def test_without_the_program_opencode_goes_on_as_if_it_were_not_there(played: Any) -> None:
    shown = played(
        'out.parts = await say("root", "hello"); await idle("root"); await new Promise((resolve) => setTimeout(resolve, 200))',
        program="gone",
    )
    assert (len(shown["parts"]), shown["prompts"]) == (1, [])
