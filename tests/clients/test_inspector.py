"""The MCP Inspector's command line over stdio: portable schemas, and calls in both protocol eras."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.bridge import Bridge
from tests.clients.programs import Installed

pytestmark = [pytest.mark.clients, pytest.mark.timeout(200)]

ERAS = ("legacy", "modern")
TOOL_FAILED = 5
"""Exit status of the Inspector when the tool answered with isError."""


def inspect(
    installed: Installed, bridge: Bridge, home: Path, *options: str, name: str = "inspector"
) -> tuple[int, dict[str, Any], str]:
    """Exit status, printed result and standard error of one Inspector run against the bridge as agent `name`."""
    home.mkdir(exist_ok=True)
    server = [str(bridge.program), *bridge.arguments(name)]
    variables = [word for key, value in bridge.environment.items() for word in ("-e", f"{key}={value}")]
    finished = subprocess.run(
        [installed.program("mcp-inspector"), "--cli", *variables, *server, *options, "-q", "--format", "json"],
        env=installed.environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    printed = json.loads(finished.stdout) if finished.stdout.strip() else {}
    return finished.returncode, printed.get("result", printed), finished.stderr


def call(tool: str, era: str, **arguments: object) -> list[str]:
    words = ["--protocol-era", era, "--method", "tools/call", "--tool-name", tool]
    return [*words, "--tool-args-json", json.dumps(arguments)]


@pytest.mark.parametrize("era", ERAS)
def test_every_tool_schema_is_portable_between_vendors(
    era: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    options = ("--protocol-era", era, "--method", "tools/list", "--strict")
    status, listed, errors = inspect(installed, bridge, tmp_path / "home", *options)
    assert status == 0, errors
    names = [tool["name"] for tool in listed["tools"]]
    assert names[:5] == [
        "create_conversation",
        "join_conversation",
        "list_conversations",
        "send_to_partner",
        "check_messages",
    ]
    assert all(tool["description"] and tool["inputSchema"]["type"] == "object" for tool in listed["tools"])


@pytest.mark.parametrize("era", ERAS)
def test_a_conversation_is_held_through_single_inspector_calls(
    era: str, installed: Installed, bridge: Bridge, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    status, opened, errors = inspect(
        installed, bridge, home, *call("create_conversation", era, my_role="planner", partner_role="builder")
    )
    assert status == 0, errors
    invite = opened["structuredContent"]["sessions"][1]["invite"]
    bridge.call("partner", "join_conversation", invite=invite)

    status, sent, errors = inspect(installed, bridge, home, *call("send_to_partner", era, message="ünïcode → ✓"))
    assert status == 0, errors
    assert sent["structuredContent"]["status"] == "sent"
    (letter,) = bridge.call("partner", "check_messages")["messages"]
    assert letter["message"] == "ünïcode → ✓"

    status, refused, _ = inspect(installed, bridge, home, *call("join_conversation", era, invite=invite))
    assert (status, refused["isError"]) == (TOOL_FAILED, True)
    assert refused["content"][0]["text"].startswith("not_allowed: ")
