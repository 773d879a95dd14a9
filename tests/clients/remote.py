"""The bridge elsewhere, as a client program meets it: an HTTPS address, an authority that vouches for it, and an API key."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.clients.bridge import Bridge, Json
from tests.clients.programs import AGENTS, Agent, Invocation
from tests.faces.http_yard import certified

KEY_VARIABLE = "MAB_API_KEY"
"""Where each configuration looks for the key: none of them holds it in clear."""


@dataclass(frozen=True, slots=True)
class Secured:
    """A hub that serves /mcp with TLS. `authority` is the certificate that a client must be told to trust."""

    bridge: Bridge
    url: str
    authority: Path

    def key(self, name: str) -> str:
        """A new key for an agent called `name`."""
        made = subprocess.run(
            [self.bridge.program, "key", "create", name, "--role", "agent", "--json"],
            env=os.environ | self.bridge.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        )
        return str(json.loads(made.stdout)["key"])


@contextmanager
def secured(bridge: Bridge, folder: Path) -> Iterator[Secured]:
    """A hub of `bridge` that listens on a free loopback port. `folder` is for its certificate."""
    authority = certified(folder, "ca")
    certificate, key = certified(folder, "server", authority)
    words = ["serve", "--http", "127.0.0.1:0", "--tls-cert", str(certificate), "--tls-key", str(key)]
    hub = subprocess.Popen(
        [bridge.program, *words],
        env=os.environ | bridge.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert hub.stderr is not None
    try:
        said = [hub.stderr.readline().split(), hub.stderr.readline().split()]
        assert [line[:2] for line in said] == [["hub", "listens"], ["hub", "serves"]], said
        yield Secured(bridge, said[1][2], authority[0])
    finally:
        hub.terminate()
        hub.wait(120)
        hub.stderr.close()


def claude(home: Path, server: Json) -> None:
    _edited(home / "mcp.json", "mcpServers", {"type": "http", "alwaysLoad": True, **server})


def gemini(home: Path, server: Json) -> None:
    _edited(home / ".gemini" / "settings.json", "mcpServers", {"timeout": 120_000, "type": "http", **server})


def opencode(home: Path, server: Json) -> None:
    headers = {"Authorization": f"Bearer {{env:{KEY_VARIABLE}}}"}
    there = {"type": "remote", "enabled": True, "oauth": False, "timeout": 60_000, **server, "headers": headers}
    _edited(home / "work" / "opencode.json", "mcp", there)


def codex(home: Path, server: Json) -> None:
    path = home / "codex" / "config.toml"
    kept = path.read_text("utf-8").partition("[mcp_servers.mab]")[0]
    there = {"url": server["url"], "bearer_token_env_var": KEY_VARIABLE, "required": True, "startup_timeout_sec": 60}
    lines = [f"{name} = {json.dumps(value)}" for name, value in (there | {"tool_timeout_sec": 120}).items()]
    path.write_text("\n".join([f"{kept}[mcp_servers.mab]", *lines, ""]), "utf-8")


# program: how its configuration names a hub elsewhere, and the variable by which it is told of an authority
ELSEWHERE = {
    "claude-code": (claude, "NODE_EXTRA_CA_CERTS"),
    "codex": (codex, "SSL_CERT_FILE"),
    "gemini-cli": (gemini, "NODE_EXTRA_CA_CERTS"),
    "opencode": (opencode, "NODE_EXTRA_CA_CERTS"),
}


def remote(name: str, hub: Secured, key: str, *, trusting: bool = True) -> Agent:
    """The program `name`, configured for `hub` under `key`. Not `trusting`, it is told of no authority."""
    agent = AGENTS[name]
    configure, authority = ELSEWHERE[name]

    def invocation(home: Path, bridge: Bridge, called: str, url: str) -> Invocation:
        local = agent.invocation(home, bridge, called, url)
        configure(home, {"url": hub.url, "headers": {"Authorization": f"Bearer ${{{KEY_VARIABLE}}}"}})
        trust = {authority: str(hub.authority)} if trusting else {}
        return Invocation(local.arguments, local.environment | {KEY_VARIABLE: key} | trust)

    return replace(agent, invocation=invocation)


def _edited(path: Path, container: str, server: Json) -> None:
    """Put `server` in the place of the one that the program would start itself."""
    settings = json.loads(path.read_text("utf-8"))
    settings[container] = {"mab": server}
    path.write_text(json.dumps(settings), "utf-8")
