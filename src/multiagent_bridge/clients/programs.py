"""The clients `mab init` knows: where each keeps its MCP servers, under which key, and what our entry says.

Sources: each program's documentation, and for Claude Code, Codex, Gemini CLI and opencode runs of the program itself
(versions in docs/guide/clients.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from multiagent_bridge.clients.documents import Entry, Syntax
from multiagent_bridge.clients.machine import DISTRIBUTION, PROGRAM_NAMES, Machine
from multiagent_bridge.errors import Invalid

Scope = Literal["user", "project"]
SCOPES: tuple[Scope, ...] = ("user", "project")
KEY = "mab"
Places = Callable[[Machine], tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Our entry: `fixed` is ours to say, `defaults` hold only where the person has not set the key otherwise."""

    fixed: Entry
    defaults: Entry = field(default_factory=dict)


Build = Callable[[str, list[str], dict[str, str]], Wanted]


@dataclass(frozen=True, slots=True)
class Client:
    """One MCP client. `user` and `project` list its files: the first that exists is used, else the last."""

    name: str
    title: str
    container: str
    build: Build
    user: Places
    signs: Places
    next_step: str
    project: tuple[str, ...] = ()
    binaries: tuple[str, ...] = ()
    syntax: Syntax = "json"
    environment: str = "env"

    @property
    def path(self) -> tuple[str, str]:
        return (self.container, KEY)

    def present(self, machine: Machine) -> bool:
        """Whether the client seems to be installed: its configuration is there, or its program is on PATH."""
        return any(sign.exists() for sign in self.signs(machine)) or any(map(machine.finds, self.binaries))

    def file(self, machine: Machine, scope: Scope) -> Path:
        """The configuration file of `scope`. Raises Invalid when the client has no such scope."""
        places = self.user(machine) if scope == "user" else tuple(machine.project / part for part in self.project)
        if not places:
            raise Invalid(f"{self.title} has no project configuration", "use --scope user")
        return next((place for place in places if place.exists() or place.is_symlink()), places[-1])

    def entry(self, words: tuple[str, ...], agent: str, environment: dict[str, str]) -> Wanted:
        """Our entry for an agent called `agent`; `words` start mab, `environment` holds literals."""
        return self.build(words[0], [*words[1:], "mcp", "--as", agent], environment)


def is_ours(entry: object) -> bool:
    """Whether an entry starts this program, whoever wrote it."""
    if not isinstance(entry, dict):
        return False
    command, rest = entry.get("command"), entry.get("args", [])
    words = [*(command if isinstance(command, list) else [command]), *(rest if isinstance(rest, list) else [])]
    if not words or not all(isinstance(word, str) for word in words):
        return False
    stem = words[0].replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe")
    return stem in PROGRAM_NAMES or (stem in ("uvx", "uv", "pipx") and DISTRIBUTION in words[1:4])


def merged(present: object, wanted: Wanted, environment_key: str) -> Entry:
    """What the entry at our key should say, keeping what a person added to it."""
    old = present if isinstance(present, dict) else {}
    entry = {**wanted.defaults, **old, **{k: v for k, v in wanted.fixed.items() if k != environment_key}}
    ours = wanted.fixed.get(environment_key)
    held = old.get(environment_key)
    kept = {key: value for key, value in held.items() if key != "MAB_HOME"} if isinstance(held, dict) else {}
    variables = kept | (ours if isinstance(ours, dict) else {})
    entry.pop(environment_key, None)
    if variables or (environment_key in old and held == {}):
        entry[environment_key] = variables
    # A new entry reads in the order it was written here, an old one in its own.
    order = list(old) or [*wanted.fixed, *wanted.defaults]
    return {key: entry[key] for key in [*order, *entry] if key in entry}


def _stdio(*, first: Entry | None = None, defaults: Entry | None = None) -> Build:
    def build(command: str, args: list[str], environment: dict[str, str]) -> Wanted:
        env: Entry = {"env": environment} if environment else {}
        return Wanted({**(first or {}), "command": command, "args": args, **env}, defaults or {})

    return build


def _opencode(command: str, args: list[str], environment: dict[str, str]) -> Wanted:
    env: Entry = {"environment": environment} if environment else {}
    return Wanted({"type": "local", "command": [command, *args], **env}, {"enabled": True, "timeout": 15000})


def _claude(m: Machine) -> Path:
    return m.directory("CLAUDE_CONFIG_DIR", m.home)


def _codex(m: Machine) -> Path:
    return m.directory("CODEX_HOME", m.home / ".codex")


def _gemini(m: Machine) -> Path:
    return m.directory("GEMINI_CLI_HOME", m.home) / ".gemini"


