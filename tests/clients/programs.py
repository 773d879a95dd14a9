"""The agent programs: where they are installed, how each is configured for the bridge, and one headless run of one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.clients.bridge import Bridge, end, left_behind
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import AnthropicMessages, ChatCompletions, GeminiGenerate, OpenAIResponses, Wire

RUN_SECONDS = 300
"""Longest a program may take for its whole turn; they need 1 to 15 s on a quiet machine."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses: whatever a program wants from the network fails at once."""


class Missing(AssertionError):
    """A program is not installed. The tests fail with this sentence; they never skip."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What tests/clients/install.sh installed into one folder."""

    place: Path

    def program(self, name: str) -> Path:
        """The npm program `name`. Raises Missing."""
        return self._there(self.place / "node_modules" / ".bin" / name, name)

    @property
    def legacy_python(self) -> Path:
        """The interpreter of the agent libraries that use version 1 of the MCP SDK. Raises Missing."""
        return self._there(self.place / "legacy" / "bin" / "python", "the environment of the Python agent libraries")

    def environment(self, home: Path) -> dict[str, str]:
        """A throwaway home, the Node that was installed, no network, and nothing of the caller's settings."""
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return {
            "PATH": os.pathsep.join([str(self.place / "bin"), os.defpath]),
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **proxies,
            **direct,
        }

    def _there(self, path: Path, name: str) -> Path:
        if not (self.place / "stamp").exists() or not path.exists():
            raise Missing(f"{name} is not installed in {self.place}; run tests/clients/install.sh")
        return path


@dataclass(frozen=True, slots=True)
class Invocation:
    """What to start, and what its environment has beside `Installed.environment`."""

    arguments: list[str]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Agent:
    """One vendor's program. `invocation` writes its configuration below the home and says how to start it."""

    name: str
    program: str
    wire: Callable[[], Wire]
    invocation: Callable[[Path, Bridge, str, str], Invocation]
    shows_structure: bool
    """Whether its model sees the structured result in place of the text."""


@dataclass(frozen=True, slots=True, repr=False)
class Finished:
    status: int
    out: str
    err: str
    seconds: float
    model: ScriptedModel

    def __repr__(self) -> str:
        return (
            f"exit status {self.status} after {self.seconds:.1f} s\n-- shown\n{self.model.shown}\n"
            f"-- script\n{self.model.failures}\n-- out\n{self.out[-4000:]}\n-- err\n{self.err[-4000:]}"
        )


def claude(home: Path, bridge: Bridge, name: str, url: str) -> Invocation:
    server = {
        "command": str(bridge.program),
        "args": bridge.arguments(name),
        "env": bridge.environment,
        "alwaysLoad": True,
    }
    written = _write(home / "mcp.json", json.dumps({"mcpServers": {"mab": server}}))
    options = ["--mcp-config", str(written), "--strict-mcp-config", "--allowedTools", "mcp__mab__*"]
    return Invocation(
        ["-p", PROMPT, *options, "--model", "stub"],
        {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "sk-ant-dummy",
            "CLAUDE_CONFIG_DIR": str(home / "claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    )


def codex(home: Path, bridge: Bridge, name: str, url: str) -> Invocation:
    environment = "\n".join(f"{key} = {json.dumps(value)}" for key, value in bridge.environment.items())
    _write(
        home / "codex" / "config.toml",
        f"""\
model = "stub"
model_provider = "stub"
approval_policy = "never"

[model_providers.stub]
name = "stub"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "STUB_KEY"

[features]
enable_request_compression = false

[mcp_servers.mab]
command = {json.dumps(str(bridge.program))}
args = {json.dumps(bridge.arguments(name))}
required = true
startup_timeout_sec = 60
tool_timeout_sec = 120

[mcp_servers.mab.env]
{environment}
""",
    )
    return Invocation(
        ["exec", "--skip-git-repo-check", "--json", PROMPT], {"CODEX_HOME": str(home / "codex"), "STUB_KEY": "x"}
    )


def gemini(home: Path, bridge: Bridge, name: str, url: str) -> Invocation:
    server = {"command": str(bridge.program), "args": bridge.arguments(name), "env": bridge.environment}
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        "mcpServers": {"mab": server | {"timeout": 120_000}},
    }
    _write(home / ".gemini" / "settings.json", json.dumps(settings))
    _write(home / ".gemini" / "trustedFolders.json", json.dumps({str(home / "work"): "TRUST_FOLDER"}))
    return Invocation(
        ["-m", "gemini-2.5-pro", "-p", PROMPT, "--approval-mode", "yolo"],
        {"GEMINI_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": url},
    )


def opencode(home: Path, bridge: Bridge, name: str, url: str) -> Invocation:
    command = [str(bridge.program), *bridge.arguments(name)]
    server = {
        "type": "local",
        "command": command,
        "environment": bridge.environment,
        "enabled": True,
        "timeout": 60_000,
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "stub",
        "options": {"baseURL": f"{url}/v1", "apiKey": "x"},
        "models": {"m": {"name": "m"}},
    }
    settings = {"mcp": {"mab": server}, "provider": {"stub": provider}, "model": "stub/m", "autoupdate": False}
    _write(home / "work" / "opencode.json", json.dumps(settings))
    return Invocation(["run", PROMPT], {"OPENCODE_DISABLE_AUTOUPDATE": "1"})


PROMPT = "Do as the plan says."

AGENTS = {
    agent.name: agent
    for agent in (
        Agent("claude-code", "claude", AnthropicMessages, claude, shows_structure=True),
        Agent("codex", "codex", OpenAIResponses, codex, shows_structure=True),
        Agent("gemini-cli", "gemini", GeminiGenerate, gemini, shows_structure=False),
        Agent("opencode", "opencode", ChatCompletions, opencode, shows_structure=False),
    )
}


def run(installed: Installed, agent: Agent, home: Path, bridge: Bridge, model: ScriptedModel) -> Finished:
    """One headless turn of `agent` whose model is `model`. `home` is a folder of its own, the bridge's outside of it.

    What the program leaves running is ended, and fails the test. Raises Missing when it is not installed.
    """
    work = home / "work"
    work.mkdir(parents=True)
    program = installed.program(agent.program)
    invocation = agent.invocation(home, bridge, agent.name, model.url)
    started = time.monotonic()
    process = subprocess.Popen(
        [program, *invocation.arguments],
        cwd=work,
        env=installed.environment(home) | invocation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        end(left_behind(home, 0))
        out, err = process.communicate(timeout=60)
        err += f"\nended by the test after {RUN_SECONDS} s"
    seconds = time.monotonic() - started
    stayed = {number: line for number, line in left_behind(home, 30).items() if " serve" not in line}
    end(stayed)
    finished = Finished(process.returncode, out, err, seconds, model)
    assert not stayed, f"{agent.name} left processes behind: {stayed}\n{finished}"
    return finished


def _write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path
