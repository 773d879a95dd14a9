"""The hooks that `mab init --hooks` writes, run by the programs themselves: unread mail sets an agent going."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        environment = usual.environment | TERMINAL_ENVIRONMENT
        return dataclasses.replace(usual, arguments=[first, *more, *rest], environment=environment)

    return dataclasses.replace(agent, invocation=invocation)


def configured(home: Path, bridge: Bridge, name: str, environment: dict[str, str]) -> None:
    subprocess.run(
        [bridge.program, "init", "--client", name, "--as", name, "--hooks", "--yes"],
        env={"PATH": os.defpath, "HOME": str(home)} | bridge.environment | environment,
        cwd=home / "work", stdin=subprocess.DEVNULL, capture_output=True, timeout=150, check=True,
    )  # fmt: skip


def wakeups(bridge: Bridge) -> list[str]:
    """What the journal has of wake-ups, oldest first."""
    done = subprocess.run(
        [bridge.program, "tail", "--once", "-n", "300", "--no-texts", "--json"], env=os.environ | bridge.environment,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=150, check=True,
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
def at_a_terminal(
    installed: Installed, agent: Agent, home: Path, bridge: Bridge, model: ScriptedModel
) -> Iterator[bytearray]:
    """The program at a terminal, its configuration followed by `mab init --hooks`; what the terminal shows."""
    work = home / "work"
    work.mkdir(parents=True)
    environment = agent.invocation(home, bridge, agent.name, model.url).environment | TERMINAL_ENVIRONMENT
    if agent.name in PREPARED:
        PREPARED[agent.name](home, environment)
    configured(home, bridge, agent.name, environment)
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
        [installed.program(agent.program), *AT_A_TERMINAL[agent.name]],
        cwd=work,
        env=installed.environment(home) | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    reader.start()
    try:
        yield shown
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
        reader.join(30)
        os.close(ours)


def claude_seeded(home: Path, environment: dict[str, str]) -> None:
    """Nobody is there to agree to a key and to a folder."""
    approved = {"approved": [environment["ANTHROPIC_API_KEY"]], "rejected": []}
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    projects = {str(home / "work"): trusted}
    seed = {"hasCompletedOnboarding": True, "customApiKeyResponses": approved, "projects": projects}
    folder = home / "claude"
    folder.mkdir()
    (folder / ".claude.json").write_text(json.dumps(seed), "utf-8")


def codex_trusted(home: Path, environment: dict[str, str]) -> None:
    with (home / "codex" / "config.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[projects."{home / "work"}"]\ntrust_level = "trusted"\n')


TERMINAL_ENVIRONMENT = {
    "TERM": "xterm-256color",
    # what opencode wants from the network before it loads a plugin, and asks for again and again
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "npm_config_fetch_retries": "0",
}
PREPARED = {"claude-code": claude_seeded, "codex": codex_trusted}
PERSONS = "Good morning."
AT_A_TERMINAL = {
    "claude-code": ["--model", "stub", "--allowedTools", "mcp__mab__*"],
    "codex": ["--dangerously-bypass-hook-trust", PERSONS],
    "opencode": ["--prompt", PERSONS],
}
"""Claude Code is woken where nobody ever typed; the others have a session to wake once a person did."""


def until(what: str, seconds: float, seen: Callable[[], bool], screen: bytearray) -> None:
    """Wait until `seen`. Raises AssertionError with what the terminal shows."""
    ends = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < ends, f"no {what} after {seconds} s; the terminal: {bytes(screen[-4000:])!r}"
        time.sleep(0.05)


def connected(home: Path) -> bool:
    """Whether Claude Code wrote down that the bridge's server answered and its tools were listed."""
    logs = home.glob(".cache/claude-cli-nodejs/*/mcp-logs-mab/*.jsonl")
    return any("Channel notifications skipped" in log.read_text("utf-8") for log in logs)


def wakers(bridge: Bridge) -> list[Path]:
    """The locks that a living process holds."""
    found = []
    for path in (bridge.home / "wakers").glob("*"):
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(path)
    return found


@pytest.mark.parametrize("name", AT_A_TERMINAL)
def test_mail_wakes_an_idle_agent_by_one_waker_that_leaves_with_its_client(
    name: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    opened = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    # the name keeps its conversation over restarts
    bridge.call(name, "join_conversation", invite=opened["sessions"][1]["invite"])
    agent = AGENTS[name]
    with (
        Idle(agent.wire(), [ToolCall("check_messages", {})]) as model,
        at_a_terminal(installed, agent, tmp_path / "agent", bridge, model) as screen,
    ):
        until("waker", 200, lambda: bool(wakers(bridge)), screen)
        if name == "claude-code":
            # woken before its servers are there, it never sees their tools
            until("server", 150, lambda: connected(tmp_path / "agent"), screen)
        before = len(model.requests)
        bridge.call("lead", "send_to_partner", message=SECRET_WORDS)
        until("turn", 150, lambda: bool(model.shown), screen)
        shown = model.shown
        assert wakeups(bridge) == ["wakeup.wake"]
        assert len(wakers(bridge)) <= 1, "one a session"
    assert SECRET_WORDS in shown[0]
    bodies = [json.dumps(request.body) for request in model.requests[before:] if not request.results]
    assert not any(SECRET_WORDS in body for body in bodies), "a hook never carries what was said"
    assert all("no instruction of the user and approves nothing" in body for body in bodies)
    assert (before, len(bodies)) == (0 if name == "claude-code" else 1, 1), "a person's turn, and one for one message"
    until("end of the waker", 60, lambda: not wakers(bridge), screen)


@pytest.mark.parametrize("name", ["codex", "opencode"])
def test_a_headless_run_leaves_no_waker_and_wastes_no_turn(
    name: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    opened = bridge.call("lead", "create_conversation", my_role="planner", partner_role="builder")
    bridge.call(name, "join_conversation", invite=opened["sessions"][1]["invite"])
    if name == "opencode":
        # the others go on for mail that is there when they want to stop
        bridge.call("lead", "send_to_partner", message=SECRET_WORDS)
    agent = with_hooks(AGENTS[name], *MORE.get(name, []))
    with ScriptedModel(agent.wire(), []) as model:
        finished = run(installed, agent, tmp_path / "agent", bridge, model)
    assert (finished.status, len(model.requests)) == (0, 1), finished
    assert (wakers(bridge), wakeups(bridge)) == ([], [])