def _code(m: Machine) -> Path:
    """The settings of VS Code, or of Insiders where that alone is installed."""
    usual, insiders = m.configuration / "Code", m.configuration / "Code - Insiders"
    return insiders if insiders.exists() and not usual.exists() else usual


def _windsurf(m: Machine) -> tuple[Path, Path]:
    """Newer documentation names the second; what is installed reads the first, so an existing file decides."""
    return (m.home / ".codeium" / "windsurf" / "mcp_config.json", m.home / ".codeium" / "mcp_config.json")


def _zed(m: Machine) -> Path:
    if m.platform == "windows":
        return m.configuration / "Zed"
    return (m.home / ".config" if m.platform == "macos" else m.xdg) / "zed"


CLIENTS: tuple[Client, ...] = (
    Client(
        "claude-code", "Claude Code", "mcpServers",
        _stdio(defaults={"alwaysLoad": True}),
        user=lambda m: (_claude(m) / ".claude.json",),
        project=(".mcp.json",),
        signs=lambda m: (_claude(m) / ".claude.json", m.directory("CLAUDE_CONFIG_DIR", m.home / ".claude")),
        binaries=("claude",),
        next_step="start a new session; /mcp lists mab",
    ),
    Client(
        "codex", "Codex", "mcp_servers",
        _stdio(defaults={"required": True, "startup_timeout_sec": 20, "tool_timeout_sec": 600}),
        user=lambda m: (_codex(m) / "config.toml",),
        project=(".codex/config.toml",),
        signs=lambda m: (_codex(m),),
        binaries=("codex",),
        syntax="toml",
        next_step="start a new session; /mcp lists mab",
    ),
    Client(
        "gemini-cli", "Gemini CLI", "mcpServers",
        _stdio(defaults={"timeout": 600000}),
        user=lambda m: (_gemini(m) / "settings.json",),
        project=(".gemini/settings.json",),
        signs=lambda m: (_gemini(m) / "settings.json",),
        binaries=("gemini",),
        next_step="start a new session in a trusted folder; /mcp list shows mab",
    ),
    Client(
        "opencode", "opencode", "mcp",
        _opencode,
        user=lambda m: tuple(m.xdg / "opencode" / name for name in ("opencode.jsonc", "opencode.json")),
        project=("opencode.jsonc", "opencode.json"),
        signs=lambda m: (m.xdg / "opencode",),
        binaries=("opencode",),
        environment="environment",
        next_step="start a new session; `opencode mcp list` shows mab",
    ),
    Client(
        "cursor", "Cursor", "mcpServers",
        _stdio(),
        user=lambda m: (m.home / ".cursor" / "mcp.json",),
        project=(".cursor/mcp.json",),
        signs=lambda m: (m.home / ".cursor",),
        binaries=("cursor", "cursor-agent"),
        next_step="Settings, Tools & MCP: switch mab on",
    ),
    Client(
        "vscode", "VS Code", "servers",
        _stdio(first={"type": "stdio"}),
        user=lambda m: (_code(m) / "User" / "mcp.json",),
        project=(".vscode/mcp.json",),
        signs=lambda m: (_code(m),),
        binaries=("code", "code-insiders"),
        next_step="MCP: List Servers, mab, Start Server; trust it when asked",
    ),
    Client(
        "windsurf", "Windsurf", "mcpServers",
        _stdio(),
        user=lambda m: (*_windsurf(m), _windsurf(m)[0]),
        signs=lambda m: (m.home / ".codeium" / "windsurf", _windsurf(m)[1]),
        binaries=("windsurf",),
        next_step="Cascade, MCP servers: press refresh",
    ),
    Client(
        "zed", "Zed", "context_servers",
        _stdio(first={"source": "custom"}),
        user=lambda m: (_zed(m) / "settings.json",),
        project=(".zed/settings.json",),
        signs=lambda m: (_zed(m),),
        binaries=("zed", "zeditor"),
        next_step="the agent panel's settings show mab with a green dot",
    ),
    Client(
        "claude-desktop", "Claude Desktop", "mcpServers",
        _stdio(),
        user=lambda m: (m.configuration / "Claude" / "claude_desktop_config.json",),
        signs=lambda m: (m.configuration / "Claude",),
        next_step="quit and start Claude Desktop; Settings, Developer lists mab",
    ),
)  # fmt: skip
ALIASES = {"claude": "claude-code", "gemini": "gemini-cli", "code": "vscode", "vs-code": "vscode"}


def client_called(name: str) -> Client:
    """The client of that name. Raises Invalid naming the choices."""
    wanted = ALIASES.get(name.lower(), name.lower())
    for client in CLIENTS:
        if client.name == wanted:
            return client
    raise Invalid("no client goes by that name", "use " + ", ".join(client.name for client in CLIENTS))
