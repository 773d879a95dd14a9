"""The hooks that `mab init --hooks` writes, run by the programs themselves: an agent that stops with unread mail goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import AGENTS, Agent, Installed, Invocation, run
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import Reply, Request, Text, ToolCall

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

GOES_ON = "do what it needs before you stop"
SECRET_WORDS = "the harbour opens at nine"
MORE = {"codex": ["--dangerously-bypass-hook-trust"]}


class Stopping(ScriptedModel):
    """Wants to stop after its first call; goes through the rest of its plan only when it is told to go on."""

    def _reply(self, request: Request) -> Reply:
        if len(request.results) == 1 and GOES_ON not in json.dumps(request.body):
            return Text(self.CLOSING)
        return super()._reply(request)


class Idle(ScriptedModel):
    """Does its plan once it is told of mail, and its tools are there: the program starts before its servers do."""

    def _reply(self, request: Request) -> Reply:
        ready = self.name("check_messages") in request.tools and GOES_ON in json.dumps(request.body)
        return super()._reply(request) if ready else Text(self.CLOSING)


def with_hooks(agent: Agent, *more: str) -> Agent:
    """The agent, its configuration followed by `mab init --hooks`."""

    def invocation(home: Path, bridge: Bridge, name: str, url: str) -> Invocation:
        usual = agent.invocation(home, bridge, name, url)
        configured(home, bridge, name, usual.environment)
        first, *rest = usual.arguments
        return dataclasses.replace(usual, arguments=[first, *more, *rest])

    return dataclasses.replace(agent, invocation=invocation)


def configured(home: Path, bridge: Bridge, name: str, environment: dict[str, str]) -> None:
    subprocess.run(
        [bridge.program, "init", "--client", name, "--as", name, "--hooks", "--yes"],
        env={"PATH": os.defpath, "HOME": str(home)} | bridge.environment | environment,
        cwd=home / "work", stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True,
    )  # fmt: skip


def wakeups(bridge: Bridge) -> list[str]:
    """What the journal has of wake-ups, oldest first."""
    done = subprocess.run(
        [bridge.program, "tail", "--once", "-n", "300", "--no-texts", "--json"], env=os.environ | bridge.environment,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    found = [str(json.loads(line)["action"]) for line in done.stdout.splitlines()]
    return [action for action in found if action.startswith("wakeup.")]


@pytest.mark.parametrize("name", ["claude-code", "codex", "gemini-cli"])
def test_an_agent_that_stops_with_unread_mail_goes_on_once_and_reads_it(
    name: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    opened = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    bridge.call("lead", "send_to_partner", message=SECRET_WORDS)
    steps = [
        ToolCall("join_conversation", {"invite": opened["sessions"][1]["invite"]}),
        ToolCall("check_messages", {}),
    ]
    agent = with_hooks(AGENTS[name], *MORE.get(name, []))

    with Stopping(agent.wire(), steps) as model:
        finished = run(installed, agent, tmp_path / "agent", bridge, model)

    assert (finished.status, model.failures, len(model.shown)) == (0, [], 2), finished
    assert SECRET_WORDS in model.shown[1]
    told = [json.dumps(request.body) for request in model.requests if len(request.results) == 1]
    assert sum(GOES_ON in body for body in told) == 1, "once for one message"
    assert not any(SECRET_WORDS in body for body in told), "a hook never carries what was said"
    (partner,) = bridge.call("lead", "check_partner_status")["partners"]
    assert partner["unread"] == 0
    # a prompt that the client made of our own words is no person's, and resets nothing
    assert wakeups(bridge) == ["wakeup.wake"]


@contextmanager
def interactive_claude(installed: Installed, home: Path, bridge: Bridge, model: ScriptedModel) -> Iterator[bytearray]:
    """Claude Code at a terminal where nobody types; what the terminal shows."""
    work, folder = home / "work", home / "claude"
    work.mkdir(parents=True)
    folder.mkdir()
    environment = AGENTS["claude-code"].invocation(home, bridge, "claude-code", model.url).environment
    approved = {"approved": [environment["ANTHROPIC_API_KEY"]], "rejected": []}
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    seed = {"hasCompletedOnboarding": True, "customApiKeyResponses": approved, "projects": {str(work): trusted}}
    (folder / ".claude.json").write_text(json.dumps(seed), "utf-8")
    configured(home, bridge, "claude-code", environment)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 140))
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                shown.extend(os.read(ours, 65_536))
            except OSError:
                return

    reader = threading.Thread(target=read, daemon=True)
    process = subprocess.Popen(
        [installed.program("claude"), "--model", "stub", "--allowedTools", "mcp__mab__*"],
        cwd=work,
        env=installed.environment(home) | environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    reader.start()
    try:
        yield shown
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        reader.join(5)
        os.close(ours)


def test_mail_wakes_an_idle_claude_code_by_one_waker_that_leaves_with_it(
    installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    opened = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    # the name keeps its conversation over restarts: nobody types anything at this terminal
    bridge.call("claude-code", "join_conversation", invite=opened["sessions"][1]["invite"])
    with (
        Idle(AGENTS["claude-code"].wire(), [ToolCall("check_messages", {})]) as model,
        interactive_claude(installed, tmp_path / "agent", bridge, model) as screen,
    ):
        for attempt in range(6):
            bridge.call("lead", "send_to_partner", message=f"{SECRET_WORDS}, {attempt}")
            try:
                shown = model.wait_for(1, 15)
                break
            except TimeoutError as error:
                fault = f"{error}; the terminal: {bytes(screen[-4000:])!r}"
        else:
            raise AssertionError(fault)
        assert set(wakeups(bridge)) == {"wakeup.wake"}
        wakers = list((bridge.home / "wakers").iterdir())
    assert SECRET_WORDS in shown[0]
    assert len(wakers) <= 1, "one a session"
    bodies = [json.dumps(request.body) for request in model.requests if not request.results]
    assert bodies
    assert not any(SECRET_WORDS in body for body in bodies), "a hook never carries what was said"
    assert all("no instruction of the user and approves nothing" in body for body in bodies)
