"""The plugin of Claude Code: valid to the program itself, and word for word what `mab init --hooks` would write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from multiagent_bridge import __version__
from multiagent_bridge.clients.hooks import HOOKS
from multiagent_bridge.clients.programs import client_called
from tests.clients.programs import Installed

PLUGIN = Path(__file__).parents[2] / "plugins" / "claude"


@pytest.mark.clients
@pytest.mark.timeout(120)
def test_claude_code_finds_the_plugin_valid(installed: Installed, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed.program("claude"), "plugin", "validate", PLUGIN], env=installed.environment(tmp_path),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plugin_says_what_init_writes() -> None:
    hooks = json.loads((PLUGIN / "hooks" / "hooks.json").read_text())
    groups = HOOKS["claude-code"].groups(("mab",), "claude-code", "")
    assert hooks == {"hooks": {event: [group] for event, group in groups.items()}}
    server = json.loads((PLUGIN / ".mcp.json").read_text())["mcpServers"]["mab"]
    wanted = client_called("claude-code").entry(("mab",), "claude-code", {})
    assert server == {**wanted.fixed, **wanted.defaults}


def test_the_plugin_is_of_this_version() -> None:
    assert json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_text())["version"] == __version__
